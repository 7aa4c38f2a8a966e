"""What is told about pods, in the kubelet's words."""

from __future__ import annotations

from pathlib import Path

import anyio

from tests.node.cluster import cluster, pod, restarts, running, shell
from tests.node.test_signs import told


async def test_a_pods_life_is_told_as_the_kubelet_tells_it(tmp_path: Path) -> None:
    async with cluster(tmp_path / "node", "plain") as made:
        await made.create(shell("a", "sleep 60"))
        await made.until("a", running)
        await made.delete("a")
        await made.gone("a")
        assert await told(made, "a") == [
            ("Normal", "Scheduled", "Successfully assigned default/a to tiphys"),
            ("Normal", "Pulled", 'Container image "busybox" already present on machine'),
            ("Normal", "Created", "Created container: main"),
            ("Normal", "Started", "Started container main"),
            ("Normal", "Killing", "Stopping container main"),
        ]


async def test_what_cannot_start_and_what_crashes_is_a_warning(tmp_path: Path) -> None:
    async with cluster(tmp_path / "node", "plain") as made:
        await made.run(pod("missing", "no-such-command"))
        warnings = [(reason, message) for kind, reason, message in await told(made, "missing") if kind == "Warning"]
        assert [reason for reason, _ in warnings] == ["Failed"]
        assert warnings[0][1].startswith('Error: unable to start container process: exec: "no-such-command"')
        crashing = await made.create(shell("crash", "exit 1", spec={"restartPolicy": "Always"}))
        await made.until("crash", lambda p: restarts(p) == 1)
        where = f"crash_default({crashing['metadata']['uid']})"
        message = f"Back-off restarting failed container main in pod {where}"
        with anyio.fail_after(10):
            while ("Warning", "BackOff", message) not in await told(made, "crash"):  # noqa: ASYNC110
                await anyio.sleep(0.01)
        await made.delete("crash", grace_s=0)


async def test_a_failed_probe_says_why_the_container_is_killed(tmp_path: Path) -> None:
    probe = {"exec": {"command": ["false"]}, "periodSeconds": 0.05, "failureThreshold": 1}
    async with cluster(tmp_path / "node", "plain") as made:
        await made.create(shell("sick", "sleep 60", spec={"restartPolicy": "Always"}, livenessProbe=probe))
        await made.until("sick", lambda p: restarts(p) >= 1)
        events = await told(made, "sick")
        assert ("Normal", "Killing", "Container main failed liveness probe, will be restarted") in events
        assert ("Normal", "Killing", "Stopping container main") not in events
        await made.delete("sick", grace_s=0)
