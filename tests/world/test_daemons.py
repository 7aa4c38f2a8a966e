"""Daemons: ready is enough to go on, their boundary ends them, and ending by themselves is a failure."""

from __future__ import annotations

import pytest

from runtime.objects import Object
from tests.world.flows import arguments_of, flow, named, nodes, phases, run, table
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
