"""The keys that name a database, and what `persistence` means with them.

MySQL is known and not spoken; SQLite is ours: `sqlite: {path: FILE}` beside upstream's `postgresql`.
"""

# ruff: noqa: N815  the attribute is the key

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from tiphys.configuration.problems import BadConfiguration, duration_s
from tiphys.configuration.section import Section
from tiphys.persistence.settings import NODES_TABLE, Database, PersistenceSettings, SecretEntry
from tiphys.persistence.sync_settings import SyncSettings, SyncTables


class SecretKey(Section):
    """An entry of a Secret."""

    name: str = ""
    key: str
    optional: bool | None = None


class PostgreSQL(Section):
    """A PostgreSQL server."""

    host: str
    port: int = Field(default=5432, gt=0, le=65535)
    database: str
    tableName: str = Field(default="", pattern=r"^[A-Za-z_][A-Za-z0-9_]*$|^$")
    userNameSecret: SecretKey | None = None
    passwordSecret: SecretKey | None = None
    ssl: bool = False
    sslMode: Literal["", "disable", "allow", "prefer", "require", "verify-ca", "verify-full"] = ""
    azureToken: dict[str, Any] | None = None
    awsRDSToken: dict[str, Any] | None = None


class SQLite(Section):
    """A file."""

    path: str = Field(min_length=1)
    tableName: str = Field(default="", pattern=r"^[A-Za-z_][A-Za-z0-9_]*$|^$")


class ConnectionPool(Section):
    """How many connections there are."""

    maxIdleConns: int = Field(default=0, ge=0)
    maxOpenConns: int = Field(default=0, ge=0)
    connMaxLifetime: str = ""


class Reconnection(Section):
    """How often a connection is tried for."""

    maxRetries: int = Field(default=5, ge=0)
    baseDelaySeconds: int = Field(default=0, ge=0)
    maxDelaySeconds: int = Field(default=30, ge=0)
    retryMultiple: float = Field(default=2.0, ge=1)


class Databases(Section):
    """Which database; at most one of the three."""

    postgresql: PostgreSQL | None = None
    mysql: dict[str, Any] | None = None
    sqlite: SQLite | None = None
    connectionPool: ConnectionPool = ConnectionPool()
    reconnectionConfig: Reconnection | None = None
    dbReconnectConfig: Reconnection | None = None
    connectionTimeoutSeconds: int = Field(default=5, gt=0)


class LabelRequirement(Section):
    """One expression of a selector."""

    key: str
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist"]
    values: tuple[str, ...] = ()


class LabelSelector(Section):
    """Which labels."""

    matchLabels: dict[str, str] = Field(default_factory=dict)
    matchExpressions: tuple[LabelRequirement, ...] = ()


class Persistence(Databases):
    """The archive and offloaded nodes."""

    nodeStatusOffLoad: bool = False
    archive: bool = False
    archiveLabelSelector: LabelSelector | None = None
    archiveTTL: str = ""
    clusterName: str = Field(default="", max_length=64)
    skipMigration: bool = False


TABLE = r"^[A-Za-z_][A-Za-z0-9_]*$"


class Synchronization(Databases):
    """Locks that a database keeps."""

    enableAPI: bool = False
    controllerName: str = Field(default="", max_length=64)
    skipMigration: bool = False
    limitTableName: str = Field(default="sync_limit", pattern=TABLE)
    stateTableName: str = Field(default="sync_state", pattern=TABLE)
    controllerTableName: str = Field(default="sync_controller", pattern=TABLE)
    lockTableName: str = Field(default="sync_lock", pattern=TABLE)
    pollSeconds: int = Field(default=5, gt=0)
    heartbeatSeconds: int = Field(default=60, gt=0)
    inactiveControllerSeconds: int = Field(default=300, gt=0)
    semaphoreLimitCacheSeconds: int | None = Field(default=None, ge=0)


def persistence(read: Persistence | None, instance_id: str) -> PersistenceSettings | None:
    """What `persistence` means; None when it names no database that is spoken. Raises BadConfiguration."""
    database = _database(read, "persistence") if read is not None else None
    if read is None or database is None:
        return None
    try:
        keep_s = duration_s(read.archiveTTL) if read.archiveTTL else 0.0
    except ValueError as error:
        raise BadConfiguration([f"persistence.archiveTTL: {error}"]) from error
    named = read.postgresql or read.sqlite
    selector = read.archiveLabelSelector
    return PersistenceSettings(
        database,
        archive=read.archive,
        offload=read.nodeStatusOffLoad,
        selector=selector.model_dump(exclude_defaults=True) if selector is not None else {},
        keep_s=keep_s,
        cluster=read.clusterName or "default",
        instance_id=instance_id,
        nodes_table=(named.tableName if named is not None else "") or NODES_TABLE,
        migrate=not read.skipMigration,
    )


def synchronization(read: Synchronization | None) -> SyncSettings | None:
    """What `synchronization` means; None when it names no database that is spoken. Raises BadConfiguration."""
    database = _database(read, "synchronization") if read is not None else None
    if read is None or database is None:
        return None
    names = SyncTables(read.limitTableName, read.stateTableName, read.controllerTableName, read.lockTableName)
    if len({names.limits, names.states, names.controllers, names.locks}) < 4:
        raise BadConfiguration(["synchronization: two of its tables have one name: give each a name of its own"])
    migrate, inactive_s = not read.skipMigration, float(read.inactiveControllerSeconds)
    return SyncSettings(database, read.controllerName, names, migrate, inactive_s)


def _database(read: Databases, section: str) -> Database | None:
    given = [key for key in ("postgresql", "mysql", "sqlite") if getattr(read, key)]
    if len(given) > 1:
        raise BadConfiguration([f"{section}: it names {' and '.join(given)}: there is one database, name one"])
    pool, timeout_s = read.connectionPool, float(read.connectionTimeoutSeconds)
    if read.sqlite is not None:
        return Database("sqlite", read.sqlite.path, connect_timeout_s=timeout_s)
    server = read.postgresql
    if server is None:
        return None
    try:
        lifetime_s = duration_s(pool.connMaxLifetime) if pool.connMaxLifetime not in ("", "0") else 0.0
    except ValueError as error:
        raise BadConfiguration([f"{section}.connectionPool.connMaxLifetime: {error}"]) from error
    tls = (server.sslMode or "prefer") if server.ssl else "disable"
    return Database(
        "postgresql", server.database, server.host, server.port, _entry(server.userNameSecret),
        _entry(server.passwordSecret), tls, pool.maxOpenConns or 10, lifetime_s, timeout_s,
    )  # fmt: skip


def _entry(key: SecretKey | None) -> SecretEntry | None:
    return SecretEntry(key.name, key.key) if key is not None and key.name else None
