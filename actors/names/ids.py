"""Every node and every pod has one name, computed from where it stands in the workflow.

Retries, logs, artifact keys and resubmits find things by these names, so they must be upstream's to the letter:
FNV-1a of the node's full name, in decimal, behind the workflow's name.
"""

from __future__ import annotations

import re
from functools import lru_cache

POD_PREFIX_BYTES_MAX = 242  # 253 of a Kubernetes name, less ten digits of hash and the dash before them
_FNV_OFFSET, _FNV_PRIME, _MASK = 2166136261, 16777619, 0xFFFFFFFF
_CACHED = 2048  # names of what is at work; those of yesterday's workflows would only be memory that grows
_CHILD_SEPARATOR = re.compile(r"^(\[[0-9]+\])?\.")


def fnv1a(text: str) -> int:
    """Hash text with FNV-1a, 32 bits, over its UTF-8 bytes."""
    state = _FNV_OFFSET
    for byte in text.encode("utf-8", "surrogatepass"):
        state = ((state ^ byte) * _FNV_PRIME) & _MASK
    return state


@lru_cache(maxsize=_CACHED)
def node_id(workflow: str, node_name: str) -> str:
    """Name the entry of `status.nodes`: the workflow's own name for the root, else name and hash."""
    return workflow if node_name == workflow else f"{workflow}-{fnv1a(node_name)}"


@lru_cache(maxsize=_CACHED)
def pod_name(workflow: str, node_name: str, template_name: str) -> str:
    """Name the pod of a node (format v2); an inline template has an empty name and is left out."""
    if node_name == workflow:
        return workflow
    prefix = f"{workflow}-{template_name}" if template_name else workflow
    if 4 * len(prefix) > POD_PREFIX_BYTES_MAX:  # it may be too long: count bytes; a stray letter is cut whole
        prefix = prefix.encode("utf-8", "surrogatepass")[:POD_PREFIX_BYTES_MAX].decode(errors="ignore")
    return f"{prefix}-{fnv1a(node_name)}"


def step_group(parent: str, index: int) -> str:
    """Name the group at an outer index of a steps template."""
    return f"{parent}[{index}]"


def step(group: str, name: str) -> str:
    """Name a step inside its group."""
    return f"{group}.{name}"


def task(dag: str, name: str) -> str:
    """Name a task inside its DAG node."""
    return f"{dag}.{name}"


def item(name: str, index: int, description: str) -> str:
    """Name one iteration of a loop; the description loses its parentheses, the index keeps the name unique."""
    return f"{name}({index}:{description.replace('(', '').replace(')', '')})"


def attempt(name: str, number: int) -> str:
    """Name one attempt of a retried node, counted from 0."""
    return f"{name}({number})"


_ATTEMPT = re.compile(r"\(\d+\)$")
_CALL = re.compile(r"(?:\[\d+\])?\.[^.\[(]+(?:\(\d+:[^)]*\))?")
_HOOK = re.compile(r"(?:\(\d+\))?(\.onExit|\.hooks\.[^.\[(]+)")


def without_attempt(name: str) -> str:
    """The name of the retried node that a node is an attempt of; its own when it is none."""
    return _ATTEMPT.sub("", name)


def called_from(boundary: str, name: str) -> str:
    """Which direct call of a steps or dag node a node belongs to, by their names; empty: it is not inside.

    `w.A` for `w.A(0)[1].x` inside `w`; a hook counts as a call of its own: `w.A.onExit` for `w.A.onExit(1)`. The
    boundary's own hooks are not inside, its caller starts them."""
    call = _CALL.match(name, len(boundary)) if name.startswith(boundary) else None
    if call is None or _HOOK.match(name, len(boundary)):
        return ""
    hook = _HOOK.match(name, call.end())
    return name[: call.end()] + (hook[1] if hook else "")


def is_below(name: str, above: str) -> bool:
    """Whether a node is started by another one, or by one below that: its hooks are not, its caller starts them."""
    rest = name[len(above) :]
    hooked = _HOOK.match(rest) is not None and rest[0] == "." and not above.endswith("]")  # a group has none
    return name.startswith(above) and rest[:1] in {".", "[", "("} and not hooked


def container(pod: str, name: str) -> str:
    """Name a container's node inside the node of its container set."""
    return f"{pod}.{name}"


def hook(node: str, name: str) -> str:
    """Name the node a lifecycle hook runs."""
    return f"{node}.hooks.{name}"


def on_exit(node: str) -> str:
    """Name the exit handler of a node, or of the workflow when given the workflow's name."""
    return f"{node}.onExit"


def agent_pod(workflow: str) -> str:
    """Name the pod that works off a workflow's http and plugin nodes."""
    return f"{node_id(workflow, 'agent')}-agent"


def display_name(node_name: str, boundary_name: str) -> str:
    """Shorten a node's name to what people read: without its boundary, the group's index and the dot.

    The root, and a node without a boundary, keep their whole name: pass an empty boundary.
    """
    if not boundary_name:
        return node_name
    return _CHILD_SEPARATOR.sub("", node_name.removeprefix(boundary_name), count=1)
