"""The commands on Rollouts, AnalysisRuns and Experiments: all they know and do goes through the Kubernetes API."""
