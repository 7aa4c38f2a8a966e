"""An operation that does not fit its workflow is refused with a sentence that says why."""

from __future__ import annotations


class Refusal(ValueError):
    """The workflow is not in a state for this operation, or what was asked for is not there."""
