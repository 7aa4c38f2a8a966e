"""What an engine answers instead of what was asked for."""

from __future__ import annotations


class EngineError(Exception):
    """The engine refused, in its own words. `status` is HTTP's."""

    def __init__(self, message: str, status: int = 500) -> None:
        super().__init__(message)
        self.message = message
        self.status = status

    @property
    def is_absent(self) -> bool:
        """What was named is not there."""
        return self.status == 404


class EngineAway(EngineError):
    """The engine does not answer: it is being restarted, or is gone. Nobody knows whether it has heard."""

    def __init__(self, message: str) -> None:
        super().__init__(message, 0)
