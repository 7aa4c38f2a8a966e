"""One actor a namespace keeps the status of all its disruption budgets.

A budget selects pods by labels, and what it asks for is a part of what their controllers want; so pods, replica sets,
Deployments and StatefulSets are watched, and controllers of other kinds are read when a budget needs their number.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from runtime.actor import Room, Watch
from runtime.api import Gone as Absent
from runtime.messages import (
    Address,
    Command,
    Done,
    Failed,
    Gone,
    Message,
    Observed,
    Read,
    Started,
    Stop,
    Tell,
    Told,
    WakeAt,
    Woke,
    WriteStatus,
)
from runtime.objects import PODS, Object, Reference, Resource
from tiphys.devcluster.controllers.budget import arithmetic
from tiphys.devcluster.controllers.events import Said, event
from tiphys.devcluster.controllers.family import newer
from tiphys.devcluster.controllers.owners import DEPLOYMENTS, REPLICA_SETS
from tiphys.devcluster.controllers.statuses import status_write

ROOM = "budget"
COMPONENT = "controllermanager"
BUDGETS = Resource("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets")
STATEFUL_SETS = Resource("apps/v1", "StatefulSet", "statefulsets")
WATCHED = (DEPLOYMENTS, REPLICA_SETS, STATEFUL_SETS)
WRITE = "write"
RETRY_S = 1.0
READ_AGAIN_S = 30.0
"""How old the number may be that a controller of an unwatched kind was seen to want."""


@dataclass(slots=True)
class Budgets:
    """What one namespace has."""

    address: Address
    budgets: dict[str, Object] = field(default_factory=dict)  # by uid
    pods: dict[str, Object] = field(default_factory=dict)  # by uid
    controllers: dict[str, Object] = field(default_factory=dict)  # by uid, of the watched kinds
    read: dict[str, tuple[float, int]] = field(default_factory=dict)  # other controllers: uid -> when, wished pods
    reading: set[str] = field(default_factory=set)  # uids
    writing: set[str] = field(default_factory=set)  # uids of budgets
    told: set[str] = field(default_factory=set)
    is_asked: bool = False


class BudgetMind:
    """The mind."""

    def birth(self, address: Address, argument: Any) -> Budgets:
        """A namespace of which nothing is known."""
        return Budgets(address)

    def waiting(self, state: Budgets) -> str:
        """What it watches over."""
        return f"for a change of {len(state.budgets)} budgets or of their pods"

    def receive(self, state: Budgets, message: Message, now: float) -> Iterable[Command]:
        """Take in a message; what is to be written is decided after all others that wait."""
        match message:
            case Told(_, word) if word is WRITE:
                state.is_asked = False
                yield from _write_all(state, now)
                return
            case Observed(ref, thing):
                known = _shelf(state, ref.resource)
                known[ref.uid] = newer(known.get(ref.uid), thing)
            case Gone(ref):
                _shelf(state, ref.resource).pop(ref.uid, None)
            case Done(WriteStatus(ref), result):
                state.writing.discard(ref.uid)
                if ref.uid in state.budgets:
                    state.budgets[ref.uid] = newer(state.budgets[ref.uid], result)
            case Failed(WriteStatus(ref)):
                state.writing.discard(ref.uid)
                yield WakeAt(now + RETRY_S, "again")  # the cache is behind, or the server is away
                return
            case Done(Read(ref), result):
                state.reading.discard(ref.uid)
                state.read[ref.uid] = now, int((result.get("spec") or {}).get("replicas") or 0)
            case Failed(Read(ref), error):
                state.reading.discard(ref.uid)
                if isinstance(error, Absent):
                    state.read[ref.uid] = now, 0
            case Started() | Woke() | _:
                pass
        if not state.is_asked:
            state.is_asked = True
            yield Tell(state.address, WRITE)


def _shelf(state: Budgets, resource: Resource) -> dict[str, Object]:
    if resource == BUDGETS:
        return state.budgets
    return state.pods if resource == PODS else state.controllers


# ------------------------------------------------------------------------------------------------ writing


def _write_all(state: Budgets, now: float) -> Iterator[Command]:
    times: list[float] = []
    for uid, budget in state.budgets.items():
        if uid in state.writing:
            continue
        for command in _write(state, budget, now, times):
            if isinstance(command, WriteStatus):
                state.writing.add(uid)
            yield command
    yield WakeAt(min(times) if times else None, "again")
    if not state.budgets and not state.writing:
        yield Stop()


def _write(state: Budgets, budget: Object, now: float, times: list[float]) -> Iterator[Command]:
    pods = [pod for pod in state.pods.values() if arithmetic.selects(budget, pod)]
    scale = 0
    if arithmetic.needs_scale(budget):
        owners = {owner["uid"]: owner for pod in pods if (owner := _controller(pod))}
        scales, unknown = _scales(state, owners, now)
        for ref in unknown:
            if ref.uid not in state.reading:
                state.reading.add(ref.uid)
                yield Read(ref)
        if unknown:
            return
        scale = sum(scales.values())
        if any(uid in state.read for uid in scales):
            times.append(now + READ_AGAIN_S)
        if not all(map(_controller, pods)):
            yield from _say(state, budget, "NoControllers", "Pods selected by this budget have no controller", now)
    try:
        wished = arithmetic.status(budget, pods, scale, now)
    except ValueError as error:
        wished = arithmetic.failed(budget, str(error), now)
    if not pods:
        yield from _say(state, budget, "NoPods", "No matching pods found", now)
    if (again := arithmetic.recheck_at(wished.get("disruptedPods") or {})) is not None:
        times.append(again)
    yield from status_write(BUDGETS, budget, wished)


def _controller(thing: Object) -> Object | None:
    for entry in thing["metadata"].get("ownerReferences") or ():
        if entry.get("controller"):
            found: Object = entry
            return found
    return None


def _scales(state: Budgets, owners: dict[str, Object], now: float) -> tuple[dict[str, int], list[Reference]]:
    """What the controllers want, each once (a Deployment for its replica sets), and those that have to be read."""
    scales: dict[str, int] = {}
    unknown = []
    for uid, owner in owners.items():
        known = state.controllers.get(uid)
        above = _controller(known) if known is not None else None
        if above is not None and above["uid"] in state.controllers:
            uid, known = above["uid"], state.controllers[above["uid"]]  # noqa: PLW2901 - the Deployment speaks
        if known is not None:
            scales[uid] = int((known.get("spec") or {}).get("replicas", 1))
        elif uid in state.read and state.read[uid][0] + READ_AGAIN_S > now:
            scales[uid] = state.read[uid][1]
        elif not any(owner["kind"] == each.kind for each in WATCHED):
            unknown.append(_reference(state, owner))
    return scales, unknown


def _reference(state: Budgets, owner: Object) -> Reference:
    """A controller of a kind that is not watched; its resource is guessed as Kubernetes guesses it: the plural in s."""
    kind = owner["kind"]
    resource = Resource(owner["apiVersion"], kind, f"{kind.lower()}s")
    return Reference(resource, state.address.namespace, owner["name"], owner["uid"])


def _say(state: Budgets, budget: Object, reason: str, message: str, now: float) -> Iterator[Command]:
    key = f"{budget['metadata']['uid']} {reason}"
    if key not in state.told:
        state.told.add(key)
        yield event(BUDGETS, budget, Said(reason, message), COMPONENT, now)


# ------------------------------------------------------------------------------------------------ room


def _address(thing: Object) -> Address:
    namespace = thing["metadata"]["namespace"]
    return Address(ROOM, namespace, namespace, "")


def _pod_address(thing: Object) -> Address | None:
    return _address(thing) if thing["metadata"].get("labels") else None


def room(pods: str = "") -> Room:
    """The room of disruption budgets; `pods` is the label selector of the pods that controllers look at."""
    watches = (
        Watch(BUDGETS, _address, wakes=True),
        Watch(PODS, _pod_address, labels=pods),
        *(Watch(resource, _address) for resource in WATCHED),
    )
    return Room(ROOM, BudgetMind(), watches)
