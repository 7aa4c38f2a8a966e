"""Remembered results: who finds one runs nothing; who does not leaves one behind."""

from __future__ import annotations

import json
from typing import Any

import anyio
import pytest

from actors.names import labels
from runtime.api import Api, Refused, Unavailable
from runtime.objects import CONFIGMAPS, NAMESPACES, Object, Reference, Resource, reference
from tests.world.test_runs import nodes
from tests.world.world import Outcome, World, world
from tiphys.controllers import ControllerSettings

pytestmark = pytest.mark.virtual_time

CACHE = Reference(CONFIGMAPS, "default", "results")
OUTPUTS = "outputs: {parameters: [{name: p, valueFrom: {path: /tmp/p}}]}"


def memoize(key: str = "k", age: str = "") -> str:
    return f"memoize: {{key: '{key}', maxAge: '{age}', cache: {{configMap: {{name: results}}}}}}"


def leaf(more: str = "", **how: str) -> str:
    body = f"{memoize(**how)}, {more}container: {{image: busybox, command: [echo]}}, {OUTPUTS}"
    return f"spec: {{entrypoint: main, templates: [{{name: main, {body}}}]}}"


def made(name: str, pod: Object) -> Outcome:
    return Outcome(parameters={"p": "made"})


async def ended(here: World, text: str, name: str) -> Object:
    return await here.end_of(await here.submit(text, name))


async def entry(here: World, key: str = "k") -> dict[str, Any]:
    found: dict[str, Any] = json.loads((await here.api.get(CACHE))["data"][key])
    return found


def value(workflow: Object, node: str) -> Any:
    return nodes(workflow)[node]["outputs"]["parameters"][0]["value"]


@pytest.mark.spec("MEMO-1")
@pytest.mark.spec("MEMO-2")
@pytest.mark.spec("MEMO-3")
async def test_who_comes_second_runs_nothing() -> None:
    async with world(made) as here:
        first, second = await ended(here, leaf(), "one"), await ended(here, leaf(), "two")
        await here.at_rest(await here.submit(leaf(), "three"))
        kept = await here.api.get(CACHE)

        assert here.created == ["one"]
        assert nodes(first)["one"]["memoizationStatus"] == {"hit": False, "key": "k", "cacheName": "results"}
        hit = nodes(second)["two"]
        assert hit["memoizationStatus"] == {"hit": True, "key": "k", "cacheName": "results"}
        assert (hit["type"], hit["phase"], hit["progress"]) == ("Pod", "Succeeded", "1/1")
        assert hit["outputs"] == nodes(first)["one"]["outputs"]
        assert value(second, "two") == "made"
        assert kept["metadata"]["labels"][labels.CONFIGMAP_TYPE] == "Cache"
        assert set(json.loads(kept["data"]["k"])) == {"nodeID", "outputs", "creationTimestamp", "lastHitTimestamp"}


@pytest.mark.spec("MEMO-2")
async def test_a_hit_is_noted_without_disturbing_the_entry() -> None:
    async with world(made) as here:
        await ended(here, leaf(), "one")
        before = await entry(here)
        await anyio.sleep(2)
        await ended(here, leaf(), "two")
        after = await entry(here)

        assert after["lastHitTimestamp"] > before["lastHitTimestamp"]
        assert {**after, "lastHitTimestamp": ""} == {**before, "lastHitTimestamp": ""}


@pytest.mark.spec("MEMO-3")
async def test_a_failure_is_not_remembered() -> None:
    async with world(lambda name, pod: Outcome(code=1)) as here:
        await ended(here, leaf(), "one")
        await ended(here, leaf(), "two")

        assert here.created == ["one", "two"]
        assert not [item for item in (await here.api.list(CONFIGMAPS)).items if item["metadata"]["name"] == "results"]


@pytest.mark.spec("MEMO-4")
async def test_an_entry_older_than_max_age_is_made_anew() -> None:
    async with world(made) as here:
        await ended(here, leaf(age="1m"), "one")
        before = await entry(here)
        await ended(here, leaf(age="1m"), "two")
        await anyio.sleep(90)
        await ended(here, leaf(age="1m"), "three")

        assert here.created == ["one", "three"]
        assert (await entry(here))["creationTimestamp"] > before["creationTimestamp"]


@pytest.mark.spec("MEMO-1")
@pytest.mark.spec("MEMO-4")
@pytest.mark.parametrize(
    ("text", "why"),
    [
        (leaf(key="no_good"), "invalid cache key: no_good"),
        (leaf(key=""), "invalid cache key: "),
        (leaf(age="10"), "invalid maxAge: "),
    ],
)
async def test_what_memoize_must_not_say_is_an_error_of_the_node(text: str, why: str) -> None:
    async with world(made) as here:
        done = await ended(here, text, "one")

        assert nodes(done)["one"]["phase"] == "Error"
        assert nodes(done)["one"]["message"].startswith(why)
        assert not here.created


