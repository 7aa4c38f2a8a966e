"""The verbs on Rollouts that are in a cluster; each prints what upstream's plugin prints and returns the exit code."""

from __future__ import annotations

import sys
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from typing import Any, TypeAlias

import anyio

from runtime.api import Api, Conflict, Gone, Selection
from runtime.objects import PODS, Object, Reference, Resource
from tiphys.cli import results
from tiphys.cli.connect import Connection
from tiphys.cli.follow import changes
from tiphys.cli.problems import EXIT_FAILED, EXIT_SUCCEEDED, InputError
from tiphys.cli.rollouts import facts, show, templates
from tiphys.cli.rollouts.actions import Patch
from tiphys.cli.rollouts.objects import (
    ANALYSIS_RUNS,
    EXPERIMENTS,
    REPLICA_SETS,
    ROLLOUTS,
    Around,
    experiment,
    part,
    revisions,
)
from tiphys.cli.screen import Screen

REDRAW_S = 1.0
TRIES = 5

WORKLOADS = {
    "Deployment": Resource("apps/v1", "Deployment", "deployments"),
    "ReplicaSet": REPLICA_SETS,
    "PodTemplate": Resource("v1", "PodTemplate", "podtemplates"),
}

Decide: TypeAlias = Callable[[Object], list[Patch]]
Doubt: TypeAlias = Callable[[Object], str]
"""Why something will change nothing; empty when it will."""


def no_doubt(thing: Object) -> str:
    """It will change something."""
    del thing
    return ""


async def around(api: Api, namespace: str) -> Around:
    """Everything of a namespace that may belong to a Rollout."""
    here = Selection(namespace)
    lists = [(await _items(api, resource, here)) for resource in (REPLICA_SETS, PODS, EXPERIMENTS, ANALYSIS_RUNS)]
    return Around(*lists)


async def _items(api: Api, resource: Resource, selection: Selection) -> list[Object]:
    return (await api.list(resource, selection)).items


async def get(at: Connection, ref: Reference, form: str, screen: Screen, *, watch: bool = False) -> int:
    """Print a Rollout or an Experiment with all that belongs to it; `watch`: again when something changed."""
    thing = await at.api.get(ref)
    if form:
        results.write([thing], form, sys.stdout)
        return EXIT_SUCCEEDED
    last: list[str] = []
    while True:
        lines = await picture(at.api, ref, screen)
        if lines != last:
            _redraw(lines, len(last), screen)
            last = lines
        if not watch:
            return EXIT_SUCCEEDED
        await anyio.sleep(REDRAW_S)


async def picture(api: Api, ref: Reference, screen: Screen) -> list[str]:
    """A Rollout or an Experiment as lines, as it is now. Raises Gone."""
    thing = await api.get(ref)
    beside = await around(api, ref.namespace)
    if ref.resource == EXPERIMENTS:
        return show.experiment(experiment(thing, beside), time.time(), screen)
    return show.rollout(thing, revisions(thing, beside), time.time(), screen)


def _redraw(lines: Sequence[str], above: int, screen: Screen) -> None:
    if above and screen.live:
        sys.stdout.write(f"\x1b[{above}A\x1b[J")
    elif above:
        sys.stdout.write("\n")
    print("\n".join(lines), flush=True)


async def list_(at: Connection, resource: Resource, form: str, *, everywhere: bool, name: str = "") -> int:
    """Print the Rollouts (or Experiments) of the namespace, or of all, as a table."""
    found = await _items(at.api, resource, Selection(None if everywhere else at.namespace))
    chosen = [thing for thing in found if not name or thing["metadata"]["name"] == name]
    if form:
        results.write(chosen, form, sys.stdout)
    elif chosen and resource == EXPERIMENTS:
        print("\n".join(show.experiments(chosen, time.time(), everywhere=everywhere)))
    elif chosen:
        print("\n".join(show.listing(chosen, everywhere=everywhere)))
    else:
        print("No resources found." if everywhere else f"No resources found in {at.namespace} namespace.")
    return EXIT_SUCCEEDED


