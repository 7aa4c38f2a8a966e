"""Daemons: ready is enough to go on, their boundary ends them, and ending by themselves is a failure."""

from __future__ import annotations

import json

import pytest

from runtime.objects import PODS, Object
from tests.upstream_view import shown
from tests.world.flows import arguments_of, flow, named, node_id, nodes, phases, run, table
from tests.world.world import Outcome, world

pytestmark = pytest.mark.virtual_time

SERVE = """
  - name: serve
    daemon: true
    container: {image: nginx, command: [nginx]}
  - name: ask
    inputs: {parameters: [{name: ip}]}
    container: {image: busybox, command: [echo], args: ["{{inputs.parameters.ip}}"]}
"""
FOREVER = Outcome(delay_s=3000)
BEGUN = "2026-01-01T00:00:00Z"
STEPS = flow(f"""{SERVE}
  - name: main
    steps:
    - - {{name: d, template: serve}}
    - - {{name: c, template: ask, arguments: {{parameters: [{{name: ip, value: "{{{{steps.d.ip}}}}"}}]}}}}
""")


@pytest.mark.spec("DMN-1")
@pytest.mark.spec("DMN-2")
@pytest.mark.spec("DMN-4")
@pytest.mark.spec("DMN-5")
async def test_a_daemon_serves_until_its_boundary_is_complete() -> None:
    seen: dict[str, list[str]] = {}
    done = await run(STEPS, arguments_of(seen, table(d=FOREVER)))

    found = named(done)
    assert seen["w[1].c"] == ["10.0.0.1"]
    assert found["w[0].d"]["phase"] == "Succeeded"
    assert "daemoned" not in found["w[0].d"]
    assert found["w[0].d"]["finishedAt"] >= found["w[1].c"]["finishedAt"]
    assert done["status"]["phase"] == "Succeeded"
    assert done["status"]["progress"] == "2/2"


@pytest.mark.spec("DMN-1")
async def test_while_it_serves_it_is_running_and_daemoned() -> None:
    async with world(table(d=FOREVER, c=Outcome(delay_s=100))) as here:
        ref = await here.submit(STEPS)
        await here.after(30)
        daemon = named(await here.api.get(ref))["w[0].d"]

    assert (daemon["phase"], daemon["daemoned"], daemon["podIP"]) == ("Running", True, "10.0.0.1")


@pytest.mark.spec("DMN-1")
@pytest.mark.parametrize(("limit", "phase"), [("", "Pending"), ("pendingTimeout: 10s", "Failed")])
async def test_a_daemon_is_pending_until_it_is_ready(limit: str, phase: str) -> None:
    text = STEPS.replace("daemon: true", f"daemon: true{chr(10)}    {limit}")
    async with world(table(d=Outcome(delay_s=3000, never_ready=True))) as here:
        ref = await here.submit(text)
        await here.after(30)
        daemon = named(await here.api.get(ref))["w[0].d"]
        (pod,) = (await here.api.list(PODS)).items

    assert (daemon["phase"], daemon.get("message", "")) == (phase, "timeout" if limit else "")
    assert "daemoned" not in daemon
    assert pod["status"]["phase"] == ("Failed" if limit else "Running")


@pytest.mark.spec("DMN-2")
async def test_a_daemon_of_a_nested_template_ends_with_it() -> None:
    done = await run(flow(f"""{SERVE}
  - name: inner
    steps: [[{{name: d, template: serve}}]]
  - name: main
    steps: [[{{name: in, template: inner}}], [{{name: b, template: leaf}}]]
"""), table(d=FOREVER, b=Outcome(delay_s=30)))  # fmt: skip

    found = nodes(done)
    assert found["d"]["finishedAt"] < found["b"]["finishedAt"]


@pytest.mark.spec("DMN-3")
async def test_a_daemon_that_ends_by_itself_before_it_is_ready_fails() -> None:
    done = await run(STEPS, table(d=Outcome(never_ready=True)))

    assert phases(done)["w[0].d"] == "Failed"
    assert done["status"]["phase"] == "Failed"


@pytest.mark.spec("DMN-3")
async def test_a_retried_daemon_is_started_again() -> None:
    text = flow(f"""{
        SERVE.replace("daemon: true", "daemon: true, retryStrategy: {limit: 2}").replace(
            "daemon: true, retry", "daemon: true" + chr(10) + "    retry"
        )
    }
  - name: main
    steps: [[{{name: d, template: serve}}], [{{name: b, template: leaf}}]]
""")

    def script(name: str, pod: Object) -> Outcome:
        del pod
        return Outcome(delay_s=10) if name.endswith("d(0)") else Outcome(delay_s=60) if name.endswith(".b") else FOREVER

    done = await run(text, script)

    found = phases(done)
    assert (found["w[0].d(0)"], found["w[0].d(1)"], found["w[0].d"]) == ("Failed", "Succeeded", "Succeeded")
    assert done["status"]["phase"] == "Succeeded"


