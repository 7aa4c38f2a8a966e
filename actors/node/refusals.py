"""A pod that cannot be made right now is tried again; one that can never be made is the user's to mend. (§ odd pods)"""

from __future__ import annotations

from runtime.api import ApiError

CREATE_BACKOFF_S = (0.5, 1.0, 2.0, 5.0, 10.0)  # after a refusal that may pass (quota) or an unknown outcome
_PASSING = ("exceeded quota", "object has been modified", "is forbidden: unable to create new content")


def passes(error: ApiError) -> bool:
    """Whether a refusal may pass by itself: a quota that others give back, a namespace that is being restored."""
    return any(text in error.message for text in _PASSING)
