"""Locks in whole runs: who waits says for what, and who has waited works when its turn comes."""

from __future__ import annotations

import anyio
import pytest

from actors.lock_messages import holdings
from actors.names import labels
from runtime.objects import Object
from tests.world.flows import phases
from tests.world.locks import FAN, MUTEX, SEMAPHORE, leaf, locked_world, quick, set_limit, single, workflow
from tests.world.test_runs import nodes
from tests.world.world import Outcome, world

pytestmark = pytest.mark.virtual_time


@pytest.mark.spec("SYNC-1")
@pytest.mark.spec("SYNC-2")
async def test_a_mutex_lets_one_node_work_at_a_time() -> None:
    async with world(quick) as here:
        done = await here.end_of(await here.submit(workflow(FAN, leaf(MUTEX))))

        assert done["status"]["phase"] == "Succeeded"
        assert len(here.created) == 5
        assert here.most_running == 1
        assert "synchronization" not in done["status"]
        assert not any("synchronizationStatus" in entry for entry in nodes(done).values())
        assert not any(entry.get("message") for entry in nodes(done).values())


@pytest.mark.spec("SYNC-2")
async def test_a_name_with_tags_is_as_many_mutexes_as_it_has_values() -> None:
    named = "synchronization: {mutexes: [{name: 'm-{{inputs.parameters.x}}'}]}"
    inputs = "inputs: {parameters: [{name: x}]}, "
    fan = """
  - name: main
    steps:
    - - {name: a, template: leaf, withItems: [p, p, q, q], arguments: {parameters: [{name: x, value: "{{item}}"}]}}
"""
    async with world(quick) as here:
        done = await here.end_of(await here.submit(workflow(fan, leaf(named, inputs))))

        assert done["status"]["phase"] == "Succeeded"
        assert here.most_running == 2


@pytest.mark.spec("SYNC-3")
async def test_a_semaphore_lets_as_many_work_as_its_config_map_says() -> None:
    async with locked_world(quick, "2") as here:
        done = await here.end_of(await here.submit(workflow(FAN, leaf(SEMAPHORE))))

        assert done["status"]["phase"] == "Succeeded"
        assert here.most_running == 2


@pytest.mark.spec("SYNC-7")
@pytest.mark.spec("SYNC-10")
@pytest.mark.spec("SYNC-12")
async def test_who_waits_says_for_which_lock_and_makes_no_pod() -> None:
    async with locked_world(quick, "2") as here:
        ref = await here.submit(workflow(FAN, leaf(SEMAPHORE)))
        await anyio.sleep(3)
        status = (await here.api.get(ref))["status"]
        leaves = [entry for entry in status["nodes"].values() if entry["type"] == "Pod"]
        waiting = [entry for entry in leaves if entry.get("synchronizationStatus")]
        begun = [entry["id"] for entry in leaves if entry not in waiting]

        assert len(here.created) == 2
        assert len(waiting) == 3
        key = "default/ConfigMap/limits/k"
        assert {entry["phase"] for entry in waiting} == {"Pending"}
        assert {entry["message"] for entry in waiting} == {f"Waiting for {key} lock. Lock status: 0/2"}
        assert {entry["synchronizationStatus"]["waiting"] for entry in waiting} == {key}
        holders = [f"default/w/{node}" for node in begun]
        section = status["synchronization"]["semaphore"]
        assert [entry["semaphore"] for entry in section["holding"]] == [key]
        assert sorted(section["holding"][0]["holders"]) == sorted(holders)
        assert section["waiting"][0]["semaphore"] == key
        assert sorted(section["waiting"][0]["holders"]) == sorted(holders)


@pytest.mark.spec("SYNC-5")
async def test_several_locks_are_taken_together() -> None:
    both = "synchronization: {mutexes: [{name: m}, {name: n}]}"
    async with world(quick) as here:
        first = await here.submit(workflow(FAN, leaf("synchronization: {mutexes: [{name: n}, {name: m}]}")), "one")
        second = await here.submit(workflow(FAN, leaf(both)), "two")

        for ref in (first, second):
            assert (await here.end_of(ref))["status"]["phase"] == "Succeeded"
        assert here.most_running == 1


