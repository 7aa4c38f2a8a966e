"""What the tests of whole runs share: workflows written short, pods that end as a table says, nodes by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from actors.names import ids
from runtime.objects import Object
from tests.world.world import Outcome, Script, world

LEAF = "{name: leaf, inputs: {parameters: [{name: m, default: x}]}, container: {image: busybox, command: [echo]}}"
MAKE = (
    "{name: make, outputs: {parameters: [{name: p, valueFrom: {path: /tmp/p}}]},"
    " script: {image: python, command: [python], source: 'print(1)'}}"
)
WAIT = "{name: rest, suspend: {}}"


def nodes(workflow: Object) -> dict[str, Object]:
    """The nodes by display name."""
    return {entry["displayName"]: entry for entry in workflow["status"]["nodes"].values()}


def named(workflow: Object) -> dict[str, Object]:
    """The nodes by full name."""
    return {entry["name"]: entry for entry in (workflow["status"].get("nodes") or {}).values()}


def phases(workflow: Object) -> dict[str, str]:
    """Full name -> phase."""
    return {name: entry["phase"] for name, entry in named(workflow).items()}


def node_id(name: str) -> str:
    """The id of a node of workflow `w`."""
    return ids.node_id("w", name)


def flow(templates: str, **spec: object) -> str:
    """A workflow with the usual leaves beside `templates`; `main` is its entrypoint."""
    more = "".join(f"\n  {key}: {value}" for key, value in spec.items())
    return f"spec:\n  entrypoint: main{more}\n  templates:\n  - {LEAF}\n  - {MAKE}\n  - {WAIT}\n{templates}"


def table(**outcomes: Outcome) -> Script:
    """Pods end as the entry says whose key ends their node's name (`b=` for `w[1].b`); others succeed in a second."""

    def script(name: str, pod: Object) -> Outcome:
        del pod
        last = name.rpartition(".")[2]
        return outcomes.get(last, outcomes.get(last.partition("(")[0], Outcome()))

    return script


FAIL = Outcome(code=1)


async def run(text: str, script: Script | None = None, *, limit_s: float = 7200.0, **options: Any) -> Object:
    """Run a workflow to its end and until nothing is left to do."""
    async with world(script or table(), **options) as here:
        ref = await here.submit(text)
        await here.end_of(ref, limit_s=limit_s)
        return await here.at_rest(ref)


def arguments_of(seen: dict[str, list[str]], then: Script | None = None) -> Script:
    """A script that also notes the arguments of every pod's main container, by node name."""
    go_on: Callable[[str, Object], Outcome] = then or table()

    def script(name: str, pod: Object) -> Outcome:
        main = next(entry for entry in pod["spec"]["containers"] if entry["name"] == "main")
        seen[name] = list(main.get("args") or ())
        return go_on(name, pod)

    return script
