"""The objects that a Rollout refers to: all of them are known before anything is decided."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from actors.analysis_templates import TemplateRef, references, unread
from actors.rollout.model import Ro
from actors.rollout.runs import template_reference
from actors.rollout.traffic.protocol import Router
from actors.rollout.traffic.routers import routers_of
from actors.rollout.wire import ANALYSIS_TEMPLATES, CLUSTER_TEMPLATES
from actors.rollout.workload import reference_of
from runtime.objects import SERVICES, Object, Reference


class Analysis(NamedTuple):
    """An analysis of a Rollout, and where it stands."""

    path: str
    spec: Object
    is_background: bool = False


def services(ro: Ro) -> Iterator[tuple[str, str]]:
    """The Services that it names: path of the field, and name; in upstream's order."""
    if ro.blue_green is not None:
        for field in ("activeService", "previewService"):
            if ro.blue_green.get(field):
                yield f"spec.strategy.blueGreen.{field}", ro.blue_green[field]
        return
    canary = ro.canary or {}
    for field in ("stableService", "canaryService"):
        if canary.get(field):
            yield f"spec.strategy.canary.{field}", canary[field]
    for field in ("pingService", "pongService"):
        if (canary.get("pingPong") or {}).get(field):
            yield f"spec.strategy.canary.pingPong.{field}", canary["pingPong"][field]


def analyses(ro: Ro) -> Iterator[Analysis]:
    """Its analyses, in upstream's order."""
    if ro.blue_green is not None:
        for field in ("prePromotionAnalysis", "postPromotionAnalysis"):
            if ro.blue_green.get(field) is not None:
                yield Analysis(f"spec.strategy.blueGreen.{field}.templates", ro.blue_green[field])
        return
    for index, step in enumerate(ro.steps):
        if step.get("analysis") is not None:
            yield Analysis(f"spec.strategy.canary.steps[{index}].analysis.templates", step["analysis"])
    background = (ro.canary or {}).get("analysis")
    if background is not None:
        yield Analysis("spec.strategy.canary.analysis.templates", background, is_background=True)


def of(
    rollout: Object, known: Mapping[Reference, Object | None], routers: Mapping[str, Router]
) -> dict[Reference, None]:
    """All references, those of templates as far as templates are known; ordered, each once."""
    ro = Ro(rollout)
    found: dict[Reference, None] = {}
    workload = reference_of(rollout)
    if workload is not None:
        found[workload] = None
    for _, name in services(ro):
        found[Reference(SERVICES, ro.namespace, name)] = None
    templates = {
        TemplateRef(ref.name, not ref.resource.namespaced): thing
        for ref, thing in known.items()
        if ref.resource in (ANALYSIS_TEMPLATES, CLUSTER_TEMPLATES)
    }
    wanted = [ref for analysis in analyses(ro) for ref in references(analysis.spec.get("templates"))]
    for ref in (*_reached(wanted, templates), *unread(wanted, templates)):
        found[template_reference(ref, ro.namespace)] = None
    for router in routers_of(ro, routers):
        found |= dict.fromkeys((*router.needs(ro), *router.follows(ro, known)))
    return found


def _reached(wanted: list[TemplateRef], templates: Mapping[TemplateRef, Object | None]) -> Iterator[TemplateRef]:
    """The templates that are known and in use."""
    seen: set[TemplateRef] = set()
    pending = list(wanted)
    while pending:
        ref = pending.pop()
        if ref in seen or ref not in templates:
            continue
        seen.add(ref)
        yield ref
        pending += references(((templates[ref] or {}).get("spec") or {}).get("templates"))
