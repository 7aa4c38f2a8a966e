"""Pods that outlive their workflow are let go."""
