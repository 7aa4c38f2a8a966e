"""Which database, and what it is used for. Values only: nothing here needs a driver."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

ARCHIVED_TABLE, LABELS_TABLE, NODES_TABLE = (
    "argo_archived_workflows",
    "argo_archived_workflows_labels",
    "argo_workflows",
)


@dataclass(frozen=True, slots=True)
class SecretEntry:
    """An entry of a Secret in the namespace of the configuration."""

    name: str
    key: str


@dataclass(frozen=True, slots=True)
class Database:
    """Where a database is and how it is reached; `name` is a file's path for SQLite."""

    driver: Literal["postgresql", "sqlite"]
    name: str
    host: str = ""
    port: int = 5432
    user: SecretEntry | None = None
    password: SecretEntry | None = None
    tls: str = "disable"  # libpq's words: disable, prefer, require, verify-ca, verify-full
    connections: int = 10  # at once
    lifetime_s: float = 0.0  # after which a connection is made anew; 0: it is kept
    connect_timeout_s: float = 5.0

    @property
    def place(self) -> str:
        """In words, without anything secret."""
        return f"SQLite {self.name}" if self.driver == "sqlite" else f"PostgreSQL {self.host}:{self.port}/{self.name}"


@dataclass(frozen=True, slots=True)
class PersistenceSettings:
    """The configuration's `persistence`."""

    database: Database
    archive: bool = False
    offload: bool = False  # nodes that are too large for their workflow are kept there
    selector: Mapping[str, Any] = field(default_factory=dict)  # a LabelSelector; empty: every workflow is archived
    keep_s: float = 0.0  # archived workflows go so long after their end; 0: never
    cluster: str = "default"
    instance_id: str = ""
    nodes_table: str = NODES_TABLE
    migrate: bool = True  # tables are made and brought up to date at the first use
