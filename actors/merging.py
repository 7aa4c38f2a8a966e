"""One spec over another is a strategic merge: some lists are merged by a key of their entries, all others replaced.

Which lists, and by which key, the types say that users write; where upstream goes another way, so does this: hooks and
`labelsFrom` are taken whole, and of an argument the place with the greatest right gives all there is. (WFT-2, TDEF-1,
WDEF-1.)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

KEYS = {
    "parameters": "name", "artifacts": "name", "tasks": "name", "volumes": "name", "imagePullSecrets": "name",
    "initContainers": "name", "sidecars": "name", "env": "name", "tolerations": "key", "hostAliases": "ip",
    "volumeMounts": "mountPath", "volumeDevices": "devicePath", "ports": "containerPort",
}  # fmt: skip
"""Of a WorkflowSpec, a template and its containers."""

_VALUES = ("value", "default", "valueFrom")  # a parameter that has one of them has a value
_WHOLE = frozenset({"hooks", "labelsFrom"})  # maps whose entries are not mixed
_ABOUT = frozenset({"name", "path", "mode", "from", "fromExpression", "optional", "archive", "globalName", "deleted"})


def merged(over: Any, under: Any, field: str = "") -> Any:
    """`under` filled in below `over`; neither is changed. `field` is the name of the field that holds them."""
    if isinstance(over, dict) and isinstance(under, dict):
        if field in _WHOLE:
            return {**under, **over}
        return {
            key: merged(over.get(key), under.get(key), key) for key in [*under, *(k for k in over if k not in under)]
        }
    if isinstance(over, list) and isinstance(under, list):
        return _merged_lists(over, under, KEYS.get(field, ""))
    return under if over is None else over


def merged_specs(over: dict[str, Any], under: Mapping[str, Any]) -> dict[str, Any]:
    """A workflow's spec over another one; an empty text says nothing, and of an argument with a value, the upper entry
    is all there is."""
    result: dict[str, Any] = merged({key: value for key, value in over.items() if value != ""}, dict(under))
    arguments: Mapping[str, Any] = result.get("arguments") or {}
    upper, lower = over.get("arguments") or {}, under.get("arguments") or {}
    if upper and lower:
        parameters = _chosen(arguments, (upper, lower), "parameters", _whole_parameter)
        artifacts = _chosen(arguments, (upper, lower), "artifacts", _whole_artifact)
        result["arguments"] = {**arguments, **parameters, **artifacts}
    return result


def in_order(entries: list[Any], wanted: Sequence[Any], old: Sequence[Any], key: str) -> list[Any]:
    """Entries whose key is wanted come in that order, the others in theirs. Of the two next ones the wanted comes
    first, unless the other stood before it in the old list already: as an API server merges."""
    named = sorted((have for have in entries if have.get(key) in wanted), key=lambda have: wanted.index(have[key]))
    others = [have for have in entries if have.get(key) not in wanted]
    result: list[Any] = []
    while named and others:
        name, rival = named[0][key], others[0].get(key)
        stood_before = name in old and rival in old and old.index(rival) < old.index(name)
        result.append(others.pop(0) if stood_before else named.pop(0))
    return [*result, *named, *others]


# ------------------------------------------------------------------------------------------------ inside


def _merged_lists(over: list[Any], under: list[Any], key: str) -> list[Any]:
    if not key or not over or not all(isinstance(entry, dict) and key in entry for entry in (*over, *under)):
        return over or under
    below = {entry[key]: entry for entry in under}
    names = [entry[key] for entry in over]
    entries = [merged(entry, below.get(entry[key])) for entry in over]
    entries += [entry for name, entry in below.items() if name not in names]
    return in_order(entries, names, list(below), key)


def _chosen(
    arguments: Mapping[str, Any], layers: tuple[Mapping[str, Any], ...], kind: str, choose: Any
) -> dict[str, list[Any]]:
    held = [{entry.get("name"): entry for entry in layer.get(kind) or ()} for layer in layers]
    found = [choose(entry, *(layer.get(entry.get("name")) for layer in held)) for entry in arguments.get(kind) or ()]
    return {kind: found} if found else {}


def _whole_parameter(entry: dict[str, Any], *layers: dict[str, Any] | None) -> dict[str, Any]:
    having = (layer for layer in layers if layer and any(layer.get(key) is not None for key in _VALUES))
    return next(having, entry)


def _whole_artifact(entry: dict[str, Any], *layers: dict[str, Any] | None) -> dict[str, Any]:
    """The upper one; what it does not say of its store, the lower one says, if it means one of the same kind."""
    upper, lower = (layers[0], layers[1]) if layers[0] else (layers[1], None)
    if upper is None:
        return entry
    stores = [set(each or {}) - _ABOUT for each in (upper, lower)]
    if lower is None or not stores[0] or stores[0] != stores[1]:
        return upper
    return {**upper, **{store: merged(upper[store], lower[store], store) for store in stores[0]}}
