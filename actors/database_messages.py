"""What rooms ask of the database: one service, and a record for every question. (ARCHV-1)

Whoever asks hears an answer, Unavailable (ask again later; whatever was asked may have happened) or Refused. Every
question may be asked twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from runtime.messages import Address
from runtime.objects import Object

DATABASE: Final = "database"
"""The service."""

ARCHIVE = Address("archive", "", "archive", "")
"""Who brings finished workflows into the archive. One actor for all."""


@dataclass(frozen=True, slots=True)
class Archive:
    """Put this finished workflow on record. The answer is None."""

    workflow: Object


@dataclass(frozen=True, slots=True)
class Expire:
    """Forget archived workflows that ended before `before` (seconds since the epoch). The answer is how many."""

    before: float
