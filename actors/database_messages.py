"""What rooms ask of the database: one service, and a record for every question. (ARCHV-1, OFF-1..3)

Whoever asks hears an answer, Unavailable (ask again later; whatever was asked may have happened) or Refused. Every
question may be asked twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from runtime.messages import Address
from runtime.objects import Object

DATABASE: Final = "database"
"""The service."""

AWAY: Final = "DatabaseAway"
BACK: Final = "DatabaseBack"
"""Reasons of Events: the database that keeps a workflow's nodes does not answer, or does again."""

ARCHIVE = Address("archive", "", "archive", "")
"""Who brings finished workflows into the archive. One actor for all."""

OLD_NODES = Address("oldnodes", "", "nodes", "")
"""Who has versions of nodes forgotten that nobody refers to any more. One actor for all."""


@dataclass(frozen=True, slots=True)
class Archive:
    """Put this finished workflow on record. The answer is None."""

    workflow: Object


@dataclass(frozen=True, slots=True)
class Expire:
    """Forget archived workflows that ended before `before` (seconds since the epoch). The answer is how many."""

    before: float


@dataclass(frozen=True, slots=True)
class SaveNodes:
    """Keep the JSON of a workflow's nodes. The answer is the name of this version of them. (OFF-1)"""

    uid: str
    namespace: str
    nodes: bytes


@dataclass(frozen=True, slots=True)
class LoadNodes:
    """The nodes of a version. The answer is a map; Gone when there is no such version. (OFF-3)"""

    uid: str
    version: str


@dataclass(frozen=True, slots=True)
class ForgetNodes:
    """Forget versions that were saved more than `older_s` ago and that nobody needs. The answer is how many. (OFF-2)

    Of a workflow in `known`, by its uid, those go that are older than the version which its status names; one whose
    status names none (empty) may be about to, and keeps all. All versions of workflows in `gone` go, and with
    `strangers` those of any other workflow too. `namespace` limits all that; empty: nothing does."""

    known: Mapping[str, str]
    gone: frozenset[str]
    older_s: float
    strangers: bool = False
    namespace: str = ""
