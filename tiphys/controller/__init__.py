"""The in-cluster process: the controllers against any cluster, and what a cluster asks such a process."""
