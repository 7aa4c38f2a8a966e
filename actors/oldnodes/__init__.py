"""Versions of nodes in the database that nobody refers to any more are forgotten."""
