"""`tiphys server`: takes events over HTTP and submits the workflows that WorkflowEventBindings make of them.

Who sends an event acts with his own token, or with that of the service account that a webhook's secret stands for:
this process itself may read those secrets, and write Events, and nothing else. (EVT-1 to EVT-4.)
"""
