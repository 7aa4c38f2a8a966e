"""What every described object is made of: the strict model, and the few JSON types that JSON has no word for.

Attributes carry the JSON names as they are (`serviceAccountName`): one word for one thing, no table of aliases.
The comment behind a field is its description: `crds.shapes` reads it into the schema that `kubectl explain` shows,
so it costs nothing at run time.
"""

# ruff: noqa: N815  the attribute is the JSON name

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

from pydantic import BaseModel, ConfigDict

IntOrString: TypeAlias = int | str
"""A whole number or text, as Kubernetes' `IntOrString`."""

Quantity: TypeAlias = int | float | str
"""An amount of a resource: `500m`, `1Gi`, `2`."""

Scalar: TypeAlias = int | float | bool | str
"""A value that upstream keeps as text whatever scalar the author wrote."""

Open: TypeAlias = dict[str, Any]
"""An object that passes through unread: Kubernetes judges it when the pod is made."""

OPEN_IN_MANIFEST = "open in the manifest"
"""Marks a field that is checked where users write it, and kept as it is by the API server."""

NULL_IN_MANIFEST = "may be null in the manifest"
"""Marks a field that clients of upstream's write as null where they know nothing of it: who read an object with such a
gap and writes the whole of it back must not be refused."""


class Default(NamedTuple):
    """Marks a field that the API server fills in when it is absent."""

    value: Any


class Rule(NamedTuple):
    """Marks a field that the API server judges by an expression (CEL)."""

    rule: str
    message: str


class Model(BaseModel):
    """An object whose fields are all named here; built on first use, judged without conversions."""

    model_config = ConfigDict(extra="forbid", strict=True, defer_build=True, populate_by_name=True)


class Growing(Model):
    """An object that newer writers may extend: what we do not know is kept."""

    model_config = ConfigDict(extra="allow")


class Metadata(Growing):
    """The part of an object's metadata that authors write."""

    name: str | None = None
    generateName: str | None = None
    namespace: str | None = None
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None
    finalizers: list[str] | None = None


class PodMetadata(Model):
    """Labels and annotations of the pods that are created."""

    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None


class LocalObjectReference(Model):
    """An object of the same namespace."""

    name: str | None = None


class KeySelector(Model):
    """One key of a ConfigMap or Secret of the same namespace."""

    key: str
    name: str | None = None
    optional: bool | None = None  # an absent object or key is no error


class LabelRequirement(Model):
    """One condition on labels."""

    key: str
    operator: str
    values: list[str] | None = None


class LabelSelector(Model):
    """Which objects are meant, by their labels."""

    matchLabels: dict[str, str] | None = None
    matchExpressions: list[LabelRequirement] | None = None


class NameValue(Model):
    """A named text."""

    name: str
    value: str | None = None
