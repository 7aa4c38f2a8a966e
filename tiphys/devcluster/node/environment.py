"""A container's environment, command and arguments: values, references and `$(NAME)` resolved as the kubelet does.

Pure: ConfigMaps and Secrets that `references` names are fetched by the caller and come in.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, TypeAlias

from runtime.objects import Object
from tiphys.devcluster.node.containers import CannotCreate
from tiphys.devcluster.node.downward import Surroundings, field_value, resource_value


class Source(NamedTuple):
    """A ConfigMap or Secret in the pod's namespace."""

    kind: str  # "ConfigMap", "Secret"
    name: str


Found: TypeAlias = Mapping[Source, Object | None]
"""What was fetched; None for what does not exist."""

_REFERENCE = re.compile(r"\$\$|\$\(([^()\s]+)\)")
_NAME = re.compile(r"[-._a-zA-Z][-._a-zA-Z0-9]*\Z")


def references(container: Object) -> set[Source]:
    """The ConfigMaps and Secrets that a container's environment reads."""
    sources = {source for source, _, _ in _env_from(container)}
    for variable in container.get("env") or ():
        found = _key_reference(variable.get("valueFrom") or {})
        if found is not None:
            sources.add(found[0])
    return sources


def environment(container: Object, found: Found, first: Mapping[str, str], around: Surroundings) -> dict[str, str]:
    """The variables: `first`, then envFrom, then env, each seeing those before. Raises CannotCreate."""
    env = dict(first)
    for source, prefix, optional in _env_from(container):
        thing = found.get(source)
        if thing is None:
            if optional:
                continue
            raise CannotCreate(f'{source.kind.lower()} "{source.name}" not found')
        for key, value in texts_of(source, thing).items():
            if _NAME.match(prefix + key):
                env[prefix + key] = value
    for variable in container.get("env") or ():
        resolved = _value_of(container, variable, found, env, around)
        if resolved is not None:
            env[variable["name"]] = resolved
    return env


def expand(text: str, env: Mapping[str, str]) -> str:
    """Replace `$(NAME)` by its value; unknown names stay, `$$` is a dollar sign that starts no reference."""

    def replacement(match: re.Match[str]) -> str:
        name = match.group(1)
        if name is None:
            return "$"
        return env.get(name, match.group(0))

    return _REFERENCE.sub(replacement, text)


def texts_of(source: Source, thing: Object) -> dict[str, str]:
    """The keys and values of a ConfigMap or Secret as text."""
    values: dict[str, str] = thing.get("data") or {}
    if source.kind == "Secret":
        return {key: base64.b64decode(value).decode("utf-8", "surrogateescape") for key, value in values.items()}
    return values


def _env_from(container: Object) -> Iterator[tuple[Source, str, bool]]:
    for entry in container.get("envFrom") or ():
        for field, kind in (("configMapRef", "ConfigMap"), ("secretRef", "Secret")):
            if ref := entry.get(field):
                yield Source(kind, ref["name"]), entry.get("prefix") or "", bool(ref.get("optional"))


def _key_reference(value_from: Object) -> tuple[Source, Any] | None:
    for field, kind in (("configMapKeyRef", "ConfigMap"), ("secretKeyRef", "Secret")):
        if ref := value_from.get(field):
            return Source(kind, ref["name"]), ref
    return None


def _value_of(
    container: Object, variable: Object, found: Found, env: Mapping[str, str], around: Surroundings
) -> str | None:
    value_from = variable.get("valueFrom")
    if not value_from:
        return expand(variable.get("value") or "", env)
    keyed = _key_reference(value_from)
    if keyed is not None:
        return _key_value(*keyed, found, around)
    if ref := value_from.get("fieldRef"):
        value = field_value(around, ref["fieldPath"])
        if value is None:
            raise CannotCreate(f"env {variable['name']}: unsupported fieldPath: {ref['fieldPath']}")
        return value
    if ref := value_from.get("resourceFieldRef"):
        return resource_value(around, ref, container["name"])
    raise CannotCreate(f"env {variable['name']}: valueFrom names no known source ({', '.join(value_from)})")


def _key_value(source: Source, ref: Object, found: Found, around: Surroundings) -> str | None:
    thing = found.get(source)
    if thing is None:
        if ref.get("optional"):
            return None
        raise CannotCreate(f'{source.kind.lower()} "{source.name}" not found')
    value = texts_of(source, thing).get(ref["key"])
    if value is None and not ref.get("optional"):
        where = f"{around.pod['metadata'].get('namespace', '')}/{source.name}"
        raise CannotCreate(f"couldn't find key {ref['key']} in {source.kind} {where}")
    return value
