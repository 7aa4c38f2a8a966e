"""The files of configMap, secret, downwardAPI and projected volumes: paths, contents and modes. Pure."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePosixPath
from typing import NamedTuple, TypeAlias

from runtime.objects import Object
from tiphys.devcluster.node.accounts import Wish, wish_of
from tiphys.devcluster.node.containers import CannotPrepare
from tiphys.devcluster.node.downward import Surroundings, field_value, resource_value
from tiphys.devcluster.node.environment import Source

DEFAULT_MODE = 0o644


class File(NamedTuple):
    """One file of a volume."""

    content: bytes
    mode: int


Files: TypeAlias = dict[str, File]


def sources_of(volume: Object) -> set[Source]:
    """The ConfigMaps and Secrets that a volume shows."""
    parts = [volume, *((volume.get("projected") or {}).get("sources") or ())]
    found = set()
    for part in parts:
        if config := part.get("configMap"):
            found.add(Source("ConfigMap", config["name"]))
        if secret := part.get("secret"):
            found.add(Source("Secret", secret.get("secretName") or secret["name"]))
    return found


def is_projection(volume: Object) -> bool:
    """Whether the volume is made of files that the node writes."""
    return any(kind in volume for kind in ("configMap", "secret", "downwardAPI", "projected"))


Tokens: TypeAlias = Mapping[Wish, str]


def files_of(volume: Object, found: Mapping[Source, Object | None], around: Surroundings, tokens: Tokens) -> Files:
    """The volume's files by path. Raises CannotPrepare for what is missing; `tokens` are all that it wishes for."""
    files: Files = {}
    projected = volume.get("projected")
    parts = [volume] if projected is None else projected.get("sources") or []
    default = None if projected is None else projected.get("defaultMode")
    for part in parts:
        files.update(_part(part, found, around, tokens, DEFAULT_MODE if default is None else default))
    return files


def _part(
    part: Object, found: Mapping[Source, Object | None], around: Surroundings, tokens: Tokens, mode: int
) -> Files:
    if config := part.get("configMap"):
        return _keyed(Source("ConfigMap", config["name"]), config, found, mode)
    if secret := part.get("secret"):
        return _keyed(Source("Secret", secret.get("secretName") or secret["name"]), secret, found, mode)
    if downward := part.get("downwardAPI"):
        own = downward.get("defaultMode")
        return dict(_downward(downward.get("items") or (), around, mode if own is None else own))
    if request := part.get("serviceAccountToken"):
        return {_safe(request["path"]): File(tokens[wish_of(request)].encode(), mode)}
    if "clusterTrustBundle" in part:
        raise CannotPrepare("projected volumes of a clusterTrustBundle are not supported")
    return {}


def _keyed(source: Source, ref: Object, found: Mapping[Source, Object | None], mode: int) -> Files:
    thing = found.get(source)
    if thing is None:
        if ref.get("optional"):
            return {}
        raise CannotPrepare(f'{source.kind.lower()} "{source.name}" not found')
    default = mode if ref.get("defaultMode") is None else ref["defaultMode"]
    contents = bytes_of(source, thing)
    items = ref.get("items")
    if items is None:
        return {_safe(key): File(content, default) for key, content in contents.items()}
    files: Files = {}
    for item in items:
        if item["key"] not in contents:
            if ref.get("optional"):
                continue
            raise CannotPrepare(f"{source.kind.lower()} references non-existent config key: {item['key']}")
        own = item.get("mode")
        files[_safe(item["path"])] = File(contents[item["key"]], default if own is None else own)
    return files


def bytes_of(source: Source, thing: Object) -> dict[str, bytes]:
    """The keys and contents of a ConfigMap or Secret."""
    values: dict[str, str] = thing.get("data") or {}
    if source.kind == "Secret":
        return {key: base64.b64decode(value) for key, value in values.items()}
    binary: dict[str, str] = thing.get("binaryData") or {}
    return {k: v.encode() for k, v in values.items()} | {k: base64.b64decode(v) for k, v in binary.items()}


def _downward(items: Iterable[Object], around: Surroundings, mode: int) -> Iterator[tuple[str, File]]:
    for item in items:
        own = item.get("mode")
        if ref := item.get("fieldRef"):
            value = field_value(around, ref["fieldPath"])
            if value is None:
                raise CannotPrepare(f"downwardAPI: unsupported fieldPath: {ref['fieldPath']}")
        else:
            value = resource_value(around, item["resourceFieldRef"])
        yield _safe(item["path"]), File(value.encode("utf-8", "surrogateescape"), mode if own is None else own)


def _safe(path: str) -> str:
    parts = PurePosixPath(path)
    if parts.is_absolute() or ".." in parts.parts or not parts.parts:
        raise CannotPrepare(f"path {path!r} of a volume's file must be relative and without '..'")
    return str(parts)
