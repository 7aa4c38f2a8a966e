"""Which ConfigMaps a workflow may use: those that their owner has labelled for it. (KIND-9)

The controller reads and writes them with its own rights, so without the label a workflow could see and change what its
author may not.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from actors.names import labels

UNLABELLED: Final[Mapping[str, str]] = MappingProxyType({})
"""What a ConfigMap offers that nobody has labelled."""


def parameters_in(config_map: Mapping[str, Any]) -> Mapping[str, str]:
    """What a ConfigMap offers as parameters."""
    allowed = _type_of(config_map) == labels.CONFIGMAP_TYPE_PARAMETER
    return (config_map.get("data") or {}) if allowed else UNLABELLED


def is_cache(config_map: Mapping[str, Any]) -> bool:
    """Whether remembered results may be kept in it."""
    return _type_of(config_map) == labels.CONFIGMAP_TYPE_CACHE


def lacking(name: Any, key: Any, offered: Mapping[str, str] | None) -> str:
    """Why there is no value in a ConfigMap; `offered` is None when it does not exist."""
    label = f"label {labels.CONFIGMAP_TYPE}: {labels.CONFIGMAP_TYPE_PARAMETER}"
    if offered is UNLABELLED:
        return f"ConfigMap '{name}' does not have the {label}, which makes it a source of parameters"
    if offered is None:
        remedy = f"Please make sure it has the {label} to be detectable by the controller"
        return f"ConfigMap '{name}' does not exist. {remedy}"
    return f"ConfigMap '{name}' does not have the key '{key}'"


def _type_of(config_map: Mapping[str, Any]) -> str:
    return str(((config_map.get("metadata") or {}).get("labels") or {}).get(labels.CONFIGMAP_TYPE) or "")
