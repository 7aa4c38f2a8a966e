"""An installation goes as it came, and leaves nothing that cannot be deleted.

The controller ends first, so that it makes nothing new; then its finalizers are taken from pods and workflows, which
nobody would do any more; then its own objects go, each only if it bears our label. What users made stays, unless the
definitions are to go too: with a definition the cluster deletes every object of its kind.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from typing import Final

import anyio

from actors.names import labels, resources
from runtime.api import Api, ApiError, Conflict, Gone, Refused, Selection
from runtime.objects import LEASES, PODS, Object, Reference, Resource, reference
from tiphys.installation.applying import is_ours
from tiphys.installation.choice import Choice
from tiphys.installation.findings import leader
from tiphys.installation.kinds import DEPLOYMENTS, reference_of
from tiphys.installation.manifests import manifests
from tiphys.installation.workload import SELECTOR

WORKFLOWS: Final = Resource(*resources.WORKFLOW)
FINALIZERS: Final = frozenset({labels.FINALIZER_POD_STATUS, labels.FINALIZER_ARTIFACT_GC})
END_S: Final = 60.0
LOOK_S: Final = 0.5
TRIES: Final = 5
PAGE: Final = 500


class StillThere(Exception):
    """The controller's pods have not ended; the text says what to do."""


async def remove(
    api: Api, choice: Choice, *, definitions: bool, namespace: bool, wall: Callable[[], float] = time.time
) -> AsyncIterator[str]:
    """Take the installation away; each step as a line. Raises ApiError and StillThere."""
    everything = replace(choice, replicas=2, network_policy=True, monitoring=True, event_server=True)
    ours = frozenset(pod["metadata"]["uid"] for pod in await _pods(api, choice))
    async for line in _end(api, choice):
        yield line
    leads = await _other(api, choice, ours, wall())
    if leads:
        yield f"finalizers are left to {leads}, which leads"
    else:
        async for line in strip(api, choice.watched):
            yield line
    for thing in reversed(manifests(everything)):
        if thing["kind"] == "CustomResourceDefinition" and not definitions:
            continue
        if thing["kind"] == "Namespace" and not namespace:
            continue
        if await _delete(api, thing):
            yield f"{reference_of(thing)} deleted"


async def _end(api: Api, choice: Choice) -> AsyncIterator[str]:
    """Delete the Deployment and wait for its pods to be gone: a living controller would put finalizers on again."""
    deployment = next(thing for thing in manifests(choice) if thing["kind"] == DEPLOYMENTS.kind)
    if await _delete(api, deployment):
        yield f"{reference_of(deployment)} deleted"
    with anyio.move_on_after(END_S):
        while left := await _pods(api, choice):  # noqa: ASYNC110  the cluster is waited for, and tells nobody
            await anyio.sleep(LOOK_S)
        return
    names = ", ".join(pod["metadata"]["name"] for pod in left)
    raise StillThere(f"after {END_S:.0f} s there are still the pods {names}: delete them and run this again")


async def _pods(api: Api, choice: Choice) -> Sequence[Object]:
    selector = ",".join(f"{key}={value}" for key, value in SELECTOR.items())
    return await _all(api, PODS, Selection(choice.namespace, selector))


async def _other(api: Api, choice: Choice, ours: frozenset[str], now: float) -> str:
    """Another controller that is at work where ours was; empty when there is none, or it is not ours to see."""
    try:
        leases = await _all(api, LEASES, Selection(None if choice.scope == "cluster" else choice.namespace))
    except Refused:
        return ""
    return next((holder for lease in leases if (holder := leader(lease, now)) and holder not in ours), "")


async def _delete(api: Api, thing: Object) -> bool:
    """Whether there was one of ours, which is deleted."""
    ref = reference_of(thing)
    try:
        if not is_ours(await api.get(ref)):
            return False
        await api.delete(ref, propagation="Background")
    except Gone:
        return False
    return True


async def strip(api: Api, namespace: str = "") -> AsyncIterator[str]:
    """Take our finalizers from all pods and workflows (of one namespace, or of all); a line for each."""
    for resource, selector in ((PODS, labels.WORKFLOW), (WORKFLOWS, "")):
        for thing in await _all(api, resource, Selection(namespace or None, selector)):
            if _kept(thing) and await _strip(api, reference(resource, thing), thing):
                yield f"{reference(resource, thing)} may be deleted"


async def _all(api: Api, resource: Resource, selection: Selection) -> Sequence[Object]:
    found: list[Object] = []
    try:
        page = await api.list(resource, selection, limit=PAGE)
        found += page.items
        while page.continue_:
            page = await api.list(resource, selection, limit=PAGE, continue_=page.continue_)
            found += page.items
    except Gone:  # the kind is not served any more
        return []
    return found


def _kept(thing: Object) -> bool:
    return not FINALIZERS.isdisjoint(thing["metadata"].get("finalizers") or ())


async def _strip(api: Api, ref: Reference, thing: Object) -> bool:
    """Whether the finalizers are gone; others' are left. Raises the last Conflict when somebody writes all the time."""
    trouble: ApiError | None = None
    for _ in range(TRIES):
        meta = thing["metadata"]
        rest = [name for name in meta.get("finalizers") or () if name not in FINALIZERS]
        patch = {"metadata": {"finalizers": rest or None, "resourceVersion": meta["resourceVersion"]}}
        try:
            await api.patch(ref, patch)
        except Gone:
            return False
        except Conflict as error:
            trouble = error
        else:
            return True
        try:
            thing = await api.get(ref)
        except Gone:
            return False
    assert trouble is not None
    raise trouble