WRITTEN = '{"nodeID": "w", "outputs": {"parameters": [{"name": "p", "value": "old"}]}}'


@pytest.mark.spec("MEMO-2")
@pytest.mark.parametrize(
    ("text", "age", "hit"),
    [
        (WRITTEN, "", True),
        (WRITTEN, "1m", False),  # a time that is not told is long ago
        (WRITTEN.replace('"nodeID"', '"creationTimestamp": null, "nodeID"'), "", True),
        (WRITTEN.replace("nodeID", "NodeID").replace("outputs", "Outputs"), "", True),
        (WRITTEN.replace('"w"', '""'), "", False),
        ("", "", False),
        ("null", "", False),
    ],
)
async def test_an_entry_that_names_its_node_is_a_hit(text: str, age: str, hit: bool) -> None:
    async with world(made) as here:
        await written(here, text)
        done = await ended(here, leaf(age=age), "one")

        assert nodes(done)["one"]["memoizationStatus"]["hit"] is hit
        assert value(done, "one") == ("old" if hit else "made")
        kept = await entry(here)
        assert (kept["nodeID"], "NodeID" in kept) == ("w" if hit else nodes(done)["one"]["id"], False)


async def written(here: World, text: str) -> None:
    """A cache with an entry that somebody else wrote."""
    meta = {"name": "results", "namespace": "default", "labels": {labels.CONFIGMAP_TYPE: "Cache"}}
    await here.api.create(CONFIGMAPS, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"k": text}})


@pytest.mark.spec("MEMO-1")
@pytest.mark.parametrize("text", ["{", "[]", '{"nodeID": 1}', '{"nodeID": "w", "outputs": "x"}',
                                  '{"nodeID": "w", "creationTimestamp": "soon"}'])  # fmt: skip
async def test_an_entry_that_cannot_be_read_is_an_error_that_names_it(text: str) -> None:
    async with world(made) as here:
        await written(here, text)
        done = await ended(here, leaf(), "one")

        assert nodes(done)["one"]["phase"] == "Error"
        why = "malformed cache entry: could not unmarshal JSON; unable to parse: "
        assert nodes(done)["one"]["message"].startswith(why)
        assert "entry 'k' of ConfigMap default/results" in nodes(done)["one"]["message"]


@pytest.mark.spec("MEMO-1")
@pytest.mark.spec("KIND-9")
@pytest.mark.parametrize(
    ("its", "lacks"),
    [
        ({labels.CONFIGMAP_TYPE: "Parameter"}, "label workflows.argoproj.io/configmap-type = Cache"),
        ({}, "workflows.argoproj.io/configmap-type label"),
    ],
)
async def test_a_config_map_that_was_not_meant_as_a_cache_is_neither_read_nor_written(
    its: dict[str, str], lacks: str
) -> None:
    async with world(made) as here:
        meta = {"name": "results", "namespace": "default", "labels": its}
        thing = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"other": "1"}}
        before = await here.api.create(CONFIGMAPS, thing)
        done = await ended(here, leaf(), "one")

        assert nodes(done)["one"]["phase"] == "Error"
        why = f"memoization configmap doesn't have {lacks}, refusing to use it"
        assert nodes(done)["one"]["message"] == why
        assert (await here.api.get(reference(CONFIGMAPS, before))) == before


FAN = f"""
spec:
  entrypoint: main
  templates:
  - name: main
    steps:
    - - name: a
        template: leaf
        withItems: [x, y, x]
        arguments: {{parameters: [{{name: k, value: "{{{{item}}}}"}}]}}
  - name: leaf
    synchronization: {{mutexes: [{{name: m}}]}}
    inputs: {{parameters: [{{name: k}}]}}
    {memoize("{{inputs.parameters.k}}")}
    container: {{image: busybox, command: [echo]}}
    {OUTPUTS}
"""


@pytest.mark.spec("MEMO-5")
async def test_what_was_done_while_it_waited_for_its_lock_is_not_done_again() -> None:
    async with world(made) as here:
        done = await ended(here, FAN, "w")

        assert done["status"]["phase"] == "Succeeded"
        assert len(here.created) == 2
        hits = [entry["memoizationStatus"]["hit"] for entry in nodes(done).values() if entry["type"] == "Pod"]
        assert sorted(hits) == [False, False, True]
        await here.at_rest(Reference(here.workflows, "default", "w"))


