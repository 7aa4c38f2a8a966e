"""What later seeds have besides: targets of dags, loops over nothing, strategies that give up by other rules.

Earlier seeds stay what they were, so that a case that once went wrong is still that case.
"""

from __future__ import annotations

from random import Random
from typing import Any

FIRST = 8000  # the first seed that has them
LEAVES: list[dict[str, Any]] = [
    # The wait would be longer than all attempts may take together.
    {"name": "brief", "retryStrategy": {"limit": 3, "backoff": {"duration": "40h", "maxDuration": "39h"}}},
    {"name": "transient", "retryStrategy": {"limit": 2, "retryPolicy": "OnTransientError"}},
    {"name": "endless", "retryStrategy": {"retryPolicy": "OnError"}},
]


def enrich(spec: dict[str, Any], seed: int) -> dict[str, Any]:
    """The spec with more in it."""
    dice = Random(f"{seed}/extras")
    container = {"image": "busybox", "command": ["sh"]}
    spec["templates"] += [{**leaf, "container": container} for leaf in LEAVES]
    for template in spec["templates"]:
        for call in _calls(template):
            _change(call, dice)
        if "dag" in template and dice.random() < 0.2:
            names = [task["name"] for task in template["dag"]["tasks"]]
            template["dag"]["target"] = " ".join(dice.sample(names, dice.randint(1, min(2, len(names)))))
    return spec


def _calls(template: dict[str, Any]) -> list[dict[str, Any]]:
    if "steps" in template:
        return [call for group in template["steps"] for call in group]
    return list((template.get("dag") or {}).get("tasks") or ())


def _change(call: dict[str, Any], dice: Random) -> None:
    if call.get("template") == "leaf" and dice.random() < 0.2:
        call["template"] = dice.choice([leaf["name"] for leaf in LEAVES])
    if call.get("withParam", "").startswith('["u"') and dice.random() < 0.3:
        call["withParam"] = "[]"
