"""Azure Blob Storage: with the account's key, a shared access signature, or as whoever the pod is (DRV-9)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from obstore.store import AzureStore

from tiphys.executor.artifacts import Place, StoreError, objects
from tiphys.executor.artifacts.credentials import secret_text
from tiphys.executor.artifacts.objects import Bucket

if TYPE_CHECKING:
    from obstore.store import AzureConfig


def load(place: Place, target: Path) -> None:
    """Bring the blob, or the blobs below its name."""
    objects.load(_bucket(place), target)


def save(place: Place, source: Path) -> None:
    """Keep the blob, or a directory as blobs below its name."""
    objects.save(_bucket(place), source)


def list_keys(place: Place) -> list[str]:
    """The names that begin with the artifact's."""
    return objects.list_keys(_bucket(place))


def delete(place: Place, *, tree: bool) -> None:
    """Delete the blob, with `tree` those below its name, too."""
    objects.delete(_bucket(place), tree=tree)


def _bucket(place: Place) -> Bucket:
    section = place.section
    endpoint, name = str(section["endpoint"]).rstrip("/"), str(section["container"])
    config: AzureConfig = {"account_name": _account(endpoint), "endpoint": endpoint}
    key = secret_text(section, "accountKeySecret")
    if key and not section.get("useSDKCreds"):
        config |= {"sas_key": key.lstrip("?")} if "sig=" in key else {"account_key": key}
    options = objects.client_options(insecure=endpoint.startswith("http://"))
    shown = f"azure container {name!r} at {endpoint}"
    with objects.opening(shown):
        store = AzureStore(name, config=config, client_options=options, retry_config=objects.retry_options())
    return Bucket(store, str(section.get("blob") or "").lstrip("/"), shown)


def _account(endpoint: str) -> str:
    """The account is the host's first word, or the path's where a host serves many (an emulator, a private cloud)."""
    parts = urlsplit(endpoint)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise StoreError(f"azure.endpoint: {endpoint!r} is no URL such as https://ACCOUNT.blob.core.windows.net")
    return parts.path.strip("/").partition("/")[0] or parts.hostname.partition(".")[0]
