"""A Rollout's whole update in a moment: the real controllers on the embedded API, in time that jumps."""
