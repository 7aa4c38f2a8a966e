"""Whose turn it is: workflows that wait to begin, by priority and age, up to the installation's limits."""