@pytest.mark.spec("SYNC-5")
async def test_the_same_lock_twice_is_an_error_of_the_node() -> None:
    twice = "synchronization: {mutexes: [{name: m}, {name: m}]}"
    async with world(quick) as here:
        done = await here.end_of(await here.submit(workflow(FAN, leaf(twice))))

        assert "default/Mutex/m is named 2 times" in nodes(done)["a(0:0)"]["message"]
        assert nodes(done)["a(0:0)"]["phase"] == "Error"


@pytest.mark.spec("SYNC-5")
async def test_a_lock_that_is_written_in_two_ways_is_taken_once() -> None:
    twice = "synchronization: {mutexes: [{name: m}, {name: m, namespace: default}]}"
    async with world(quick) as here:
        done = await here.end_of(await here.submit(workflow(FAN, leaf(twice))))

        assert done["status"]["phase"] == "Succeeded"
        assert here.most_running == 1


@pytest.mark.spec("SYNC-3")
@pytest.mark.parametrize(
    ("limit", "why"), [("0", 'the limit "0" is not'), ("many", 'the limit "many" is not'), (None, 'no entry "k"')]
)
async def test_a_limit_that_is_none_makes_the_node_an_error(limit: str | None, why: str) -> None:
    async with world(quick) as here:
        await set_limit(here, limit)
        done = await here.end_of(await here.submit(workflow(FAN, leaf(SEMAPHORE))))

        message = nodes(done)["a(0:0)"]["message"]
        assert message.startswith("failed to initialize semaphore default/ConfigMap/limits/k")
        assert why in message
        assert nodes(done)["a(0:0)"]["phase"] == "Error"
        assert not here.created


@pytest.mark.spec("SYNC-3")
@pytest.mark.spec("SYNC-13")
async def test_a_workflow_whose_semaphore_is_not_there_fails() -> None:
    async with world(quick) as here:
        done = await here.end_of(await here.submit(single(SEMAPHORE)))

        assert done["status"]["phase"] == "Failed"
        start = "Failed to acquire the synchronization lock. failed to initialize semaphore default/ConfigMap/limits/k"
        assert done["status"]["message"].startswith(start)
        assert "not found" in done["status"]["message"]


@pytest.mark.spec("SYNC-3")
async def test_a_limit_that_grows_lets_in_those_who_wait() -> None:
    async with locked_world(lambda name, pod: Outcome(delay_s=60.0), "1") as here:
        ref = await here.submit(workflow(FAN, leaf(SEMAPHORE)))
        await anyio.sleep(5)
        assert here.most_running == 1
        await set_limit(here, "4")
        await anyio.sleep(15)
        assert here.most_running == 4
        status = (await here.api.get(ref))["status"]
        messages = {entry.get("message") for entry in status["nodes"].values() if entry.get("synchronizationStatus")}
        assert messages == {"Waiting for default/ConfigMap/limits/k lock. Lock status: 0/4"}
        await set_limit(here, "1")
        await here.end_of(ref)
        assert here.most_running == 4


@pytest.mark.spec("SYNC-8")
@pytest.mark.spec("SYNC-12")
async def test_a_workflow_that_waits_for_its_lock_has_not_started() -> None:
    async with world(quick) as here:
        first = await here.submit(single(MUTEX), "one")
        await anyio.sleep(1)
        second = await here.submit(single(MUTEX), "two")
        await anyio.sleep(2)
        waiting, holding = await here.api.get(second), (await here.api.get(first))["status"]["synchronization"]
        status = waiting["status"]

        assert (status["phase"], "startedAt" in status) == ("Pending", False)
        assert waiting["metadata"]["labels"][labels.PHASE] == "Pending"
        assert status["message"] == "Waiting for default/Mutex/m lock. Lock status: 0/1"
        assert status["synchronization"] == {
            "mutex": {"waiting": [{"mutex": "default/Mutex/m", "holder": "default/one"}]}
        }
        assert holding == {"mutex": {"holding": [{"mutex": "default/Mutex/m", "holder": "default/one"}]}}
        for ref in (first, second):
            done = (await here.end_of(ref))["status"]
            assert (done["phase"], done.get("message"), "synchronization" in done) == ("Succeeded", None, False)
        assert here.most_running == 1


@pytest.mark.spec("SYNC-6")
async def test_a_higher_priority_goes_first() -> None:
    async with world(quick) as here:
        refs = [await here.submit(single(MUTEX), "zero")]
        await anyio.sleep(1)
        for name, priority in (("low", 1), ("high", 5), ("middle", 3)):
            refs.append(await here.submit(single(MUTEX, priority=priority), name))
        for ref in refs:
            await here.end_of(ref)

        assert here.created == ["zero", "high", "middle", "low"]


