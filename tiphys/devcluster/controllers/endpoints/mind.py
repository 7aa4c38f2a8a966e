"""One actor a namespace keeps the Endpoints and EndpointSlices of all its services.

A pod may stand behind several services and a service selects by labels, so neither is the other's child; what a change
of a pod costs is one comparison of labels per service, and a write for those that are concerned.
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
    Create,
    Delete,
    Done,
    Failed,
    Gone,
    Message,
    Observed,
    Patch,
    Started,
    Stop,
    Tell,
    Told,
    WakeAt,
    Woke,
)
from runtime.objects import PODS, SERVICES, Object, Reference, Resource, reference
from tiphys.devcluster.controllers.endpoints.backends import groups, selects
from tiphys.devcluster.controllers.endpoints.manifests import (
    ENDPOINTS,
    MANAGED_BY,
    SERVICE_NAME,
    SLICE_CONTROLLER,
    SLICES,
    endpoints,
    slices,
)
from tiphys.devcluster.controllers.family import newer

ROOM = "endpoints"
WRITE = "write"
RETRY_S = 1.0


@dataclass(slots=True)
class Neighbourhood:
    """What one namespace has, and which services are to be looked at."""

    address: Address
    services: dict[str, Object] = field(default_factory=dict)
    pods: dict[str, Object] = field(default_factory=dict)  # by uid
    written: dict[tuple[Resource, str], Object] = field(default_factory=dict)  # Endpoints and slices by name
    dirty: set[str] = field(default_factory=set)  # names of services
    busy: dict[str, int] = field(default_factory=dict)  # by service: commands without an answer
    is_asked: bool = False


class EndpointsMind:
    """The mind."""

    def birth(self, address: Address, argument: Any) -> Neighbourhood:
        """A namespace of which nothing is known."""
        return Neighbourhood(address)

    def waiting(self, state: Neighbourhood) -> str:
        """What it watches over."""
        return f"for a change of {len(state.services)} services or of their pods"

    def receive(self, state: Neighbourhood, message: Message, now: float) -> Iterable[Command]:
        """Take in a message; what is to be written is decided after all others that wait."""
        match message:
            case Told(_, word) if word is WRITE:
                state.is_asked = False
                yield from _write_all(state)
                return
            case Observed(ref, thing):
                _see(state, ref, thing)
            case Gone(ref):
                _lose(state, ref)
            case Done(command, result):
                _answered(state, command)
                if isinstance(command, Delete):
                    state.written.pop((command.ref.resource, command.ref.name), None)
                elif isinstance(command, Create | Patch):
                    _keep(state, command.resource if isinstance(command, Create) else command.ref.resource, result)
            case Failed(command, error):
                name = _answered(state, command)
                if isinstance(error, Absent) and isinstance(command, Patch):
                    state.written.pop((command.ref.resource, command.ref.name), None)
                else:
                    state.dirty.discard(name)  # the cache is behind, or the server is away: not at once again
                    yield WakeAt(now + RETRY_S, name)
            case Woke(name):
                state.dirty.add(name)
            case Started() | _:
                pass
        if not state.is_asked:
            state.is_asked = True
            yield Tell(state.address, WRITE)


# ------------------------------------------------------------------------------------------------ seeing


def _see(state: Neighbourhood, ref: Reference, thing: Object) -> None:
    if ref.resource == SERVICES:
        state.services[ref.name] = newer(_same(state.services.get(ref.name), ref.uid), thing)
        state.dirty.add(ref.name)
    elif ref.resource == PODS:
        known = state.pods.get(ref.uid)
        if known is None or _facts(known) != _facts(thing):
            _touch(state, known)
            _touch(state, thing)
        state.pods[ref.uid] = thing
    else:
        _keep(state, ref.resource, thing)
        name = _service_of(ref.resource, thing)
        if name in state.services:
            state.dirty.add(name)


def _same(known: Object | None, uid: str) -> Object | None:
    return known if known is not None and known["metadata"]["uid"] == uid else None


def _keep(state: Neighbourhood, resource: Resource, thing: Object) -> None:
    key = resource, thing["metadata"]["name"]
    state.written[key] = newer(_same(state.written.get(key), thing["metadata"]["uid"]), thing)


def _lose(state: Neighbourhood, ref: Reference) -> None:
    if ref.resource == SERVICES:
        known = state.services.get(ref.name)
        if known is not None and known["metadata"]["uid"] == ref.uid:
            del state.services[ref.name]
        state.dirty.add(ref.name)
    elif ref.resource == PODS:
        _touch(state, state.pods.pop(ref.uid, None))
    else:
        thing = state.written.get((ref.resource, ref.name))
        if thing is not None and thing["metadata"]["uid"] == ref.uid:
            del state.written[ref.resource, ref.name]
            state.dirty.add(_service_of(ref.resource, thing))


def _touch(state: Neighbourhood, pod: Object | None) -> None:
    labels = (pod or {"metadata": {}})["metadata"].get("labels") or {}
    state.dirty.update(name for name, service in state.services.items() if selects(service, labels))


def _facts(pod: Object) -> tuple[Any, ...]:
    """All of a pod that its services show."""
    meta, status, spec = pod["metadata"], pod.get("status") or {}, pod.get("spec") or {}
    ready = [entry["status"] for entry in status.get("conditions") or () if entry["type"] == "Ready"]
    where = status.get("phase"), status.get("podIP"), spec.get("nodeName")
    return meta.get("labels"), "deletionTimestamp" in meta, ready, where


def _service_of(resource: Resource, thing: Object) -> str:
    meta = thing["metadata"]
    name: str = meta["name"] if resource == ENDPOINTS else (meta.get("labels") or {}).get(SERVICE_NAME, "")
    return name


def _answered(state: Neighbourhood, command: Command) -> str:
    """Count an answer; the name of the service it was about."""
    name: str = getattr(command, "tag", "")
    left = state.busy.get(name, 1) - 1
    if left:
        state.busy[name] = left
    else:
        state.busy.pop(name, None)
        state.dirty.add(name)
    return name


# ------------------------------------------------------------------------------------------------ writing


def _write_all(state: Neighbourhood) -> Iterator[Command]:
    for name in sorted(state.dirty - state.busy.keys()):
        state.dirty.discard(name)
        commands = list(_write(state, name))
        if commands:
            state.busy[name] = len(commands)
        yield from commands
    if not state.services and not state.busy and not state.dirty:
        yield Stop()


def _write(state: Neighbourhood, name: str) -> Iterator[Command]:
    service = state.services.get(name)
    if service is None:
        left = state.written.get((ENDPOINTS, name))
        if left is not None and "endpoints.kubernetes.io/managed-by" in (left["metadata"].get("labels") or {}):
            yield Delete(reference(ENDPOINTS, left), tag=name)  # its slices go as what it owns
        return
    spec = service.get("spec") or {}
    if not spec.get("selector") or spec.get("type") == "ExternalName" or "deletionTimestamp" in service["metadata"]:
        return
    found = groups(service, state.pods.values())
    yield from _settle(state, ENDPOINTS, endpoints(service, found), name)
    wished = slices(service, found)
    for thing in wished.values():
        yield from _settle(state, SLICES, thing, name)
    for (resource, slice_name), thing in state.written.items():
        is_ours = (thing["metadata"].get("labels") or {}).get(MANAGED_BY) == SLICE_CONTROLLER
        if resource == SLICES and is_ours and _service_of(SLICES, thing) == name and slice_name not in wished:
            yield Delete(reference(SLICES, thing), tag=name)


def _settle(state: Neighbourhood, resource: Resource, wished: Object, tag: str) -> Iterator[Command]:
    """Create the object, or patch what differs; nothing when it is as wished."""
    there = state.written.get((resource, wished["metadata"]["name"]))
    if there is None:
        yield Create(resource, wished, tag)
        return
    content = ("subsets",) if resource == ENDPOINTS else ("endpoints", "ports")
    body: Object = {part: wished.get(part) for part in content if wished.get(part) != there.get(part)}
    labels = wished["metadata"]["labels"]
    have = there["metadata"].get("labels") or {}
    if have != labels:
        body["metadata"] = {"labels": {**dict.fromkeys(have), **labels}}
    if body:
        yield Patch(reference(resource, there), body, tag=tag)


# ------------------------------------------------------------------------------------------------ room


def _address(thing: Object) -> Address:
    namespace = thing["metadata"]["namespace"]
    return Address(ROOM, namespace, namespace, "")


def _pod_address(thing: Object) -> Address | None:
    return _address(thing) if thing["metadata"].get("labels") else None


def room(pods: str = "") -> Room:
    """The room of service endpoints; `pods` is the label selector of the pods that controllers look at."""
    watches = (
        Watch(SERVICES, _address, wakes=True),
        Watch(PODS, _pod_address, labels=pods),
        Watch(ENDPOINTS, _address),
        Watch(SLICES, _address),
    )
    return Room(ROOM, EndpointsMind(), watches)
