"""Random workflows that fail somewhere, and the retry of them as the command line does it."""

from __future__ import annotations

from random import Random
from typing import Any

from actors.operations import retry
from runtime.objects import PODS, Object, Reference
from tests.world.world import World


def workflow(dice: Random) -> dict[str, Any]:
    """A workflow of nested steps and dags, with loops, retries, conditions and exit handlers."""
    leaf = {"name": "leaf", "container": {"image": "busybox", "command": ["true"]}}
    tries = {**leaf, "name": "tries", "retryStrategy": {"limit": 2}}
    templates: list[dict[str, Any]] = [leaf, tries, {"name": "rest", "suspend": {"duration": "5"}}]
    callable_ = ["leaf", "leaf", "tries", "rest"]
    for number in range(dice.randint(1, 4)):
        template = _composite(dice, callable_)
        template["name"] = f"t{number}"
        if dice.random() < 0.3:
            template["retryStrategy"] = {"limit": 1}
        templates.append(template)
        callable_.append(f"t{number}")
    spec: dict[str, Any] = {"entrypoint": callable_[-1], "templates": templates}
    if dice.random() < 0.4:
        spec["onExit"] = "leaf"
    return {"spec": spec}


def _composite(dice: Random, callable_: list[str]) -> dict[str, Any]:
    if dice.random() < 0.5:
        return {"steps": [[_call(dice, callable_, f"s{i}{j}") for j in range(dice.randint(1, 3))] for i in range(3)]}
    tasks: list[dict[str, Any]] = []
    for number in range(dice.randint(2, 5)):
        task = _call(dice, callable_, f"k{number}", continues=False)
        before = [f"k{i}" for i in range(number) if dice.random() < 0.5]
        if before:
            ends = ["", "", "", ".Failed"]
            task["depends"] = dice.choice([" && ", " || "]).join(name + dice.choice(ends) for name in before)
        tasks.append(task)
    return {"dag": {"tasks": tasks, **({"failFast": False} if dice.random() < 0.3 else {})}}


def _call(dice: Random, callable_: list[str], name: str, *, continues: bool = True) -> dict[str, Any]:
    call: dict[str, Any] = {"name": name, "template": dice.choice(callable_)}
    if dice.random() < 0.2:
        call["withItems"] = ["a", "b"]
    if dice.random() < 0.15:
        call["when"] = "1 == 2"
    if continues and dice.random() < 0.2:
        call["continueOn"] = {"failed": True}
    if dice.random() < 0.15:
        call["onExit"] = "leaf"
    return call


async def retried(here: World, ref: Reference, now: float, **options: Any) -> tuple[Object, list[str]]:
    """Retry a finished workflow: delete the pods, then write it. The object as written, and the deleted pods."""
    thing, pods = retry.retry(await here.api.get(ref), now, **options)
    for name in pods:
        there = [pod for pod in (await here.api.list(PODS)).items if pod["metadata"]["name"] == name]
        if there:
            await here.api.delete(Reference(PODS, ref.namespace, name))
    return await here.api.replace(here.workflows, thing), pods
