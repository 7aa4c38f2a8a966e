"""Random workflows: nested steps and dags, loops, retries, conditions, hooks, locks, daemons, outputs, templates of
others; large enough that something is always under way."""

from __future__ import annotations

from random import Random
from typing import Any

from tests.world import extra_flows, further_flows, newest_flows
from tests.world.oracle import Oracle

NODES_MIN, NODES_MAX = 22, 70
CONTAINER: dict[str, Any] = {"image": "busybox", "command": ["sh"]}
MADE = {"outputs": {"parameters": [{"name": "p", "valueFrom": {"path": "/tmp/p"}}]}}
GIVEN = {"inputs": {"parameters": [{"name": "m", "default": "x"}]}}


def _kind(name: str) -> dict[str, Any]:
    return {"metadata": {"annotations": {"kind": name}}}


LEAVES: list[dict[str, Any]] = [
    {"name": "leaf", "container": CONTAINER},
    {"name": "again", "retryStrategy": {"limit": 2}, "container": CONTAINER},
    {
        "name": "always",
        "retryStrategy": {"limit": "1", "retryPolicy": "Always", "backoff": {"duration": "2", "factor": 2}},
        "container": CONTAINER,
    },
    {
        "name": "unless",
        "retryStrategy": {"limit": 2, "expression": "lastRetry.status != 'Error'"},
        "container": CONTAINER,
    },
    {
        "name": "errors",
        "retryStrategy": {
            "limit": 2,
            "retryPolicy": "OnError",
            "backoff": {"duration": "30s", "factor": 2, "cap": "40s"},
        },
        "container": CONTAINER,
    },
    {"name": "rest", "suspend": {"duration": "2"}},
    {"name": "ask", "suspend": {}},
    {"name": "make", **MADE, "script": {"image": "python", "command": ["python"], "source": "print(1)"}},
    {"name": "say", **GIVEN, "container": {**CONTAINER, "args": ["{{inputs.parameters.m}}"]}},
    {"name": "alone", "synchronization": {"mutexes": [{"name": "one"}]}, "container": CONTAINER},
    {
        "name": "two",
        "synchronization": {"semaphores": [{"configMapKeyRef": {"name": "limits", "key": "two"}}]},
        "retryStrategy": {"limit": 1},
        "container": CONTAINER,
    },
    {
        "name": "both",
        "synchronization": {
            "semaphores": [{"configMapKeyRef": {"name": "limits", "key": "two"}}], "mutexes": [{"name": "one"}]
        },
        "container": CONTAINER,
    },
    {"name": "slow", **_kind("slow"), "timeout": "3h", "container": CONTAINER},
    {"name": "serve", **_kind("daemon"), "daemon": True, "container": CONTAINER},
    {
        "name": "memo", **_kind("sure"), **GIVEN, **MADE,
        "memoize": {"key": "{{inputs.parameters.m}}", "cache": {"configMap": {"name": "memory"}}},
        "script": {"image": "python", "command": ["python"], "source": "print(1)"},
    },
]  # fmt: skip
LIBRARY: list[dict[str, Any]] = [
    {"name": "shared", "container": CONTAINER},
    {"name": "pair", "steps": [[{"name": "a", "template": "shared"}, {"name": "b", "template": "shared"}]]},
]
EVERYWHERE = (
    "leaf",
    "again",
    "always",
    "unless",
    "errors",
    "rest",
    "make",
    "say",
    "alone",
    "two",
    "both",
    "slow",
    "memo",
)
PODS_GC = ("OnPodCompletion", "OnPodSuccess", "OnWorkflowCompletion", "OnWorkflowSuccess")


def random_spec(seed: int, *, nodes: tuple[int, int] = (NODES_MIN, NODES_MAX)) -> dict[str, Any]:
    """A workflow's spec of about so many nodes when all goes well; its composites call leaves and those before them."""
    best: dict[str, Any] = {}
    distance = 10_000
    fewest, most = nodes if seed % 10**9 < newest_flows.FIRST else (nodes[0] + 4, nodes[1])
    for number in range(40):
        spec = _spec(Random(f"{seed}/flow/{number}"))
        if seed % 10**9 >= extra_flows.FIRST:
            extra_flows.enrich(spec, seed)
        if seed % 10**9 >= further_flows.FIRST:
            further_flows.enrich(spec, seed)
        if seed % 10**9 >= newest_flows.FIRST:
            newest_flows.enrich(spec, seed)
        size = size_of(spec)
        away = max(fewest - size, size - most, 0)
        if away < distance:
            best, distance = spec, away
        if not away:
            break
    return best


def size_of(spec: dict[str, Any]) -> int:
    """How many nodes it has when everything succeeds."""
    oracle = Oracle(spec, lambda node: "Succeeded", made=lambda name: '["1","b"]', library=LIBRARY)
    oracle.end()
    return len(oracle.phases)


