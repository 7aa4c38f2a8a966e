"""The installation's configuration, as upstream has it: the ConfigMap `workflow-controller-configmap`, and variables of
the environment.

`keys` names every key, `reading` reads the ConfigMap, `notices` says what of it is not acted upon, `settings` turns the
rest into what the rooms understand, `following` keeps a running controller up to date.
"""
