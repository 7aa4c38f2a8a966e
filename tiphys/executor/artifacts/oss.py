"""Alibaba's object storage, over the S3 dialect that it speaks (DRV-7)."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tiphys.executor.artifacts import Place, s3

OWN = "aliyuncs.com"
_SHARED = ("bucket", "key", "accessKeySecret", "secretKeySecret", "useSDKCreds", "createBucketIfNotPresent")


def load(place: Place, target: Path) -> None:
    """Bring the object, or the objects below the key."""
    s3.load(in_words_of_s3(place), target)


def save(place: Place, source: Path) -> None:
    """Keep the object, or a directory as objects below the key; the bucket is created when the artifact says so."""
    s3.save(in_words_of_s3(place), source)


def list_keys(place: Place) -> list[str]:
    """The keys that begin with the artifact's."""
    return s3.list_keys(in_words_of_s3(place))


def delete(place: Place, *, tree: bool) -> None:
    """Delete the object, with `tree` those below its name, too."""
    s3.delete(in_words_of_s3(place), tree=tree)


def in_words_of_s3(place: Place) -> Place:
    """The same artifact in S3's words: a bucket of the service itself is part of the host's name."""
    section = place.section
    endpoint = str(section["endpoint"])
    parts = urlsplit(endpoint if "://" in endpoint else f"https://{endpoint}")
    host = parts.hostname or ""
    own = host.endswith(OWN)
    words: dict[str, Any] = {name: section[name] for name in _SHARED if section.get(name) is not None}
    words |= {
        "endpoint": parts.netloc,
        "insecure": parts.scheme == "http",
        "addressingStyle": "virtual" if own else "path",
    }
    if own:  # oss-cn-hangzhou.aliyuncs.com, with or without -internal
        words["region"] = host.removesuffix(f".{OWN}").rpartition(".")[2].removesuffix("-internal")
    if section.get("securityToken"):
        words["sessionToken"] = str(section["securityToken"])
    return place._replace(section=words)
