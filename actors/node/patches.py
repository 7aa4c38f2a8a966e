"""A pod spec patch is a strategic merge: maps merge by key, some lists by their entries' key, null deletes.

The table is the pod spec's own (which list has which merge key); everything not in it is replaced as a whole. (POD-3)
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import yaml

from actors.merging import in_order
from crds.check import misshapen

MERGE_KEYS = {
    "containers": "name",
    "initContainers": "name",
    "ephemeralContainers": "name",
    "volumes": "name",
    "imagePullSecrets": "name",
    "hostAliases": "ip",
    "topologySpreadConstraints": "topologyKey",
    "resourceClaims": "name",
    "schedulingGates": "name",
    "env": "name",
    "volumeMounts": "mountPath",
    "volumeDevices": "devicePath",
    "ports": "containerPort",
}
_ATOMIC_BELOW = frozenset({"resources", "securityContext", "affinity", "dnsConfig"})  # their lists have no merge key
_PRIMITIVE_PREFIX, _ORDER_PREFIX = "$deleteFromPrimitiveList/", "$setElementOrder/"


class _Dateless(yaml.SafeLoader):
    yaml_implicit_resolvers = {  # noqa: RUF012 - PyYAML's own way to say it
        first: [(tag, pattern) for tag, pattern in known if tag != "tag:yaml.org,2002:timestamp"]
        for first, known in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


class BadPatch(ValueError):
    """A patch that is no patch; the message says what is wrong with it."""


def parse_patch(text: str, where: str) -> dict[str, Any]:
    """A podSpecPatch's text, YAML or JSON. Raises BadPatch naming the field."""
    try:
        patch = json.loads(text) if text.lstrip().startswith("{") else _yaml(text)
    except ValueError:
        patch = _flow_yaml(text, where)
    except (yaml.YAMLError, TypeError, RecursionError) as error:
        raise BadPatch(f"{where}: neither JSON nor YAML: {_one_line(error)}") from error
    if patch is None:
        return {}
    if not isinstance(patch, dict):
        raise BadPatch(f"{where}: a map of pod spec fields is needed, not {type(patch).__name__}")
    for problem in misshapen(patch, "PodSpec"):
        raise BadPatch(f"{where}: {problem}")
    return patch


def strategic_merge(original: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """The original with the patch applied; neither is changed."""
    return _merged_map(original, patch, in_lists=True)


def merge_container(container: Mapping[str, Any], under: Mapping[str, Any]) -> dict[str, Any]:
    """A container with an installation's defaults below it: what the container says itself wins (POD-6)."""
    if not under:
        return dict(container)
    defaults = {key: value for key, value in under.items() if key != "name"}
    return _merged_map(defaults, {key: value for key, value in container.items() if value is not None}, in_lists=True)


# ------------------------------------------------------------------------------------------------ inside


def _merged_map(original: Mapping[str, Any], patch: Mapping[str, Any], *, in_lists: bool) -> dict[str, Any]:
    directive = patch.get("$patch")
    if directive == "replace":
        return {key: value for key, value in patch.items() if key != "$patch"}
    if directive == "delete":
        return {}
    if directive not in (None, "merge"):
        raise BadPatch(f"$patch: {directive!r}: one of replace, merge, delete is needed")
    kept = patch.get("$retainKeys")
    if not isinstance(kept, list | None):
        raise BadPatch("$retainKeys: a list of fields is needed")
    result = {key: value for key, value in original.items() if kept is None or key in kept}
    for key, value in patch.items():
        if key in ("$patch", "$retainKeys") or key.startswith(_ORDER_PREFIX):
            continue
        if key.startswith(_PRIMITIVE_PREFIX):
            field = key.removeprefix(_PRIMITIVE_PREFIX)
            if not isinstance(value, list) or not isinstance(result.get(field), list | None):
                raise BadPatch(f"{key}: a list of values is needed")
            result[field] = [entry for entry in result.get(field) or () if entry not in value]
        elif value is None:
            result.pop(key, None)
        else:
            result[key] = _merged(key, result.get(key), value, in_lists=in_lists)
    return result


def _merged(key: str, original: Any, patch: Any, *, in_lists: bool) -> Any:
    if isinstance(patch, dict):
        below = original if isinstance(original, dict) else {}
        return _merged_map(below, patch, in_lists=in_lists and key not in _ATOMIC_BELOW)
    if isinstance(patch, list) and in_lists and key in MERGE_KEYS and _objects(patch):
        return _merged_list(key, original if isinstance(original, list) else [], patch)
    return patch


def _merged_list(field: str, original: list[Any], patch: list[dict[str, Any]]) -> list[Any]:
    if any(entry.get("$patch") == "replace" and len(entry) == 1 for entry in patch):
        return [entry for entry in patch if "$patch" not in entry]
    name = MERGE_KEYS[field]
    result = list(original)
    for entry in patch:
        if name not in entry:
            raise BadPatch(f"{field}: an entry lacks {name!r}, by which this list is merged: {json.dumps(entry)[:200]}")
        at = next((i for i, have in enumerate(result) if have.get(name) == entry[name]), None)
        if entry.get("$patch") == "delete":
            result = [have for have in result if have.get(name) != entry[name]]
        elif at is None:
            result.append(_merged_map({}, entry, in_lists=True))
        else:
            result[at] = _merged_map(result[at], entry, in_lists=True)
    return in_order(result, [entry[name] for entry in patch], [have.get(name) for have in original], name)


def _objects(entries: list[Any]) -> bool:
    return all(isinstance(entry, dict) for entry in entries)


def _flow_yaml(text: str, where: str) -> Any:
    """YAML that begins like JSON but is not: `{containers: [...]}`."""
    try:
        return _yaml(text)
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        raise BadPatch(f"{where}: neither JSON nor YAML: {_one_line(error)}") from error


def _yaml(text: str) -> Any:
    """What the JSON of a YAML text would be: names are text, and so are dates."""
    return json.loads(json.dumps(yaml.load(text, Loader=_Dateless)))  # noqa: S506 - a SafeLoader that knows fewer tags


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
