"""A database is reached with credentials from Secrets, and with packages that not every installation has."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from runtime.api import Api, ApiError, Refused, Unavailable
from runtime.objects import SECRETS, Reference
from tiphys.persistence.settings import Database, SecretEntry

if TYPE_CHECKING:  # drivers are loaded when a database is opened
    from tiphys.persistence.engine import Store

INSTALL = "pip install 'tiphys[database]'"


async def connected(database: Database, api: Api | None, namespace: str) -> Store:
    """A database, not asked yet; its credentials are in Secrets of `namespace`. Raises Unavailable, Refused."""
    try:
        from tiphys.persistence.engine import Credentials, Store  # noqa: PLC0415  (see INSTALL)
    except ImportError as error:
        raise Refused(f"the database needs packages that are not installed: {INSTALL}") from error
    user = await _secret(api, namespace, database.user)
    password = await _secret(api, namespace, database.password)
    try:
        return Store(database, Credentials(user, password))
    except ImportError as error:
        raise Refused(f"{database.place} needs a driver that is not installed: {INSTALL}") from error


async def _secret(api: Api | None, namespace: str, entry: SecretEntry | None) -> str:
    if entry is None:
        return ""
    if api is None:
        raise Refused(f"secret {namespace}/{entry.name} cannot be read here")
    try:
        secret = await api.get(Reference(SECRETS, namespace, entry.name))
    except ApiError as error:  # it may be made, or the right to read it given, at any time
        raise Unavailable(f"secret {namespace}/{entry.name} of the database cannot be read: {error.message}") from error
    value = (secret.get("data") or {}).get(entry.key)
    if value is None:
        raise Unavailable(f"secret {namespace}/{entry.name} of the database has no entry {entry.key!r}")
    return base64.b64decode(value).decode()
