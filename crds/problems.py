"""A problem names the field, says what is wrong with it, and what to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with an object; an error stops it, a warning is worth knowing."""

    path: str  # spec.templates[0].container.imagee; empty for the object as a whole
    message: str
    severity: Severity = "error"
    remedy: str = ""
    feature: str = ""  # the ID of the feature that is not there yet
    unknown: bool = False  # a field that does not exist: callers that are not strict let it pass
    late: bool = False  # only a run would find it: it is no reason to refuse the object

    def __str__(self) -> str:
        where = f"{self.path}: " if self.path else ""
        return f"{where}{self.message}" + (f" ({self.remedy})" if self.remedy else "")