@pytest.mark.spec("DMN-2")
@pytest.mark.parametrize("attempt", ["Succeeded", "Running"])
async def test_a_daemon_ends_in_the_life_after_that_which_ended_what_it_served(attempt: str) -> None:
    """All is over but the exit handler, and what the record does not say yet of the daemon nobody is left to say."""
    served: list[tuple[str, str, str, Object]] = [
        ("w", "Steps", "Failed", {"children": [node_id("w[0]")]}),
        ("w[0]", "StepGroup", "Succeeded", {"children": [node_id("w[0].d")]}),
        ("w[0].d", "Retry", "Running", {"daemoned": True, "children": [node_id("w[0].d(0)")]}),
        ("w[0].d(0)", "Pod", attempt, {"daemoned": True} if attempt == "Running" else {"finishedAt": BEGUN}),
    ]
    text = flow(f"""{SERVE.replace("daemon: true", "daemon: true" + chr(10) + "    retryStrategy: {limit: 2}")}
  - name: main
    steps: [[{{name: d, template: serve}}], [{{name: b, template: leaf}}]]
""", onExit="leaf")  # fmt: skip
    async with world(table()) as here:
        ref = await here.submit(f"{text}\nstatus: {json.dumps(on_record(served))}")
        done = await here.end_of(ref)
        await here.at_rest(ref)

    found = named(done)
    assert {name: entry["phase"] for name, entry in found.items()} == {
        "w": "Failed", "w[0]": "Succeeded", "w[0].d": "Succeeded", "w[0].d(0)": attempt.replace("Running", "Succeeded"),
        "w.onExit": "Succeeded",
    }  # fmt: skip
    assert not any(entry.get("daemoned") for entry in found.values())
    assert done["status"]["phase"] == "Failed"


@pytest.mark.spec("DMN-2")
async def test_a_retried_daemon_serves_in_the_next_life_as_well() -> None:
    """Its group has ended, and its boundary has not."""
    text = flow(f"""{SERVE.replace("daemon: true", "daemon: true" + chr(10) + "    retryStrategy: {limit: 2}")}
  - name: main
    steps: [[{{name: d, template: serve}}], [{{name: b, template: leaf}}]]
""")  # fmt: skip

    def script(name: str, pod: Object) -> Outcome:
        del pod
        return Outcome(delay_s=60) if name.endswith(".b") else FOREVER

    async with world(script) as here:
        ref = await here.submit(text)
        await here.after(30)
        here.die()
        await here.after(10)
        serving = named(await here.api.get(ref))["w[0].d"]
        done = await here.end_of(ref)

    assert (serving["phase"], serving["daemoned"]) == ("Running", True)
    assert phases(done)["w[0].d"] == "Succeeded"
    assert len(here.created) == 2


def on_record(nodes: list[tuple[str, str, str, Object]]) -> Object:
    """The status of a workflow under way: name, type, phase and whatever else there is of each node."""
    entries = {
        node_id(name): {
            "id": node_id(name), "name": name, "displayName": shown(name, "w" if name != "w" else ""), "type": kind,
            "phase": phase, "startedAt": BEGUN, "templateName": "serve" if kind in {"Pod", "Retry"} else "main",
            "templateScope": "local/w", "boundaryID": "" if name == "w" else "w",
            **({"finishedAt": BEGUN} if phase != "Running" else {}), **more,
        }
        for name, kind, phase, more in nodes
    }  # fmt: skip
    return {"phase": "Running", "startedAt": BEGUN, "progress": "0/1", "nodes": entries}


@pytest.mark.spec("DMN-6")
@pytest.mark.spec("DAG-6")
async def test_a_daemon_satisfies_a_bare_dependency() -> None:
    done = await run(flow(f"""{SERVE}
  - name: main
    dag:
      tasks:
      - {{name: D, template: serve}}
      - {{name: B, template: leaf, depends: D}}
      - {{name: C, template: leaf, depends: D.Daemoned}}
      - {{name: E, template: leaf, depends: D.Succeeded}}
"""), table(D=FOREVER))  # fmt: skip

    found = phases(done)
    assert (found["w.B"], found["w.C"], found["w.E"], found["w.D"]) == (
        "Succeeded",
        "Succeeded",
        "Omitted",
        "Succeeded",
    )
    assert done["status"]["phase"] == "Succeeded"


@pytest.mark.spec("DMN-4")
async def test_a_daemon_as_entrypoint_is_ended_at_once() -> None:
    text = flow("  - name: main\n    daemon: true\n    container: {image: nginx, command: [nginx]}\n")
    done = await run(text, table(w=FOREVER))

    assert done["status"]["phase"] == "Succeeded"


@pytest.mark.spec("DMN-2")
@pytest.mark.spec("OP-1")
async def test_a_stop_ends_a_daemon_well() -> None:
    async with world(table(d=FOREVER, c=FOREVER)) as here:
        ref = await here.submit(STEPS)
        await here.after(30)
        await here.api.patch(ref, {"spec": {"shutdown": "Stop"}})
        await here.end_of(ref, limit_s=120)
        done = await here.at_rest(ref)

    assert phases(done)["w[0].d"] == "Succeeded"
    assert done["status"]["phase"] == "Failed"
