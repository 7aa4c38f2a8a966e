"""Random workflows: nested steps and dags, loops, retries, conditions, hooks, with an outcome for every pod."""

from __future__ import annotations

import zlib
from random import Random
from typing import Any

from tests.world.oracle import Outcomes

LEAVES: list[dict[str, Any]] = [
    {"name": "leaf", "container": {"image": "busybox", "command": ["sh"]}},
    {"name": "again", "retryStrategy": {"limit": 2}, "container": {"image": "busybox", "command": ["sh"]}},
    {
        "name": "always",
        "retryStrategy": {"limit": "1", "retryPolicy": "Always", "backoff": {"duration": "2", "factor": 2}},
        "container": {"image": "busybox", "command": ["sh"]},
    },
    {"name": "rest", "suspend": {"duration": "2"}},
]


def random_spec(dice: Random) -> dict[str, Any]:
    """A workflow's spec; its composites call leaves and the composites before them."""
    templates = [dict(leaf) for leaf in LEAVES]
    for number in range(dice.randint(1, 4)):
        names = [template["name"] for template in templates]
        kind = dice.choice(["steps", "dag"])
        composite: dict[str, Any] = {"name": f"c{number}"}
        composite[kind] = _steps(dice, names) if kind == "steps" else {"tasks": _tasks(dice, names)}
        if dice.random() < 0.2:
            composite["retryStrategy"] = {"limit": dice.randint(0, 1)}
        if dice.random() < 0.2:
            composite["parallelism"] = dice.randint(1, 3)
        templates.append(composite)
    spec: dict[str, Any] = {"entrypoint": templates[-1]["name"], "templates": templates}
    if dice.random() < 0.4:
        spec["onExit"] = dice.choice(["leaf", "again", "c0"])
    if dice.random() < 0.3:
        spec["parallelism"] = dice.randint(1, 3)
    return spec


def _call(dice: Random, name: str, names: list[str]) -> dict[str, Any]:
    weights = [3 if template[0] != "c" else 4 for template in names]
    call: dict[str, Any] = {"name": name, "template": dice.choices(names, weights)[0]}
    if dice.random() < 0.15:
        call["when"] = dice.choice(["true", "false"])
    if dice.random() < 0.2:
        call["withItems"] = ["a", "b", "c"][: dice.randint(1, 3)]
    if dice.random() < 0.2:
        call["hooks"] = {"exit": {"template": dice.choice(["leaf", "again"])}}
    return call


def _steps(dice: Random, names: list[str]) -> list[list[dict[str, Any]]]:
    groups = []
    for index in range(dice.randint(1, 3)):
        group = [_call(dice, f"s{index}{letter}", names) for letter in "xyz"[: dice.randint(1, 3)]]
        for call in group:
            if dice.random() < 0.3:
                call["continueOn"] = dice.choice([{"failed": True}, {"error": True}, {"failed": True, "error": True}])
        groups.append(group)
    return groups


def _tasks(dice: Random, names: list[str]) -> list[dict[str, Any]]:
    tasks: list[dict[str, Any]] = []
    for number in range(dice.randint(1, 5)):
        task = _call(dice, f"T{number}", names)
        needs = dice.sample([one["name"] for one in tasks], dice.randint(0, min(2, len(tasks))))
        if needs:
            ends = ("", "", "", ".Succeeded", ".Failed", ".Skipped", ".Omitted", ".Errored")
            parts = [need + dice.choice(ends) for need in needs]
            task["depends"] = dice.choice([" && ", " || "]).join(parts)
        tasks.append(task)
    return tasks


def random_outcomes(seed: int, bad: float = 0.25) -> Outcomes:
    """Succeeded, Failed or Error by the name of a node and nothing else."""

    def outcome(name: str) -> str:
        throw = (zlib.crc32(f"{seed}/{name}".encode()) % 10_000) / 10_000
        return "Error" if throw < bad / 3 else "Failed" if throw < bad else "Succeeded"

    return outcome