def _spec(dice: Random) -> dict[str, Any]:
    templates = [dict(leaf) for leaf in LEAVES]
    names = list(EVERYWHERE) + (["ask"] if dice.random() < 0.3 else [])
    calm = dice.random() < 0.5  # no limits: daemons may serve without standing in anybody's way
    for number in range(dice.randint(2, 5)):
        composite: dict[str, Any] = {"name": f"c{number}"}
        if dice.random() < 0.5:
            composite["steps"] = _steps(dice, names, daemons=calm)
        else:
            composite["dag"] = _dag(dice, names)
        if dice.random() < 0.15:
            composite["retryStrategy"] = {"limit": dice.randint(0, 1)}
        if not calm and dice.random() < 0.5:
            composite["parallelism"] = dice.randint(1, 3)
        if dice.random() < 0.1:
            composite["synchronization"] = {"mutexes": [{"name": f"of-c{number}"}]}
        templates.append(composite)
        names.append(composite["name"])
    spec: dict[str, Any] = {"entrypoint": templates[-1]["name"], "templates": templates}
    if dice.random() < 0.4:
        spec["onExit"] = dice.choice(["leaf", "again", "c0"])
    if not calm and dice.random() < 0.7:
        spec["parallelism"] = dice.randint(1, 4)
    if dice.random() < 0.2:
        spec["hooks"] = {
            "running": {"template": "leaf", "expression": 'workflow.status == "Running"'},
            "over": {"template": "leaf", "expression": 'workflow.status == "Succeeded"'},
        }
    if dice.random() < 0.5:
        spec["podGC"] = {"strategy": dice.choice(PODS_GC), "deleteDelayDuration": dice.choice(["0s", "5s"])}
    return spec


def _call(dice: Random, name: str, names: list[str], prefix: str, makers: list[str]) -> dict[str, Any]:
    weights = [4 if template[0] == "c" else 3 if template == "leaf" else 1 for template in names]
    call: dict[str, Any] = {"name": name, "template": dice.choices(names, weights)[0]}
    if dice.random() < 0.1:
        call["when"] = dice.choice(["true", "false"])
    loop = dice.random()
    value = "{{item}}" if loop < 0.25 else "plain"
    if loop < 0.1:
        call["withItems"] = ["a", "b", "c"][: dice.randint(1, 3)]
    elif loop < 0.15:
        call["withSequence"] = {"count": str(dice.randint(1, 3))}
    elif loop < 0.25:
        source = [f"{{{{{prefix}.{maker}.outputs.parameters.p}}}}" for maker in makers]
        call["withParam"] = dice.choice([*source, '["u","v"]'])
    if dice.random() < 0.08 and call["template"] == "leaf":
        del call["template"]
        call["templateRef"] = {"name": "library", "template": dice.choice(["shared", "pair"])}
    if call.get("template") in {"say", "memo"}:
        if value == "plain" and makers:
            value = f"{{{{{prefix}.{dice.choice(makers)}.outputs.parameters.p}}}}" if call["template"] == "say" else "k"
        call["arguments"] = {"parameters": [{"name": "m", "value": value}]}
    if dice.random() < 0.15 and "templateRef" not in call:
        call["hooks"] = {"exit": {"template": dice.choice(["leaf", "again"])}}
    if dice.random() < 0.1 and "templateRef" not in call:
        done = {"template": "leaf", "expression": f'{prefix}["{name}"].status == "Succeeded"'}
        call["hooks"] = {"done": done, **call.get("hooks", {})}
    return call


def _makes(call: dict[str, Any]) -> bool:
    """Whether whoever comes later may be sure of its output when it has not failed."""
    plain = not {"when", "withItems", "withParam", "withSequence", "continueOn", "templateRef"} & call.keys()
    return plain and call["template"] == "make"


def _steps(dice: Random, names: list[str], *, daemons: bool) -> list[list[dict[str, Any]]]:
    groups: list[list[dict[str, Any]]] = []
    makers: list[str] = []
    for index in range(dice.randint(2, 4)):
        group = [_call(dice, f"s{index}{letter}", names, "steps", makers) for letter in "xyz"[: dice.randint(1, 3)]]
        for call in group:
            if dice.random() < 0.3:
                call["continueOn"] = dice.choice([{"failed": True}, {"error": True}, {"failed": True, "error": True}])
        if daemons and dice.random() < 0.1:
            group.append({"name": f"s{index}d", "template": "serve"})
        makers += [call["name"] for call in group if _makes(call)]
        groups.append(group)
    return groups


def _dag(dice: Random, names: list[str]) -> dict[str, Any]:
    tasks: list[dict[str, Any]] = []
    plain = dice.random() < 0.4  # `dependencies`, the older way to say it
    for number in range(dice.randint(2, 6)):
        needs = dice.sample([one["name"] for one in tasks], dice.randint(0, min(2, len(tasks))))
        known = {one["name"]: one for one in tasks}
        makers = [need for need in needs if plain and _makes(known[need])]
        task = _call(dice, f"T{number}", names, "tasks", makers)
        if needs and plain:
            task["dependencies"] = needs
        elif needs:
            ends = ("", "", "", ".Succeeded", ".Failed", ".Skipped", ".Omitted", ".Errored")
            parts = [need + dice.choice(ends) for need in needs]
            task["depends"] = dice.choice([" && ", " || "]).join(parts)
        if plain and dice.random() < 0.2:
            task["continueOn"] = dice.choice([{"failed": True}, {"error": True}])
        tasks.append(task)
    return {"tasks": tasks, **({"failFast": False} if dice.random() < 0.2 else {})}
