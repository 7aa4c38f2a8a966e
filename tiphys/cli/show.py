"""A workflow as text: a header of its facts and its tree, as `get` prints them.

Pure: the workflow, the time and what the screen can do come in; lines go out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from actors.names import labels
from runtime.objects import Object
from tiphys.cli import nodes as status
from tiphys.cli import nodeselector, table, tree
from tiphys.cli.screen import Screen
from tiphys.cli.tree import Row

LABEL_CELLS: Final = 20
TREE_HEAD: Final = ("STEP", "TEMPLATE", "PODNAME", "DURATION", "MESSAGE")
MORE_HEADS: Final = {"wide": ("ARTIFACTS", "RESOURCESDURATION", "NODENAME"), "short": ("NODENAME",)}
"""Further columns of the forms that have some (CLI-2); artifacts stand before the message."""


def workflow(
    thing: Object, now: float, screen: Screen, form: str = "", terms: Sequence[nodeselector.Term] = ()
) -> list[str]:
    """The header and, when there are nodes, the tree of a workflow; "wide" and "short" have further columns, and
    "short" has no header where there is a tree. With `terms`, only nodes that they pick have rows."""
    lines = header(thing, now, screen)
    nodes = status.nodes_of(thing)
    if nodes:
        drawn = [row for row in tree.rows(thing, now) if nodeselector.matches(nodes[row.key], terms)]
        lines = [] if form == "short" else [*lines, ""]
        more = [_more(nodes[row.key], form) for row in drawn] if form in MORE_HEADS else []
        lines += tree_lines(drawn, screen, more=[MORE_HEADS[form], *more] if more else ())
    return lines


def _more(node: status.Node, form: str) -> tuple[str, ...]:
    """The cells of the further columns."""
    host = tree.one_line(status.text(node, "hostNodeName"))
    if form == "short":
        return (host,)
    artifacts = _mapping(node.get("outputs")).get("artifacts")
    names = [str(_mapping(entry).get("name", "")) for entry in artifacts] if isinstance(artifacts, list) else []
    return tree.one_line(",".join(names)), _resources(node.get("resourcesDuration")), host


def header(thing: Object, now: float, screen: Screen) -> list[str]:
    """Name, status, times, parameters and outputs, one a line; what is absent has no line."""
    meta = _mapping(thing.get("metadata"))
    notes = _mapping(meta.get("annotations"))
    spec = _mapping(thing.get("spec"))
    state = status.status_of(thing)
    facts: list[tuple[str, str]] = [
        ("Name", status.text(meta, "name")),
        ("Title", status.text(notes, labels.TITLE)),
        ("Description", status.text(notes, labels.DESCRIPTION)),
        ("Namespace", status.text(meta, "namespace")),
        ("ServiceAccount", status.text(spec, "serviceAccountName") or _unset(spec)),
        ("Status", decorated_phase(thing)),
        ("Message", status.text(state, "message")),
        ("Created", status.text(meta, "creationTimestamp")),
        ("Started", status.text(state, "startedAt")),
        ("Finished", status.text(state, "finishedAt")),
        ("Duration", tree.took(state, now)),
        ("Progress", status.text(state, "progress")),
        ("ResourcesDuration", _resources(state.get("resourcesDuration"))),
    ]
    lines = [f"{label + ':':<{LABEL_CELLS}} {tree.one_line(value)}" for label, value in facts if value]
    lines += _list("Conditions", state.get("conditions"), "type", "status")
    lines += parameters(spec)
    outputs = _mapping(state.get("outputs"))
    lines += _list("Output Parameters", outputs.get("parameters"), "name", "value")
    lines += _list("Output Artifacts", outputs.get("artifacts"), "name", "")
    return [screen.plain(line) for line in lines]


def _unset(spec: Mapping[str, Any]) -> str:
    """What is said where no account is named: a template may name one, and else there is the namespace's."""
    return "unset" if spec.get("workflowTemplateRef") else "unset (will run with the default ServiceAccount)"


def parameters(spec: Mapping[str, Any]) -> list[str]:
    """The arguments of a spec, one a line below a title."""
    return _list("Parameters", _mapping(spec.get("arguments")).get("parameters"), "name", "value")


def decorated_phase(thing: Object) -> str:
    """The phase, with what people did to the workflow in brackets."""
    phase = status.phase_of(thing)
    spec = _mapping(thing.get("spec"))
    shutdown = status.text(spec, "shutdown")
    if shutdown and phase in ("", "Pending", "Running", "Failed"):
        return f"{phase or 'Pending'} ({'Terminated' if shutdown == 'Terminate' else 'Stopped'})"
    if phase in ("", "Pending", "Running"):
        waits = spec.get("suspend") is True or any(map(status.is_suspended, status.nodes_of(thing).values()))
        return f"{phase or 'Pending'}{' (Suspended)' if waits else ''}"
    return phase


def tree_lines(rows: Sequence[Row], screen: Screen, head: bool = True, more: Sequence[Sequence[str]] = ()) -> list[str]:
    """The rows of a tree as aligned columns; icons are painted last, so that colours do not disturb the widths.

    `more` are the further cells of the head and of each row."""
    cells: list[tuple[str, ...]] = [TREE_HEAD] if head else []
    cells += [(f"{row.indent}{row.icon} {row.name}", row.template, row.pod, row.duration, row.message) for row in rows]
    if more:
        cells = [
            (*cell[:-1], *further[:-2], cell[-1], *further[-2:]) for cell, further in zip(cells, more, strict=True)
        ]
    lines = table.aligned(cells)
    if screen.width:
        lines = [table.fit(line, screen.width) for line in lines]
    painted = [screen.plain(lines[0])] if head else []
    for row, line in zip(rows, lines[len(painted) :], strict=True):
        before = row.indent
        after = line[len(before) + len(row.icon) :]
        painted.append(screen.plain(before) + screen.icon(row.icon) + screen.plain(after))
    return painted


def _list(title: str, entries: Any, name: str, value: str) -> list[str]:
    known = [entry for entry in entries if isinstance(entry, Mapping)] if isinstance(entries, list) else []
    if not known:
        return []
    lines = [f"{title}:"]
    for entry in known:
        label = tree.one_line(str(entry.get(name, "")))
        shown = tree.one_line(str(entry.get(value, ""))) if value else ""
        lines.append(f"  {label + ':' if value else label:<{LABEL_CELLS - 2}} {shown}".rstrip())
    return lines


def _resources(durations: Any) -> str:
    return ", ".join(f"{seconds}s*{name}" for name, seconds in sorted(_mapping(durations).items(), key=str))


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
