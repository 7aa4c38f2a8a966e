"""What users write: the kinds of `argoproj.io/v1alpha1`, as models, as manifests, and as a judge of what was written.

Importing this package costs nothing. `check` and `manifests` read one generated file (`shapes.json`) and never import
pydantic; `model` builds the pydantic models of a kind on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

from crds.kinds import API_VERSION, GROUP, KINDS, VERSION, Kind

if TYPE_CHECKING:
    from crds.meta import Model

__all__ = ["API_VERSION", "GROUP", "KINDS", "VERSION", "Kind", "manifests", "model"]


def model(kind: str) -> type[Model]:
    """The pydantic model of a kind; raises KeyError for a kind that is not ours."""
    return cast("type[Model]", getattr(import_module(KINDS[kind].module), kind))


def manifests(*, descriptions: bool = False) -> list[dict[str, Any]]:
    """The CustomResourceDefinitions of all kinds, without or with descriptions of their fields.

    Made anew for each caller, in a millisecond; equal parts of the schemas are one object, so copy before a change.
    """
    from crds.shapes import load  # noqa: PLC0415  orjson waits until it is needed
    from crds.structural import definitions  # noqa: PLC0415

    return definitions(load(), descriptions=descriptions)
