"""The controller's ConfigMap, as a command finds it: where upstream installs it, then in its own namespace."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeVar

from runtime.api import Gone, Refused
from runtime.objects import CONFIGMAPS, Reference
from tiphys.cli.connect import Connection
from tiphys.cli.problems import InputError

if TYPE_CHECKING:
    from tiphys.configuration.keys import Configuration

CONFIG_MAP: Final = "workflow-controller-configmap"
USUAL_NAMESPACE: Final = "argo"

T = TypeVar("T")


async def said(at: Connection, meaning: Callable[[Configuration], T | None]) -> tuple[T, str] | None:
    """What the first ConfigMap means that means anything by it, and that one's namespace; None when none does.

    Raises InputError for a ConfigMap that cannot be understood."""
    from tiphys.configuration.problems import BadConfiguration  # noqa: PLC0415  (pydantic is slow to import)
    from tiphys.configuration.reading import configuration  # noqa: PLC0415

    for namespace in dict.fromkeys((USUAL_NAMESPACE, at.namespace)):
        try:
            thing = await at.api.get(Reference(CONFIGMAPS, namespace, CONFIG_MAP))
            found = meaning(configuration(thing.get("data") or {}))
        except (Gone, Refused):
            continue
        except BadConfiguration as error:
            raise InputError(*(f"ConfigMap {namespace}/{CONFIG_MAP}: {text}" for text in error.problems)) from error
        if found is not None:
            return found, namespace
    return None
