"""A workflow is shown as a tree: one row a node, with icon, name, template, pod, duration and message.

Pure: a workflow and a time in, rows out. Step groups, and retries that tried once, have no row of their own; what they
contain stands in their place. Rendering never fails, whatever the status holds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from actors.names import ids, timestamps
from runtime.objects import Object
from tiphys.cli import nodes as status
from tiphys.cli.nodes import Node

ICONS: Final = {
    "Succeeded": "✔",
    "Failed": "✖",
    "Error": "⚠",
    "Skipped": "○",
    "Omitted": "○",
    "Pending": "◷",
    "Running": "●",
    "Suspended": "ǁ",
    "": "◷",
}
PLAIN_ICONS: Final = {
    "✔": "+", "✖": "x", "⚠": "!", "○": "o", "◷": ".", "●": "*", "ǁ": "=",
    "◌": "~", "॥": "=", "•": "-", "⟳": "@", "⧉": "%", "□": "o", "Σ": "E", "α": "a", "⊞": "j",
}  # fmt: skip
COLOURS: Final = {
    "✔": "green", "✖": "red", "⚠": "red", "○": "bright_black", "◷": "yellow", "●": "cyan", "ǁ": "yellow",
    "◌": "cyan", "॥": "yellow", "•": "bright_black", "?": "yellow",
}  # fmt: skip
PLAIN_LINES: Final = {"├": "|", "─": "-", "│": "|", "└": "`", "┬": "-"}
DEPTH_MAX: Final = 200
"""What is deeper is not drawn: a workflow that calls itself must not exhaust Python's stack."""


class Row(NamedTuple):
    """One line of the tree. `indent` are the lines drawn before the name."""

    key: str  # the node's id
    icon: str
    indent: str
    name: str
    template: str
    pod: str
    duration: str
    message: str


def icon(node: Node) -> str:
    """The icon of a node's phase; a question mark for a phase that nobody knows."""
    if status.is_suspended(node):
        return ICONS["Suspended"]
    return ICONS.get(status.text(node, "phase"), "?")


def duration(seconds: float) -> str:
    """A length of time as a person says it: 4s, 1m30s, 2h5m, 3d4h."""
    whole = max(0, int(seconds))
    days, rest = divmod(whole, 86_400)
    hours, rest = divmod(rest, 3_600)
    minutes, rest = divmod(rest, 60)
    if days:
        return f"{days}d{hours}h"
    if hours:
        return f"{hours}h{minutes}m"
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"


def took(thing: Node, now: float) -> str:
    """How long a node or a workflow's status has run, until `now` while it does; "" before it began."""
    started = _seconds(status.text(thing, "startedAt"))
    if started is None:
        return ""
    ended = _seconds(status.text(thing, "finishedAt"))
    return duration((now if ended is None else ended) - started)


def rows(workflow: Object, now: float) -> list[Row]:
    """The tree of a workflow, top to bottom."""
    found = status.nodes_of(workflow)
    inside = status.contained(found)
    lines: list[Row] = []
    for root in inside.get("", ()):
        picture = _Picture(workflow, found, inside, now)
        lines += _below(picture, _without_wrapping(picture, root), "", "", 0)
    return lines


class _Picture(NamedTuple):
    """What all rows of one drawing share."""

    workflow: Object
    nodes: Mapping[str, Node]
    inside: Mapping[str, list[str]]
    now: float


def _below(picture: _Picture, key: str, lead: str, bar: str, depth: int) -> Iterator[Row]:
    """A node's row and those inside it; `lead` is drawn before its name, `bar` before the rows below it."""
    yield _row(picture, key, lead)
    if depth >= DEPTH_MAX:
        return
    groups = list(_shown(picture, key))
    for at, (in_steps, group) in enumerate(groups):
        last_group = at == len(groups) - 1
        for index, child in enumerate(group):
            last = index == len(group) - 1
            branch = ("└─" if last_group else "├─") if index == 0 else ("  " if last_group else "│ ")
            trunk = "  " if last_group else "│ "
            if in_steps:
                branch += ("──" if last else "┬─") if index == 0 else ("└─" if last else "├─")
                trunk += "  " if last else "│ "
            yield from _below(picture, child, bar + branch, bar + trunk, depth + 1)


def _shown(picture: _Picture, key: str) -> Iterator[tuple[bool, list[str]]]:
    """What stands below a node, in groups that ran one after another: the steps of a step group, else one node."""
    for child in picture.inside.get(key, ()):
        if status.text(picture.nodes[child], "type") == "StepGroup":
            steps = [_without_wrapping(picture, step) for step in picture.inside.get(child, ())]
            if steps:
                yield True, steps
        else:
            yield False, [_without_wrapping(picture, child)]


def _without_wrapping(picture: _Picture, key: str) -> str:
    """The one attempt of a retry that tried once; any other node is itself."""
    attempts = picture.inside.get(key, ())
    if status.text(picture.nodes[key], "type") == "Retry" and len(attempts) == 1:
        return attempts[0]
    return key


def _row(picture: _Picture, key: str, indent: str) -> Row:
    node = picture.nodes[key]
    return Row(
        key=key,
        icon=icon(node),
        indent=indent,
        name=one_line(status.display(node)),
        template=one_line(template_of(node)),
        pod=pod_of(picture.workflow, node) if status.text(node, "type") == "Pod" else "",
        duration=took(node, picture.now),
        message=one_line(status.text(node, "message")),
    )


def template_of(node: Node) -> str:
    """The template a node runs: its own workflow's, or `other/template` by reference."""
    ref = node.get("templateRef")
    if isinstance(ref, Mapping):
        return f"{status.text(ref, 'name')}/{status.text(ref, 'template')}"
    return status.text(node, "templateName")


def pod_of(workflow: Object, node: Node) -> str:
    """The name of a Pod node's pod."""
    meta = workflow.get("metadata")
    name = status.text(meta, "name") if isinstance(meta, Mapping) else ""
    ref = node.get("templateRef")
    template = status.text(ref, "template") if isinstance(ref, Mapping) else status.text(node, "templateName")
    try:
        return one_line(ids.pod_name(name, status.text(node, "name"), template))
    except UnicodeError:  # a lone surrogate in a name that is cut: no pod can be called so
        return ""


def one_line(text: str) -> str:
    """A text that stays on its row: control characters become visible, line breaks become spaces."""
    return "".join(c if c.isprintable() else " " if c.isspace() else "\N{REPLACEMENT CHARACTER}" for c in text).strip()


def _seconds(text: str) -> float | None:
    try:
        return timestamps.seconds(text)
    except ValueError:
        return None