async def status(at: Connection, ref: Reference, *, watch: bool, limit_s: float) -> int:
    """Print phase and message as they change, until Healthy (0) or Degraded (1). Raises InputError at the limit."""
    told: facts.Phase | None = None
    with anyio.move_on_after(limit_s or None):
        async with aclosing(states(at.api, ref)) as seen:
            async for thing in seen:
                phase = facts.phase(thing)
                if phase != told:
                    print(" - ".join(word for word in phase if word), flush=True)
                    told = phase
                if phase.name == "Degraded":
                    print(f"The rollout is in a degraded state with message: {phase.message}", file=sys.stderr)
                    return EXIT_FAILED
                if phase.name == "Healthy" or not watch:
                    return EXIT_SUCCEEDED
    raise InputError("Rollout status watch exceeded timeout")


async def states(api: Api, ref: Reference) -> AsyncGenerator[Object]:
    """An object as it is, then as it changes. Raises Gone when it is not there, or goes."""
    yield await api.get(ref)
    selection = Selection(ref.namespace, fields=f"metadata.name={ref.name}")
    async with aclosing(changes(api, ref.resource, selection)) as seen:
        async for event in seen:
            if event.type == "DELETED":
                raise Gone(f'{ref.resource.plural}.argoproj.io "{ref.name}" was deleted')
            yield event.object


async def act(
    at: Connection, refs: Sequence[Reference], decide: Decide, said: Callable[[str], str], doubt: Doubt = no_doubt
) -> int:
    """Apply a decision to each and say so; on standard error, why it will change nothing."""
    for ref in refs:
        thing = await at.api.get(ref)
        for patch in decide(thing):
            await _patch(at.api, ref, patch)
        print(said(ref.name), flush=True)
        if why := doubt(thing):
            print(f"note: {ref.name}: {why}", file=sys.stderr)
    return EXIT_SUCCEEDED


async def _patch(api: Api, ref: Reference, patch: Patch) -> None:
    try:
        await api.patch(ref, patch.body, subresource="status" if patch.status else "")
    except Gone:
        if not patch.status:
            raise
        await api.patch(ref, patch.body)  # a definition without the subresource keeps status with the rest


async def set_image(at: Connection, name: str, wishes: Sequence[templates.ImageWish]) -> int:
    """Give containers other images, in the Rollout or in the workload that it refers to."""
    holder = await _holder(at, name)
    await _replaced(at.api, holder, lambda thing: templates.with_images(thing, wishes))
    print(f'rollout "{name}" image updated')
    return EXIT_SUCCEEDED


async def undo(at: Connection, name: str, revision: int) -> int:
    """Take the template of an earlier revision again."""
    rollout = await at.api.get(Reference(ROLLOUTS, at.namespace, name))
    holder = await _holder(at, name)
    template = part(await at.api.get(holder), "spec", "template")
    sets = await _items(at.api, REPLICA_SETS, Selection(at.namespace))
    wanted = templates.undo(rollout, template, sets, revision)
    if wanted.template is None:
        print(f"rollout '{name}' {wanted.why}")
        return EXIT_SUCCEEDED
    await at.api.patch(holder, [{"op": "replace", "path": "/spec/template", "value": wanted.template}], kind="json")
    print(f"rollout '{name}' undo")
    return EXIT_SUCCEEDED


async def _holder(at: Connection, name: str) -> Reference:
    """Who holds the pod template: the Rollout, or the workload that it refers to."""
    rollout = await at.api.get(Reference(ROLLOUTS, at.namespace, name))
    workload: dict[str, Any] = part(rollout, "spec", "workloadRef")
    if not workload:
        return Reference(ROLLOUTS, at.namespace, name)
    if workload.get("kind") not in WORKLOADS:
        raise InputError(
            f"rollout {name} refers to a {workload.get('kind')}: only {', '.join(WORKLOADS)} have templates"
        )
    return Reference(WORKLOADS[workload["kind"]], at.namespace, str(workload.get("name")))


async def _replaced(api: Api, ref: Reference, change: Callable[[Object], Object]) -> None:
    """Write a changed copy, again when somebody wrote in between."""
    for last in (False,) * (TRIES - 1) + (True,):
        try:
            await api.replace(ref.resource, change(await api.get(ref)))
        except Conflict:
            if last:
                raise
        else:
            return
