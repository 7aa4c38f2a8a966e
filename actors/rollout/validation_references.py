"""Are the objects that a Rollout refers to there, and fit for it? In upstream's order and words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from actors.analysis_arguments import ArgumentError, rollout_arguments
from actors.analysis_templates import (
    RunRequest,
    TemplateAbsent,
    TemplateError,
    TemplateRef,
    blocking_problems,
    gathered,
    new_run,
    references,
    unsupplied_arguments,
)
from actors.rollout import wire
from actors.rollout.invalid import Unfit, internal, invalid
from actors.rollout.model import Ro
from actors.rollout.needs import Analysis, analyses, services
from actors.rollout.traffic.protocol import HEADER, MIRROR, Objects, Router
from actors.rollout.traffic.routers import routers_of, table, unknown_routers
from runtime.objects import SERVICES, Object, Reference

ROUTING = "spec.strategy.canary.trafficRouting"


def referenced(ro: Ro, known: Objects, routers: Mapping[str, Router]) -> Iterator[Unfit]:
    """What is wrong with objects that the Rollout names."""
    yield from _absent_services(ro, known)
    templates = {
        TemplateRef(ref.name, not ref.resource.namespaced): thing
        for ref, thing in known.items()
        if ref.resource in (wire.ANALYSIS_TEMPLATES, wire.CLUSTER_TEMPLATES)
    }
    for analysis in analyses(ro):
        yield from _absent_template(analysis, templates)
    yield from _routing(ro, known, routers)
    yield from _unfit_services(ro, known)
    for analysis in analyses(ro):
        yield from _unfit_templates(ro, analysis, templates)


def _service(ro: Ro, known: Objects, name: str) -> Object | None:
    return known.get(Reference(SERVICES, ro.namespace, name))


def _absent_services(ro: Ro, known: Objects) -> Iterator[Unfit]:
    for path, name in services(ro):
        if _service(ro, known, name) is None:
            yield invalid(path, name, f'service "{name}" not found')


def _unfit_services(ro: Ro, known: Objects) -> Iterator[Unfit]:
    """A Service selects pods of this Rollout, and no other Rollout manages it."""
    labels = (ro.template.get("metadata") or {}).get("labels") or {}
    for path, name in services(ro):
        service = _service(ro, known, name) or {}
        for key, value in ((service.get("spec") or {}).get("selector") or {}).items():
            if key != wire.HASH and labels.get(key) != value:
                yield invalid(path, name, f'Service "{name}" has unmatch label "{key}" in rollout')
        manager = ((service.get("metadata") or {}).get("annotations") or {}).get(wire.MANAGED_BY)
        if manager is not None and manager != ro.name:
            yield invalid(path, name, f'Service "{name}" is managed by another Rollout')


def _absent_template(analysis: Analysis, templates: Mapping[TemplateRef, Object | None]) -> Iterator[Unfit]:
    try:
        gathered(references(analysis.spec.get("templates")), templates)
    except TemplateAbsent as error:
        kind = "ClusterAnalysisTemplate" if error.ref.cluster else "AnalysisTemplate"
        named = error.ref in references(analysis.spec.get("templates"))
        path = analysis.path if named else "spec.templates"
        yield invalid(path, error.ref.name, f"{kind} '{error.ref.name}' not found")


def _unfit_templates(ro: Ro, analysis: Analysis, templates: Mapping[TemplateRef, Object | None]) -> Iterator[Unfit]:
    found = gathered(references(analysis.spec.get("templates")), templates)
    names = " ".join(template["metadata"]["name"] for template in found)
    try:
        request = RunRequest("", "", _arguments(ro, analysis.spec.get("args") or ()))
        new_run(found, request)
        rules = RunRequest(
            "", "", request.args, analysis.spec.get("dryRun") or (), analysis.spec.get("measurementRetention") or ()
        )
        new_run(found, rules)
    except (TemplateError, ArgumentError) as error:
        yield invalid(analysis.path, f"templateNames: [{names}]", str(error))
        return
    for template in found:
        name = template["metadata"]["name"]
        if not analysis.is_background:
            for problem in blocking_problems(template):
                yield invalid(analysis.path, name, problem)
        elif "args" not in analysis.spec and unsupplied_arguments(template, ()):
            yield invalid(analysis.path, name, "missing analysis arguments in rollout spec")
        else:
            for argument in unsupplied_arguments(template, analysis.spec.get("args") or ()):
                yield invalid(analysis.path, name, argument)


def _arguments(ro: Ro, arguments: Any) -> list[Object]:
    """The arguments as they would be passed; what has no value yet is empty, which is no fault before the run.

    A path into the metadata that can never have one takes all arguments with it, as upstream's judgement has it."""
    done: list[Object] = []
    for argument in arguments:
        try:
            done += rollout_arguments(
                [argument], ro.object, stable_hash="dummy-stable-hash", latest_hash="dummy-new-hash"
            )
        except ArgumentError:
            if argument["valueFrom"]["fieldRef"]["fieldPath"].startswith("metadata"):
                return []
            done.append({"name": argument["name"], "value": ""})
    return done


def _routing(ro: Ro, known: Objects, routers: Mapping[str, Router]) -> Iterator[Unfit]:
    """Routers that are there can do the steps, and find their objects fit."""
    if ro.routing is None:
        return
    for key in unknown_routers(ro, routers):
        yield internal(f"{ROUTING}.{key}", f"this controller has no router {key}; it has {table(routers)}")
    named = routers_of(ro, routers)
    for index, step in enumerate(ro.steps):
        for field, ability in (("setHeaderRoute", HEADER), ("setMirrorRoute", MIRROR)):
            able = any(ability in router.abilities for router in named)
            if step.get(field) is not None and named and not able:
                text = f"{named[0].title} cannot do {ability}: {table(routers)}"
                yield invalid(f"spec.strategy.steps[{index}].{field}", step[field], text)
    for router in named:
        for fault in router.check(ro, known):
            if fault.value is None and fault.is_internal:
                yield internal(fault.path, fault.message)
            else:
                yield invalid(fault.path, fault.value, fault.message)