@pytest.mark.spec("SYNC-6")
@pytest.mark.spec("PRI-1")
async def test_a_priority_that_is_raised_while_it_waits_counts_at_once() -> None:
    async with world(quick) as here:
        refs = [await here.submit(single(MUTEX), "zero")]
        await anyio.sleep(1)
        refs += [await here.submit(single(MUTEX, priority=1), name) for name in ("low", "raised")]
        await anyio.sleep(1)
        await here.api.patch(refs[-1], {"spec": {"priority": 5}})
        for ref in refs:
            await here.end_of(ref)

        assert here.created == ["zero", "raised", "low"]


@pytest.mark.spec("SYNC-8")
@pytest.mark.spec("EXIT-4")
@pytest.mark.parametrize("strategy", ["Terminate", "Stop"])
async def test_a_workflow_that_waits_is_terminated_at_once_and_stopped_when_its_turn_comes(strategy: str) -> None:
    async with world(lambda name, pod: Outcome(delay_s=30.0)) as here:
        first = await here.submit(single(MUTEX), "one")
        await anyio.sleep(1)
        second = await here.submit(single(MUTEX, onExit="main"), "two")
        await anyio.sleep(2)
        await here.api.patch(second, {"spec": {"shutdown": strategy}})
        await anyio.sleep(5)
        ended = (await here.api.get(second))["status"]["phase"] == "Failed"
        assert ended == (strategy == "Terminate")
        done = await here.end_of(second)
        third = await here.submit(single(MUTEX), "three")

        assert (done["status"]["phase"], done["status"]["message"]) == ("Failed", f"Stopped with strategy '{strategy}'")
        assert done["status"]["startedAt"]
        stopped = {"two": "Failed", "two.onExit": "Succeeded"} if strategy == "Stop" else {}
        assert phases(done) == stopped
        for ref in (first, third):
            assert (await here.end_of(ref))["status"]["phase"] == "Succeeded"
        assert [name.partition("-")[0] for name in here.created] == ["one", *(["two"] if stopped else []), "three"]


@pytest.mark.spec("SYNC-9")
async def test_nodes_that_wait_end_with_the_shutdown_and_leave_the_lock_to_others() -> None:
    async with world(lambda name, pod: Outcome(delay_s=20.0)) as here:
        first = await here.submit(workflow(FAN, leaf(MUTEX)), "one")
        await anyio.sleep(2)
        await here.api.patch(first, {"spec": {"shutdown": "Terminate"}})
        done = await here.end_of(first)
        second = await here.end_of(await here.submit(workflow(FAN, leaf(MUTEX)), "two"))

        messages = sorted(entry["message"] for entry in nodes(done).values() if entry["type"] == "Pod")
        assert messages == ["Stopped with strategy 'Terminate'"] * 4 + ["workflow shutdown with strategy:  Terminate"]
        assert not any("synchronizationStatus" in entry for entry in nodes(done).values())
        assert second["status"]["phase"] == "Succeeded"


@pytest.mark.spec("TMO-1")
async def test_the_deadline_ends_nodes_that_wait() -> None:
    text = workflow(
        "\n  - name: main\n    steps:\n    - - {name: a, template: mine}\n"
        "  - name: mine\n    synchronization: {mutexes: [{name: m}]}\n    steps:\n    - - {name: b, template: leaf}\n",
        leaf("inputs: {}"),
        activeDeadlineSeconds=5,
    )
    async with world(lambda name, pod: Outcome(delay_s=60.0)) as here:
        await here.submit(workflow(FAN, leaf(MUTEX)), "one")
        await anyio.sleep(1)
        done = await here.end_of(await here.submit(text, "two"), limit_s=30)

        assert nodes(done)["a"]["message"] == "Step exceeded its deadline"
        assert done["status"]["phase"] == "Failed"


@pytest.mark.spec("SYNC-9")
async def test_a_deleted_workflow_holds_nothing_and_waits_for_nothing() -> None:
    async with world(lambda name, pod: Outcome(delay_s=20.0)) as here:
        first = await here.submit(workflow(FAN, leaf(MUTEX)), "one")
        await anyio.sleep(1)
        head = await here.submit(workflow(FAN, leaf(MUTEX)), "two")
        await anyio.sleep(1)
        last = await here.submit(workflow(FAN, leaf(MUTEX)), "three")
        await anyio.sleep(1)
        await here.api.delete(head)
        await here.api.delete(first)
        await anyio.sleep(5)

        assert holdings((await here.api.get(last))["status"])
        assert (await here.end_of(last))["status"]["phase"] == "Succeeded"


