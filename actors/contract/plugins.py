"""What the container of an executor plugin has to say of itself before it may stand beside an agent.

Upstream's rules, in its words: one that asks for nothing in particular would take what the agent needs. (AGENT-6)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def unfit(container: Mapping[str, Any]) -> str:
    """What it does not say; else empty."""
    resources: Mapping[str, Any] = container.get("resources") or {}
    if not container.get("ports"):
        return "at least one port is mandatory"
    for field in ("requests", "limits"):
        if resources.get(field) is None:
            return f"resources {field} are mandatory"
    return "security context is mandatory" if container.get("securityContext") is None else ""


def unfit_plugin(plugin: Mapping[str, Any]) -> str:
    """What the definition of a plugin in a workflow does not say; else empty."""
    if not (plugin.get("metadata") or {}).get("name"):
        return "executor plugin metadata name is mandatory"
    return unfit(((plugin.get("spec") or {}).get("sidecar") or {}).get("container") or {})
