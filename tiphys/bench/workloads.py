"""The workflows that scenarios submit: plain functions from sizes to manifests, the same ones for every controller.

Pods are those of a simulated node, which end at once unless annotated; on a real node the same commands run for real.
"""

from __future__ import annotations

from random import Random
from typing import Any, TypeAlias

from actors.names import resources
from runtime.objects import Object, Resource

WORKFLOWS = Resource(*resources.WORKFLOW)
IMAGE = "busybox:1.36"
DELAY = "simulated.tiphys.dev/delay"

Template: TypeAlias = dict[str, Any]


def one_pod(name: str) -> Object:
    """A workflow of one pod that does nothing."""
    return workflow(name, [work()])


def chain(name: str, length: int) -> Object:
    """`length` steps, one after the other."""
    steps = [[{"name": f"s{at}", "template": "work"}] for at in range(length)]
    return workflow(name, [{"name": "main", "steps": steps}, work()], "main")


def pair(name: str, first_s: float) -> Object:
    """Two pods, one after the other; the first one runs for so long."""
    first = {**work(first_s), "name": "long"}
    steps = [[{"name": "first", "template": "long"}], [{"name": "second", "template": "work"}]]
    return workflow(name, [{"name": "main", "steps": steps}, first, work()], "main")


def fan_out(name: str, width: int, *, parallelism: int = 0) -> Object:
    """`width` pods of one loop, at most `parallelism` at a time (0: no limit)."""
    loop = {"name": "each", "template": "work", "withSequence": {"count": str(width)}}
    made = workflow(name, [{"name": "main", "steps": [[loop]]}, work()], "main")
    if parallelism:
        made["spec"]["parallelism"] = parallelism
    return made


def ladder(name: str, tasks: int) -> Object:
    """Two rails of tasks: each task waits for both of the rung before it."""
    rungs = [(f"l{at}", f"r{at}") for at in range(tasks // 2)]
    made: list[Template] = []
    for at, rung in enumerate(rungs):
        made += [_task(one, rungs[at - 1] if at else ()) for one in rung]
    return _graph(name, made)


def matrix(name: str, rows: int, columns: int) -> Object:
    """Rows of tasks, each of which waits for every task of the row before it."""
    table = [[f"t{row}-{column}" for column in range(columns)] for row in range(rows)]
    made = [_task(one, table[at - 1] if at else ()) for at, row in enumerate(table) for one in row]
    return _graph(name, made)


def random_graph(name: str, tasks: int, seed: int = 1) -> Object:
    """Tasks that wait for up to three of the hundred before them, as the seed has it."""
    random = Random(seed)  # noqa: S311  a shape, not a secret
    made = []
    for at in range(tasks):
        before = range(max(0, at - 100), at)
        waits = random.sample(before, min(len(before), random.randint(0, 3)))
        made.append(_task(f"t{at}", [f"t{one}" for one in waits]))
    return _graph(name, made)


def locked(name: str, *, limit: int) -> Object:
    """One pod under a lock that all such workflows share: a mutex, or a semaphore of the ConfigMap `bench-locks`."""
    made = one_pod(name)
    if limit == 1:
        made["spec"]["synchronization"] = {"mutexes": [{"name": "bench"}]}
    else:
        place = {"name": "bench-locks", "key": "limit"}
        made["spec"]["synchronization"] = {"semaphores": [{"configMapKeyRef": place}]}
    return made


def work(delay_s: float = 0.0) -> Template:
    """A template whose pod does nothing, for so long."""
    made: Template = {"name": "work", "container": {"image": IMAGE, "command": ["true"]}}
    if delay_s:
        made["metadata"] = {"annotations": {DELAY: str(delay_s)}}
        made["container"]["command"] = ["sleep", str(delay_s)]
    return made


def workflow(name: str, templates: list[Template], entrypoint: str = "work") -> Object:
    """The Workflow around templates; its pods are deleted as they end."""
    return {
        "apiVersion": WORKFLOWS.api_version,
        "kind": WORKFLOWS.kind,
        "metadata": {"name": name},
        "spec": {"entrypoint": entrypoint, "podGC": {"strategy": "OnPodCompletion"}, "templates": templates},
    }


def _task(name: str, waits: Any) -> Template:
    task: Template = {"name": name, "template": "work"}
    if waits:
        task["dependencies"] = list(waits)
    return task


def _graph(name: str, tasks: list[Template]) -> Object:
    return workflow(name, [{"name": "main", "dag": {"tasks": tasks}}, work()], "main")
