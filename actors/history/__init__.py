"""Finished workflows: how many are kept, and what they say about those that follow."""
