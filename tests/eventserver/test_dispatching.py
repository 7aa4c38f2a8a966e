"""An event is submitted once, whatever the API server's answers; and no more events wait than may."""

from __future__ import annotations

from random import Random

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

import crds
from runtime.api import Api, Refused, Selection, Throttled, Unavailable
from runtime.objects import CRDS, EVENTS, Object, Resource
from tiphys.devcluster.inprocess import InProcessApi
from tiphys.devcluster.server import ApiServer
from tiphys.eventserver.dispatching import BINDINGS, TEMPLATES, TRIES, WORKFLOWS, Dispatch, Dispatcher, NotDispatched
from tiphys.eventserver.waiting import Full, Waiting

pytestmark = pytest.mark.virtual_time

BINDING: Object = {
    "metadata": {"name": "b", "namespace": "default"},
    "spec": {"event": {"selector": "true"}, "submit": {"workflowTemplateRef": {"name": "t"}}},
}
TEMPLATE: Object = {
    "metadata": {"name": "t", "namespace": "default"},
    "spec": {"entrypoint": "main", "templates": [{"name": "main", "suspend": {}}]},
}
KINDS = {resource.kind for resource in (BINDINGS, TEMPLATES, WORKFLOWS)}
DEFINITIONS = [one for one in crds.manifests() if one["spec"]["names"]["kind"] in KINDS]
FINE = ["done"] * TRIES
FATES = ("done", "lost before", "lost after", "throttled", "refused")


class Fateful(InProcessApi):
    """The API, whose first creations of Workflows go as they are told to; then all goes well."""

    def __init__(self, server: ApiServer, fates: list[str]) -> None:
        super().__init__(server)
        self._fates = fates

    async def create(self, resource: Resource, thing: Object, *, dry_run: bool = False) -> Object:
        fate = self._fates.pop(0) if resource == WORKFLOWS and self._fates else "done"
        if fate == "throttled":
            raise Throttled("later")
        if fate == "lost before":
            raise Unavailable("lost")
        if fate == "refused":
            raise Refused("not you", code=403)
        made = await super().create(resource, thing, dry_run=dry_run)
        if fate == "lost after":
            raise Unavailable("lost")
        return made


async def running(fates: list[str]) -> Fateful:
    server = ApiServer()
    server.start()
    api = Fateful(server, fates)
    for definition in DEFINITIONS:
        await api.create(CRDS, definition)
    await api.create(TEMPLATES, TEMPLATE)
    return api


def dispatch(*bindings: Object) -> Dispatch:
    seen = {"payload": {}, "metadata": {}, "namespace": "default", "discriminator": ""}
    return Dispatch("default", list(bindings), seen, {})


def dispatcher(api: Api, seed: int = 0) -> Dispatcher:
    return Dispatcher(api, dice=Random(seed), now=lambda: 0.0)


@pytest.mark.spec("EVT-3")
@given(st.lists(st.sampled_from(FATES), max_size=TRIES + 1))
async def test_one_event_is_one_workflow_whichever_answers_are_lost(fates: list[str]) -> None:
    api = await running(list(fates))
    tries = [*fates, *FINE][:TRIES]
    try:
        created = await dispatcher(api).dispatch(api, dispatch(BINDING))
    except NotDispatched:
        created = []

    there = (await api.list(WORKFLOWS, Selection("default"))).items
    begun = tries[: tries.index("refused")] if "refused" in tries else tries
    assert len(there) == (1 if {"done", "lost after"} & set(begun) else 0)
    assert created in ([], there)
    told = (await api.list(EVENTS)).items
    assert len(told) == (0 if created else 1)


@pytest.mark.spec("EVT-3")
async def test_somebody_elses_workflow_of_that_name_is_not_taken_for_the_events() -> None:
    api = await running(["lost before"])
    named = {
        **BINDING,
        "spec": {**BINDING["spec"], "submit": {**BINDING["spec"]["submit"], "metadata": {"name": '"x"'}}},
    }
    other = {"metadata": {"name": "x", "namespace": "default"}, "spec": TEMPLATE["spec"]}
    await InProcessApi.create(api, WORKFLOWS, other)

    with pytest.raises(NotDispatched, match="already exists"):
        await dispatcher(api).dispatch(api, dispatch(named))


@pytest.mark.spec("EVT-2")
async def test_a_binding_that_only_listens_submits_nothing() -> None:
    api = await running([])
    listens = {**BINDING, "spec": {"event": {"selector": "true"}}}

    assert await dispatcher(api).dispatch(api, dispatch(listens)) == []


async def test_a_binding_is_stored_where_the_dispatcher_looks() -> None:
    api = await running([])
    await api.create(BINDINGS, BINDING)

    assert [one["metadata"]["name"] for one in (await api.list(BINDINGS)).items] == ["b"]


@pytest.mark.spec("EVT-1")
async def test_when_the_queue_is_full_an_event_is_turned_away_and_what_waits_is_done() -> None:
    waiting, done, gate = Waiting(2, 1), [], anyio.Event()

    async def act() -> None:
        await gate.wait()
        done.append(len(done))

    waiting.put(act)
    waiting.put(act)
    with pytest.raises(Full):
        waiting.put(act)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(waiting.run)
        gate.set()
        waiting.close()
    assert done == [0, 1]


@pytest.mark.usefixtures("quiet")
@pytest.mark.spec("EVT-1")
async def test_a_bug_in_one_event_does_not_stop_the_next() -> None:
    waiting, done = Waiting(2, 1), []

    async def wrong() -> None:
        raise LookupError("a bug")

    async def right() -> None:
        done.append("right")

    waiting.put(wrong)
    waiting.put(right)
    waiting.close()
    await waiting.run()
    assert done == ["right"]
