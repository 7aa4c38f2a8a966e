"""kubectl as tests run it: against one cluster, in an environment of its own, with its whole output."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import anyio

from tiphys.devcluster.cluster import DevCluster

Kubectl = Callable[..., Awaitable[str]]
"""(arguments…, stdin="", fails=False) -> what it said. The test fails when it ends otherwise than `fails` says."""


def environment_of(cluster: DevCluster, home: Path) -> dict[str, str]:
    """The variables of a kubectl that knows this cluster only."""
    return {"KUBECONFIG": str(cluster.kubeconfig), "HOME": str(home), "PATH": "/usr/bin:/bin:/usr/local/bin"}


def runner(environment: dict[str, str]) -> Kubectl:
    """Runs kubectl in this environment."""

    async def run(*arguments: str, stdin: str = "", fails: bool = False) -> str:
        with anyio.fail_after(60):
            done = await anyio.run_process(["kubectl", *arguments], input=stdin.encode(), env=environment, check=False)
        output = (done.stdout + done.stderr).decode()
        assert (done.returncode != 0) == fails, output
        return output

    return run
