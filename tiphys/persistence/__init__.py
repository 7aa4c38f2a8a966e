"""What outlives the cluster's objects stands in a database: finished workflows, and nodes too large for a status.

Tables and columns are upstream's, so that either controller reads what the other has written. Nothing here decides
anything about workflows: rooms ask (`service`), and the command line reads.
"""
