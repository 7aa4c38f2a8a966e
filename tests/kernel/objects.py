"""Objects that the kernel's tests write: it knows nothing of what is in them."""

from __future__ import annotations

from runtime.objects import Object


def configmap(name: str, **content: str) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": "default"},
        "data": content,
    }