COMPOSITES = f"""
spec:
  entrypoint: main
  templates:
  - name: main
    dag:
      tasks:
      - {{name: s, template: some-steps}}
      - {{name: t, template: some-dag, depends: s}}
      - {{name: r, template: some-retries, depends: t}}
      - {{name: after, template: leaf, depends: "r && t"}}
  - name: some-steps
    {memoize("steps")}
    steps: [[{{name: a, template: leaf}}]]
    outputs: {{parameters: [{{name: p, valueFrom: {{parameter: "{{{{steps.a.outputs.parameters.p}}}}"}}}}]}}
  - name: some-dag
    {memoize("dag")}
    dag: {{tasks: [{{name: b, template: leaf}}]}}
    outputs: {{parameters: [{{name: p, valueFrom: {{parameter: "{{{{tasks.b.outputs.parameters.p}}}}"}}}}]}}
  - name: some-retries
    {memoize("retries")}
    retryStrategy: {{limit: 2}}
    container: {{image: busybox, command: [echo]}}
    {OUTPUTS}
  - name: leaf
    container: {{image: busybox, command: [echo]}}
    {OUTPUTS}
"""


@pytest.mark.spec("MEMO-2")
async def test_whole_templates_are_remembered_too() -> None:
    async with world(made) as here:
        await ended(here, COMPOSITES, "one")
        assert len(here.created) == 4
        again = await ended(here, COMPOSITES, "two")
        await here.at_rest(Reference(here.workflows, "default", "two"))

        assert len(here.created) == 5
        assert {name: entry["type"] for name, entry in nodes(again).items()} == {
            "two": "DAG", "s": "Steps", "t": "DAG", "r": "Pod", "after": "Pod",
        }  # fmt: skip
        assert {value(again, name) for name in "str"} == {"made"}


@pytest.mark.parametrize("text", [FAN, COMPOSITES])
@pytest.mark.parametrize("seed", range(4))
async def test_whoever_dies_nothing_that_is_remembered_is_done_twice(seed: int, text: str) -> None:
    async with world(made, seed=seed, deaths_every_s=1.5) as here:
        assert (await ended(here, text, "one"))["status"]["phase"] == "Succeeded"
        first = len(here.created)
        second = await ended(here, text, "two")

        assert second["status"]["phase"] == "Succeeded"
        assert first == len(set(here.created[:first])) == (2 if text is FAN else 4)
        assert len(here.created) - first == (0 if text is FAN else 1)


class BadCache:
    """An API that writes no ConfigMap: refused for ever, or a few times not available."""

    def __init__(self, api: Api, failures: int, error: Exception) -> None:
        self._api = api
        self._left = failures
        self._error = error

    def __getattr__(self, name: str) -> Any:
        return getattr(self._api, name)

    async def create(self, resource: Resource, thing: Object, *, dry_run: bool = False) -> Object:
        if resource == CONFIGMAPS and self._left:
            self._left -= 1
            raise self._error
        return await self._api.create(resource, thing, dry_run=dry_run)


@pytest.mark.spec("MEMO-3")
@pytest.mark.parametrize(
    ("failures", "error", "phase"),
    [(99, Refused("no space"), "Error"), (3, Unavailable("away"), "Succeeded"), (99, Unavailable("away"), "Succeeded")],
)
async def test_a_result_that_cannot_be_saved_is_an_error(failures: int, error: Exception, phase: str) -> None:
    async with world(made, coat=lambda api: BadCache(api, failures, error)) as here:
        done = await ended(here, leaf(), "one")
        await here.at_rest(Reference(here.workflows, "default", "one"))

        assert nodes(done)["one"]["phase"] == phase
        if phase == "Error":
            assert nodes(done)["one"]["message"] == f"could not save to config map cache: {error}"


class FullCache(BadCache):
    """An API that adds nothing to a ConfigMap that exists."""

    async def patch(self, ref: Reference, body: Object, **options: Any) -> Object:
        if ref.resource == CONFIGMAPS and self._left:
            self._left -= 1
            raise self._error
        return await self._api.patch(ref, body, **options)


@pytest.mark.spec("MEMO-3")
async def test_a_cache_that_is_full_says_so_as_upstream_does() -> None:
    why = 'ConfigMap "results" is invalid: []: Too long: may not be more than 1048576 bytes'
    async with world(made, coat=lambda api: FullCache(api, 99, Refused(why))) as here:
        cache = {"labels": {labels.CONFIGMAP_TYPE: "Cache"}, "name": "results", "namespace": "default"}
        await here.api.create(CONFIGMAPS, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": cache})
        done = await ended(here, leaf(), "one")

    told = nodes(done)["one"]
    assert (told["phase"], told["message"]) == (
        "Error",
        f"error creating cache entry: {why}. Please check out this page for help: "
        "https://argo-workflows.readthedocs.io/en/latest/memoization/#faqs",
    )


async def test_an_installation_may_keep_all_results_in_one_namespace() -> None:
    async with world(made, settings=ControllerSettings(cache_namespace="caches")) as here:
        await here.api.create(NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "caches"}})
        await ended(here, leaf(), "one")

        assert (await here.api.get(Reference(CONFIGMAPS, "caches", "results")))["data"]
