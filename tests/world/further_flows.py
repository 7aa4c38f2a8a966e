"""What the latest seeds have besides: strategies that ask for exit codes, for other hosts or for a better network,
conditions and loops that cannot be read, daemons that are tried again, and workflows that are about one thing.

Earlier seeds stay what they were, so that a case that once went wrong is still that case.
"""

from __future__ import annotations

from random import Random
from typing import Any, Final

from tests.world import faults

FIRST: Final = faults.FIRST_FURTHER  # the first seed that has them
BY_CODE: Final = "asInt(lastRetry.exitCode) == 1"
NOT_TWO: Final = "lastRetry.exitCode != '2'"
STRATEGIES: Final[dict[str, dict[str, Any]]] = {
    "by-code": {"limit": 3, "expression": BY_CODE},
    "not-two": {"limit": "2", "retryPolicy": "OnFailure", "expression": NOT_TWO},
    "network": {"limit": 2, "retryPolicy": "OnTransientError", "backoff": {"duration": "1"}},
    "elsewhere": {"limit": "2", "affinity": {"nodeAntiAffinity": {}}},
    "always-slower": {"limit": 3, "retryPolicy": "Always", "backoff": {"duration": "1", "factor": "2", "cap": "3"}},
    "no-limit": {"retryPolicy": "OnError", "backoff": {"duration": "1", "maxDuration": "30h"}},
}
OTHERS: Final = ("hasty", "brief", "steady", "endless", "unless", "errors", "apart")  # of `extra_flows`, and usual ones
IN_DAGS: Final = ("wrong-limit", "wrong-wait", "no-wait", "no-answer", "no-such")  # whose strategies cannot be read
UNREADABLE_WHEN: Final = "a =="
UNREADABLE_LOOP: Final = "[1"
BAD_CHANCE: Final = 0.015  # for each call
FOCI: Final = ("", "", "", "retries", "retries", "places")


def enrich(spec: dict[str, Any], seed: int) -> dict[str, Any]:
    """The spec with more in it."""
    dice = Random(f"{seed}/further")
    container = {"image": "busybox", "command": ["sh"]}
    spec["templates"] += [
        {"name": name, "retryStrategy": strategy, "container": container} for name, strategy in STRATEGIES.items()
    ]
    serve = {"metadata": {"annotations": {"kind": "daemon"}}, "daemon": True, "container": container}
    spec["templates"].append({"name": "serve-again", **serve, "retryStrategy": {"limit": 1}})
    focus = dice.choice(FOCI)
    composites = [template for template in spec["templates"] if "steps" in template or "dag" in template]
    for template in composites:
        leaves = [*STRATEGIES, *OTHERS, *(IN_DAGS if "dag" in template else ())]
        for call in _calls(template):
            _change(call, dice, focus, leaves)
    if focus == "places" and not any(call.get("template", "").startswith("serve") for call in _all(composites)):
        for template in composites:
            template["parallelism"] = dice.randint(1, 2)
    return spec


def _change(call: dict[str, Any], dice: Random, focus: str, leaves: list[str]) -> None:
    called, draw = call.get("template"), dice.random()
    if called == "leaf" and draw < (0.8 if focus == "retries" else 0.2):
        call["template"] = dice.choice(leaves)
    elif called in {"leaf", "again", "say"} and focus == "places" and draw < 0.6:
        call["template"] = "two"
        call.pop("arguments", None)
    elif called in {"rest", "say"} and draw < 0.3:  # somebody is asked
        call["template"] = "ask"
        call.pop("arguments", None)
    elif called == "serve" and draw < 0.5:
        call["template"] = "serve-again"
    elif draw > 1 - BAD_CHANCE:
        call["when"] = UNREADABLE_WHEN
        if dice.random() < 0.5 and not {"withParam", "withSequence"} & call.keys():
            call["withItems"] = ["a", "b"]
    elif draw > 1 - 2 * BAD_CHANCE and not {"withItems", "withSequence"} & call.keys():
        call["withParam"] = UNREADABLE_LOOP
        if dice.random() < 0.4 and called != "make":  # whose output others may need
            call["when"] = "false"  # then nobody reads it


def _calls(template: dict[str, Any]) -> list[dict[str, Any]]:
    if "steps" in template:
        return [call for group in template["steps"] for call in group]
    return list(template["dag"]["tasks"])


def _all(composites: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [call for template in composites for call in _calls(template)]
