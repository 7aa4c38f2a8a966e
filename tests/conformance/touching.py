"""What an example is about besides its order of steps: artifacts, volumes, other kinds of containers and templates."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from runtime.objects import Object

Json = Mapping[str, Any]


def _has_artifacts(holder: Json) -> bool:
    sections = [holder.get(field) or {} for field in ("inputs", "outputs", "arguments")]
    return bool(holder.get("artifactGC") or holder.get("archiveLocation") or holder.get("archiveLogs")) or any(
        section.get("artifacts") for section in sections
    )


def _has_volumes(holder: Json) -> bool:
    containers = [holder.get(kind) or {} for kind in ("container", "script", "containerSet")]
    fields = ("volumes", "volumeClaimTemplates", "volumeMounts")
    return any(part.get(field) for part in (holder, *containers) for field in fields)


SUBJECTS: Final[dict[str, Callable[[Json], bool]]] = {
    "artifacts": _has_artifacts,
    "containerSet": lambda template: "containerSet" in template,
    "data": lambda template: "data" in template,
    "http": lambda template: "http" in template,
    "sidecars": lambda template: bool(template.get("sidecars")),
    "daemons": lambda template: bool(template.get("daemon")),
    "volumes": _has_volumes,
}
"""What to look for, in a template, a call or a whole spec."""


def touched(things: list[Object]) -> list[str]:
    """The subjects that the workflows and definitions among some objects touch, in the order of SUBJECTS."""
    holders = [holder for thing in things if "argoproj.io" in thing["apiVersion"] for holder in _holders(thing)]
    return [name for name, touches in SUBJECTS.items() if any(map(touches, holders))]


def _holders(thing: Object) -> Iterator[Json]:
    spec = thing.get("spec") or {}
    spec = spec.get("workflowSpec") or spec
    yield spec
    pending = [*(spec.get("templates") or ()), spec.get("templateDefaults") or {}]
    while pending:
        template = pending.pop()
        yield template
        steps = [step for group in template.get("steps") or () for step in group]
        for call in [*steps, *((template.get("dag") or {}).get("tasks") or ())]:
            yield call
            pending += [call["inline"]] if call.get("inline") else []