@pytest.mark.spec("SYNC-6")
async def test_a_suspended_workflow_does_not_stand_in_the_way() -> None:
    async with world(quick) as here:
        one = await here.submit(workflow(FAN, leaf(MUTEX)), "one")
        await anyio.sleep(1)
        two = await here.submit(workflow(FAN, leaf(MUTEX)), "two")
        await anyio.sleep(1)
        await here.api.patch(one, {"spec": {"suspend": True}})
        assert (await here.end_of(two))["status"]["phase"] == "Succeeded"
        assert len(here.created) == 6
        await here.api.patch(one, {"spec": {"suspend": None}})

        assert (await here.end_of(one))["status"]["phase"] == "Succeeded"
        assert here.most_running == 1


@pytest.mark.spec("RTY-11")
async def test_a_retried_node_keeps_its_lock_until_its_last_attempt() -> None:
    def script(name: str, pod: Object) -> Outcome:
        return Outcome(code=0 if name.endswith("(2)") else 1)

    strategy = "retryStrategy: {limit: 3, backoff: {duration: '5'}}, "
    async with world(script) as here:
        done = await here.end_of(await here.submit(workflow(FAN, leaf(MUTEX, strategy))))
        attempts = [entry for entry in nodes(done).values() if entry["type"] == "Pod"]
        order = [entry["displayName"] for entry in sorted(attempts, key=lambda entry: entry["startedAt"])]

        assert done["status"]["phase"] == "Succeeded"
        assert len(order) == 15
        assert all(len({name[:6] for name in order[at : at + 3]}) == 1 for at in range(0, 15, 3))
        assert here.most_running == 1


@pytest.mark.spec("RTY-5")
@pytest.mark.spec("RTY-11")
async def test_the_wait_for_a_lock_does_not_use_up_the_time_for_retries() -> None:
    def script(name: str, pod: Object) -> Outcome:
        return Outcome(delay_s=60.0) if name == "one" else Outcome(code=0 if name.endswith("(1)") else 1)

    async with world(script) as here:
        await here.submit(single(MUTEX), "one")
        await anyio.sleep(1)
        strategy = "retryStrategy: {limit: 3, backoff: {duration: '2', maxDuration: '30s'}}"
        two = f"spec: {{entrypoint: leaf, templates: [{leaf(MUTEX, strategy + ', ')}]}}"
        done = await here.end_of(await here.submit(two, "two"))

        assert done["status"]["phase"] == "Succeeded"


@pytest.mark.spec("PAR-3")
async def test_what_waits_for_a_lock_does_not_count_as_active() -> None:
    text = workflow(
        "\n  - name: main\n    steps:\n    - - {name: a, template: outer}\n      - {name: b, template: leaf}\n"
        "  - name: outer\n    synchronization: {mutexes: [{name: m}]}\n    steps:\n    - - {name: c, template: free}\n"
        "  - {name: free, container: {image: busybox, command: [echo]}}\n",
        leaf(MUTEX),
        parallelism=1,
    )
    async with world(quick) as here:
        done = await here.end_of(await here.submit(text), limit_s=120)

        assert done["status"]["phase"] == "Succeeded"
        assert here.most_running == 1


@pytest.mark.spec("SYNC-12")
async def test_who_waits_for_several_locks_names_all_that_somebody_has_and_every_semaphore() -> None:
    three = (
        "synchronization: {semaphores: [{configMapKeyRef: {name: limits, key: k}}], mutexes: [{name: m}, {name: free}]}"
    )
    async with locked_world(quick, "2") as here:
        await here.submit(single(MUTEX), "holder")
        await here.after(1)
        waiter = await here.submit(single(three), "waiter")
        await here.after(2)

        status = (await here.api.get(waiter))["status"]
        assert status["synchronization"] == {
            "semaphore": {"waiting": [{"semaphore": "default/ConfigMap/limits/k"}]},
            "mutex": {"waiting": [{"mutex": "default/Mutex/m", "holder": "default/holder"}]},
        }
        assert status["message"] == "Waiting for default/Mutex/m lock. Lock status: 0/1"
        done = await here.end_of(waiter)
        assert "synchronization" not in done["status"]
