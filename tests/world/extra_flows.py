"""What later seeds have besides: targets of dags, loops over nothing, strategies that give up by other rules, limits of
time, failures that close a template, and a strategy for all templates.

Earlier seeds stay what they were, so that a case that once went wrong is still that case.
"""

from __future__ import annotations

from random import Random
from typing import Any

from tests.world import faults

FIRST = faults.FIRST_LATER  # the first seed that has them

LEAVES: list[dict[str, Any]] = [
    # The wait would be longer than all attempts may take together.
    {"name": "brief", "retryStrategy": {"limit": 3, "backoff": {"duration": "40h", "maxDuration": "39h"}}},
    {"name": "transient", "retryStrategy": {"limit": 2, "retryPolicy": "OnTransientError"}},
    {"name": "endless", "retryStrategy": {"retryPolicy": "OnError"}},
]
STRATEGIES: dict[str, dict[str, Any]] = {
    # All attempts together may take less than the first one does, or than it and a wait.
    "hasty": {"limit": 3, "backoff": {"duration": "2", "maxDuration": "1"}},
    "steady": {"limit": 2, "backoff": {"duration": "1", "factor": 0, "cap": "3"}},
    "given": {"limit": "{{inputs.parameters.n}}"},
    "wrong-limit": {"limit": "{{inputs.parameters.p}}"},
    "wrong-wait": {"limit": 1, "backoff": {"duration": "{{inputs.parameters.p}}"}},
    "no-wait": {"limit": 1, "backoff": {"factor": 2}},
    "no-answer": {"limit": 1, "expression": "lastRetry.status"},
    "no-such": {"limit": 1, "expression": "asInt(lastRetry.message) > 1"},
    "apart": {"limit": 2, "affinity": {"nodeAntiAffinity": {}}},
}
"""Strategies by the names of their leaves; those with a wrong, or no, something end in an Error after a failure."""
UNREADABLE = frozenset({"wrong-limit", "wrong-wait", "no-wait", "no-answer", "no-such"})
LEAVES_OF_DAGS = [*(leaf["name"] for leaf in LEAVES), *STRATEGIES]
LEAVES_OF_STEPS = [name for name in LEAVES_OF_DAGS if name not in UNREADABLE]  # their group would be an Error too
GIVEN = {"inputs": {"parameters": [{"name": "n", "default": "2"}, {"name": "p", "default": "some"}]}}
ALL = ({"limit": 1}, {"limit": "1", "retryPolicy": "Always"}, {"limit": 1, "retryPolicy": "OnError"})
SHORT_S = (3, 8, 20, 60)  # deadlines that pass while it runs
LONG_S = 1_000_000


def enrich(spec: dict[str, Any], seed: int) -> dict[str, Any]:
    """The spec with more in it."""
    dice = Random(f"{seed}/extras")
    container = {"image": "busybox", "command": ["sh"]}
    spec["templates"] += [{**leaf, "container": container} for leaf in LEAVES]
    spec["templates"] += [
        {"name": name, **GIVEN, "retryStrategy": strategy, "container": container}
        for name, strategy in STRATEGIES.items()
    ]
    for template in spec["templates"]:
        for call in _calls(template):
            _change(call, dice, LEAVES_OF_STEPS if "steps" in template else LEAVES_OF_DAGS)
        if "dag" in template and dice.random() < 0.2:
            names = [task["name"] for task in template["dag"]["tasks"]]
            template["dag"]["target"] = " ".join(dice.sample(names, dice.randint(1, min(2, len(names)))))
        if template["name"][0] == "c" and dice.random() < 0.15:
            template["failFast"] = True
    _of_all(spec, dice)
    return spec


def _of_all(spec: dict[str, Any], dice: Random) -> None:
    """What a workflow says for all of its templates, or as a whole."""
    draw = dice.random()
    if draw < 0.06:
        spec["activeDeadlineSeconds"] = dice.choice(SHORT_S)
    elif draw < 0.2:
        spec["activeDeadlineSeconds"] = LONG_S
    if dice.random() < 0.1:
        spec["retryStrategy"] = dice.choice(ALL)
        for template in spec["templates"]:
            for call in _calls(template):  # what is remembered is not retried: whether it is depends on who was first
                call.update({"template": "say"} if call.get("template") == "memo" else {})


def _calls(template: dict[str, Any]) -> list[dict[str, Any]]:
    if "steps" in template:
        return [call for group in template["steps"] for call in group]
    return list((template.get("dag") or {}).get("tasks") or ())


def _change(call: dict[str, Any], dice: Random, leaves: list[str]) -> None:
    if call.get("template") == "leaf" and dice.random() < 0.25:
        call["template"] = dice.choice(leaves)
    if call.get("withParam", "").startswith('["u"') and dice.random() < 0.3:
        call["withParam"] = "[]"
