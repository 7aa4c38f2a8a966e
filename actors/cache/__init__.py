"""Remembered results that nobody asks for any more are forgotten."""
