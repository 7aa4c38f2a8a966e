"""What the newest seeds have besides: sets of containers, resource templates, sidecars, results of scripts, what the
items of a loop have made together, and metrics.

Earlier seeds stay what they were, so that a case that once went wrong is still that case.
"""

from __future__ import annotations

from random import Random
from typing import Any, Final

from tests.world import faults

FIRST: Final = faults.FIRST_NEWEST  # the first seed that has them
CONTAINER: Final[dict[str, Any]] = {"image": "busybox", "command": ["sh"]}
MADE: Final = {"outputs": {"parameters": [{"name": "p", "valueFrom": {"path": "/tmp/p"}}]}}
SET: Final[list[dict[str, Any]]] = [
    {"name": "first", **CONTAINER},
    {"name": "main", **CONTAINER, "dependencies": ["first"]},
    {"name": "beside", **CONTAINER},
]
GET: Final = {"action": "get", "manifest": "{apiVersion: v1, kind: ConfigMap, metadata: {name: limits}}"}
COUNTER: Final = {
    "name": "ended", "help": "how often it has ended", "labels": [{"key": "phase", "value": "{{status}}"}],
    "when": "{{status}} != Error", "counter": {"value": "1"},
}  # fmt: skip
LEAVES: Final[list[dict[str, Any]]] = [
    {"name": "set", **MADE, "containerSet": {"containers": SET}},
    {"name": "set-again", **MADE, "containerSet": {"containers": SET}, "retryStrategy": {"limit": 2}},
    {"name": "fetch", "resource": GET},
    {"name": "accompanied", "container": CONTAINER, "sidecars": [{"name": "beside", **CONTAINER}]},
    {"name": "measured", "container": CONTAINER, "metrics": {"prometheus": [COUNTER]}, "retryStrategy": {"limit": 1}},
    {"name": "tell", "script": {**CONTAINER, "source": "echo 1"}},
]
PLAIN: Final = frozenset({"leaf", "again", "always", "unless", "errors"})
OF_PLAIN: Final = ("set", "set-again", "fetch", "accompanied", "measured")
CONDITIONS: Final = frozenset({"when", "continueOn", "templateRef"})
LOOPS: Final = frozenset({"withItems", "withParam", "withSequence"})


def enrich(spec: dict[str, Any], seed: int) -> dict[str, Any]:
    """The spec with more in it."""
    dice = Random(f"{seed}/newest")
    spec["templates"] += [dict(leaf) for leaf in LEAVES]
    for template in spec["templates"]:
        if "steps" in template:
            for index, group in enumerate(template["steps"]):
                before = [call for former in template["steps"][:index] for call in former]
                _change(group, dice, "steps", lambda call, before=before: before)
        elif "dag" in template:
            tasks = {task["name"]: task for task in template["dag"]["tasks"]}
            _change(
                list(tasks.values()), dice, "tasks",
                lambda task, tasks=tasks: [tasks[name] for name in task.get("dependencies", ())],
            )  # fmt: skip
    if dice.random() < 0.3:
        spec["metrics"] = {"prometheus": [{**COUNTER, "name": "all_ended"}]}
    return spec


def _change(calls: list[dict[str, Any]], dice: Random, prefix: str, before: Any) -> None:
    """Let calls make something, and those after them use it."""
    for call in calls:
        if call.get("template") == "make" and dice.random() < 0.3:
            call["template"] = "set"
        if call.get("template") not in PLAIN:
            continue
        makers = [one for one in before(call) if one.get("template") in {"make", "set", "tell"} and _is_sure(one)]
        if makers and not LOOPS & call.keys() and dice.random() < 0.8:
            call["template"] = "say"
            looped = [one for one in makers if LOOPS & one.keys()]
            call["arguments"] = {"parameters": [{"name": "m", "value": _made(dice.choice(looped or makers), prefix)}]}
        elif _is_sure(call) and dice.random() < (0.8 if LOOPS & call.keys() else 0.3):
            call["template"] = dice.choice(["tell", "make"])
        elif dice.random() < 0.4:
            call["template"] = dice.choice(OF_PLAIN)


def _is_sure(call: dict[str, Any]) -> bool:
    """Whether whoever comes after it may be sure of what it makes."""
    return not CONDITIONS & call.keys() and call.get("withParam") != "[]"


def _made(call: dict[str, Any], prefix: str) -> str:
    what = "result" if call["template"] == "tell" else "parameters.p"
    return f"{{{{{prefix}.{call['name']}.outputs.{what}}}}}"
