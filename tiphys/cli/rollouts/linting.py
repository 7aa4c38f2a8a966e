"""What is wrong with Rollouts and analyses in files: the controller's own judgement, as far as the files tell. Pure.

What a Rollout refers to and is not among the files is not judged: it may be in the cluster.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import chain
from typing import Final, NamedTuple

from actors.analysis_checks import InvalidAnalysis, cannot_fail, check_metrics
from actors.analysis_templates import TemplateAbsent
from actors.rollout import needs, workload
from actors.rollout.model import Ro
from actors.rollout.scene import World
from actors.rollout.traffic.routers import ROUTERS
from actors.rollout.validation import spec
from actors.rollout.validation_references import referenced
from runtime.objects import Object, Reference, Resource

ANALYSES: Final = ("AnalysisTemplate", "ClusterAnalysisTemplate", "AnalysisRun")
KINDS: Final = ("Rollout", *ANALYSES)
ABSENT: Final = "not found"
ARGUMENT: Final = "{{"


class Wrong(NamedTuple):
    """One thing, where it stands, and whether the controller would refuse it."""

    message: str
    path: str
    serious: bool = True


def wrongs(thing: Object, together: Sequence[tuple[Resource, Object]]) -> Iterator[Wrong]:
    """Everything wrong with a Rollout or an analysis, next to the other objects of the files."""
    if thing["kind"] == "Rollout":
        yield from _rollout(thing, together)
    elif thing["kind"] in ANALYSES:
        yield from _analysis(thing)


def _rollout(thing: Object, together: Sequence[tuple[Resource, Object]]) -> Iterator[Wrong]:
    meta = {"namespace": "", "uid": "", "generation": 1, **thing["metadata"]}
    rollout = {**thing, "metadata": meta}
    known: dict[Reference, Object | None] = {}
    while missing := [ref for ref in needs.of(rollout, known, ROUTERS) if ref not in known]:
        known |= {ref: _among(ref, together) for ref in missing}
    try:
        ro = workload.resolve(World(rollout, known=known))
    except workload.Unresolved as error:
        ro = Ro(rollout)
        if ABSENT not in str(error):
            yield Wrong(str(error), "spec.workloadRef")
    with suppress(TemplateAbsent):  # what follows is about templates, too
        for unfit in chain(spec(ro), referenced(ro, known, ROUTERS)):
            if ABSENT not in unfit.text:
                yield Wrong(unfit.text, _written(ro, unfit.text.partition(": ")[0]))


def _among(ref: Reference, together: Sequence[tuple[Resource, Object]]) -> Object | None:
    """An object of the files; one without a namespace is in the Rollout's."""
    for resource, thing in together:
        meta = thing["metadata"]
        namespace = meta.get("namespace") or ref.namespace
        kind = resource.group, resource.kind  # two meshes have a VirtualService
        if (*kind, meta.get("name"), namespace) == (ref.resource.group, ref.resource.kind, ref.name, ref.namespace):
            return {**thing, "metadata": {"namespace": ref.namespace, "uid": "", "generation": 1, **meta}}
    return None


def _written(ro: Ro, path: str) -> str:
    """The path where the field stands: upstream's sentences leave the strategy's name out."""
    head, dot, rest = path.partition("spec.strategy.")
    if head or not dot or rest.startswith(("canary", "blueGreen")):
        return path
    return f"spec.strategy.{'blueGreen' if ro.blue_green is not None else 'canary'}.{rest}"


def _analysis(thing: Object) -> Iterator[Wrong]:
    metrics = (thing.get("spec") or {}).get("metrics") or []
    whole = [metric for metric in metrics if ARGUMENT not in repr(metric)]  # the others are judged with their arguments
    try:
        if whole:
            check_metrics(whole)
    except InvalidAnalysis as error:
        yield Wrong(str(error), "spec.metrics")
        return
    for index, metric in enumerate(metrics):
        if metric in whole and cannot_fail(metric):
            name = metric.get("name")
            yield Wrong(f"metric {name} cannot fail: {why_it_cannot_fail(metric)}", f"spec.metrics[{index}]", False)


def why_it_cannot_fail(metric: Object) -> str:
    """What would have to change for a metric to stop anything."""
    if not metric.get("successCondition") and not metric.get("failureCondition"):
        return "it has neither successCondition nor failureCondition, so every measurement succeeds"
    return f"failureLimit {metric.get('failureLimit')} forgives as many failures as there are measurements"
