"""Benchmarks of any controller of Argo's kinds, on any API server: what is measured is read from the API alone."""
