"""A Rollout or an Experiment as lines of text: a head of facts, an empty line, and the tree. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from actors.names.timestamps import seconds
from runtime.objects import Object
from tiphys.cli import table
from tiphys.cli.rollouts import facts, rows
from tiphys.cli.rollouts.objects import Member, Revision, number
from tiphys.cli.screen import Screen
from tiphys.cli.selection import age
from tiphys.cli.tree import duration

LABEL_CELLS = 17


def rollout(thing: Object, found: Sequence[Revision], now: float, screen: Screen) -> list[str]:
    """What `get` shows of a Rollout."""
    return [*_head(thing, found, screen), "", *_tree(rows.rollout(thing, found, now), screen)]


def experiment(member: Member, now: float, screen: Screen) -> list[str]:
    """What `get experiment` shows."""
    meta, status = member.object["metadata"], member.object.get("status") or {}
    phase = str(status.get("phase") or "Pending")
    lines = [
        _fact("Name:", meta["name"]),
        _fact("Namespace:", meta.get("namespace", "")),
        _fact("Status:", _state(phase, screen)),
    ]
    if status.get("message"):
        lines.append(_fact("Message:", str(status["message"])))
    for at, image in enumerate(dict.fromkeys(image for one in member.sets for image in facts.images_of(one.object))):
        lines.append(_fact("Images:" if at == 0 else "", image))
    return [*lines, "", *_tree(rows.experiment(member, now), screen)]


def listing(things: Sequence[Object], *, everywhere: bool) -> list[str]:
    """Rollouts as a table."""
    head = ["NAME", "STRATEGY", "STATUS", "STEP", "SET-WEIGHT", "READY", "DESIRED", "UP-TO-DATE", "AVAILABLE"]
    body = []
    for thing in things:
        canary = facts.strategy(thing) == "Canary"
        ready, replicas = number(thing, "status", "readyReplicas"), number(thing, "status", "replicas")
        row = [
            thing["metadata"]["name"], facts.strategy(thing), facts.phase(thing).name,
            (facts.step(thing) or "-") if canary else "-", str(facts.wanted_weight(thing)) if canary else "-",
            f"{ready}/{replicas}", str(desired(thing)),
            str(number(thing, "status", "updatedReplicas")), str(number(thing, "status", "availableReplicas")),
        ]  # fmt: skip
        body.append([thing["metadata"].get("namespace", ""), *row] if everywhere else row)
    return table.aligned([(["NAMESPACE"] if everywhere else []) + head, *body])


def experiments(things: Sequence[Object], now: float, *, everywhere: bool) -> list[str]:
    """Experiments as a table."""
    body = []
    for thing in things:
        meta, status = thing["metadata"], thing.get("status") or {}
        length_s = facts.duration_s(thing)
        since = status.get("availableAt") if status.get("phase") == "Running" else None
        left = "-" if length_s is None or not since else duration(max(0.0, seconds(since) + length_s - now))
        row = [
            meta["name"], str(status.get("phase") or "Pending"), "-" if length_s is None else duration(length_s), left,
            age(meta.get("creationTimestamp"), now),
        ]  # fmt: skip
        body.append([meta.get("namespace", ""), *row] if everywhere else row)
    head = ["NAME", "STATUS", "DURATION", "REMAINING", "AGE"]
    return table.aligned([(["NAMESPACE"] if everywhere else []) + head, *body])


def desired(thing: Object) -> int:
    """How many pods the spec asks for."""
    return number(thing, "spec", "replicas") if "replicas" in (thing.get("spec") or {}) else 1


def _head(thing: Object, found: Sequence[Revision], screen: Screen) -> list[str]:
    meta, phase = thing["metadata"], facts.phase(thing)
    lines = [
        _fact("Name:", meta["name"]),
        _fact("Namespace:", meta.get("namespace", "")),
        _fact("Status:", _state(phase.name, screen)),
    ]
    if phase.message:
        lines.append(_fact("Message:", phase.message))
    lines.append(_fact("Strategy:", facts.strategy(thing)))
    if facts.strategy(thing) == "Canary":
        lines += _canary(thing, found)
    for at, image in enumerate(facts.images(thing, found)):
        told = f" ({', '.join(image.roles)})" if image.roles else ""
        lines.append(_fact("Images:" if at == 0 else "", screen.plain(image.name + told)))
    lines.append("Replicas:")
    lines.append(_fact("  Desired:", str(desired(thing))))
    counts = (("Current", "replicas"), ("Updated", "updatedReplicas"), ("Ready", "readyReplicas"))
    for label, name in (*counts, ("Available", "availableReplicas")):
        lines.append(_fact(f"  {label}:", str(number(thing, "status", name))))
    return lines


def _canary(thing: Object, found: Sequence[Revision]) -> list[str]:
    canaries = [one.object for revision in found for one in revision.sets if "canary" in facts.roles(thing, one.object)]
    weights = facts.weights(thing, sum(number(one, "status", "availableReplicas") for one in canaries))
    step = facts.step(thing)
    lines = [_fact("  Step:", step)] if step else []
    return [*lines, _fact("  SetWeight:", str(weights.wanted)), _fact("  ActualWeight:", str(weights.actual))]


def _state(phase: str, screen: Screen) -> str:
    return f"{screen.icon(rows.PHASES.get(phase, rows.UNKNOWN))} {phase}"


def _fact(label: str, value: str) -> str:
    return f"{label:<{LABEL_CELLS}}{value}".rstrip()


def _tree(drawn: Sequence[rows.Row], screen: Screen) -> list[str]:
    cells = [["NAME", "KIND", "STATUS", "AGE", "INFO"]]
    for row in drawn:
        status = f"{row.icon} {row.status}".strip()
        cells.append([f"{row.prefix}{row.mark} {row.name}", row.kind, status, row.age, row.info])
    lines = [screen.plain(line) for line in table.aligned(cells)]
    for at, row in enumerate(drawn, 1):
        icon = screen.plain(row.icon)
        if icon and screen.colour:
            lines[at] = lines[at].replace(f" {icon} {row.status}", f" {screen.icon(row.icon)} {row.status}", 1)
    return lines
