"""Google Cloud Storage: with a service account's key, or as whoever the pod is (DRV-8)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from obstore.store import GCSStore

from tiphys.executor.artifacts import Place, StoreError, objects
from tiphys.executor.artifacts.credentials import secret_text
from tiphys.executor.artifacts.objects import Bucket

if TYPE_CHECKING:
    from obstore.store import GCSConfig


def load(place: Place, target: Path) -> None:
    """Bring the object, or the objects below the key."""
    objects.load(_bucket(place), target)


def save(place: Place, source: Path) -> None:
    """Keep the object, or a directory as objects below the key."""
    objects.save(_bucket(place), source)


def list_keys(place: Place) -> list[str]:
    """The keys that begin with the artifact's."""
    return objects.list_keys(_bucket(place))


def delete(place: Place, *, tree: bool) -> None:
    """Delete the object, with `tree` those below its name, too."""
    objects.delete(_bucket(place), tree=tree)


def _bucket(place: Place) -> Bucket:
    name, key = str(place.section["bucket"]), secret_text(place.section, "serviceAccountKeySecret")
    config: GCSConfig = {"service_account_key": key} if key else {}
    options = objects.client_options(insecure=_base_url(key).startswith("http://"))
    shown = f"gcs bucket {name!r}"
    with objects.opening(shown):
        store = GCSStore(name, config=config, client_options=options, retry_config=objects.retry_options())
    return Bucket(store, str(place.section.get("key") or "").lstrip("/"), shown)


def _base_url(key: str) -> str:
    """The service that a key is for, when it is not Google's own: a private one, or a test's."""
    try:
        return str(json.loads(key or "{}").get("gcs_base_url") or "")
    except ValueError as error:
        raise StoreError(f"gcs.serviceAccountKeySecret: the key is not JSON: {error}") from error
