"""What a pod may know of itself: fieldRef and resourceFieldRef, in the environment and in files. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from runtime.objects import Object
from tiphys.devcluster.node.lifecycle import ADDRESS
from tiphys.devcluster.node.quantity import divide_up, parse_quantity

_SUBSCRIPT = re.compile(r"metadata\.(labels|annotations)\['([^']*)'\]\Z")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """A pod and the node it runs on."""

    pod: Object
    allocatable: Mapping[str, str] = field(default_factory=dict)


def field_value(around: Surroundings, path: str) -> str | None:
    """The value of a fieldPath; None when it is not one that Kubernetes offers."""
    meta, spec = around.pod["metadata"], around.pod.get("spec") or {}
    if match := _SUBSCRIPT.match(path):
        return str((meta.get(match.group(1)) or {}).get(match.group(2), ""))
    if path in ("metadata.labels", "metadata.annotations"):
        mapping: dict[str, str] = meta.get(path.rpartition(".")[2]) or {}
        return "\n".join(f"{key}={_quoted(value)}" for key, value in sorted(mapping.items()))
    simple = {
        "metadata.name": meta["name"],
        "metadata.namespace": meta.get("namespace", ""),
        "metadata.uid": meta.get("uid", ""),
        "spec.nodeName": spec.get("nodeName", ""),
        "spec.serviceAccountName": spec.get("serviceAccountName") or "default",
        "status.podIP": ADDRESS,
        "status.podIPs": ADDRESS,
        "status.hostIP": ADDRESS,
        "status.hostIPs": ADDRESS,
    }
    return simple.get(path)


def resource_value(around: Surroundings, ref: Object, own_name: str = "") -> str:
    """The value of a resourceFieldRef; without a limit or request, what the node can give."""
    name = ref.get("containerName") or own_name
    spec = around.pod.get("spec") or {}
    containers = [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]
    container: Object = next((c for c in containers if c["name"] == name), {})
    which, _, resource = ref["resource"].partition(".")
    resources = container.get("resources") or {}
    amount = (resources.get(which) or {}).get(resource)
    if amount is None and which == "requests":
        amount = (resources.get("limits") or {}).get(resource, "0")
    if amount is None:
        amount = around.allocatable.get(resource, "0")
    return str(divide_up(parse_quantity(amount), parse_quantity(ref.get("divisor") or "1")))


def _quoted(value: str) -> str:
    """A value as Go's %q writes it: the files of a downwardAPI volume quote labels and annotations so."""
    escapes = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
    return '"' + "".join(escapes.get(c) or (c if c.isprintable() else _escaped(c)) for c in value) + '"'


def _escaped(character: str) -> str:
    code = ord(character)
    if code < 0x80:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
