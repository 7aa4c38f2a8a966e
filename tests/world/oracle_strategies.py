"""Which strategies let an attempt be followed by another: what the oracle knows of `retryStrategy`."""

from __future__ import annotations

from typing import Any

from tests.world.further_flows import BY_CODE, NOT_TWO

BAD = ("Failed", "Error")
FAR_WAIT = "30h"  # nothing is tried for so long


def unreadable(strategy: dict[str, Any]) -> bool:
    """Whether nothing can be read from it once an attempt has failed."""
    limit, policy = str(strategy.get("limit", 0)), strategy.get("retryPolicy", "Always")
    known = {"Always", "OnFailure", "OnError", "OnTransientError"}
    nothing = strategy.get("expression") in {"lastRetry.status", "asInt(lastRetry.message) > 1"}
    wait = strategy.get("backoff", {"duration": "1"}).get("duration", "")
    return not limit.isdigit() or policy not in known or nothing or not wait[:1].isdigit()


def tried_again(strategy: dict[str, Any], phase: str, how: str) -> bool:
    """Whether an attempt that came to this is followed by another, while there may be more."""
    code = how if how.isdigit() else "-1"
    wanted = {
        "lastRetry.status != 'Error'": phase == "Failed", BY_CODE: code == "1", NOT_TWO: code != "2"
    }.get(strategy.get("expression", ""), True)  # fmt: skip
    return policy_allows(strategy, phase, how) and wanted and has_time(strategy)


def has_time(strategy: dict[str, Any]) -> bool:
    """Whether there is time for another attempt: where that is limited, waits are longer than the limit."""
    found: bool = strategy.get("backoff", {}).get("maxDuration", FAR_WAIT) == FAR_WAIT
    return found


def policy_allows(strategy: dict[str, Any], phase: str, how: str) -> bool:
    """Whether `retryPolicy` lets an attempt that came to this be followed by another."""
    policy = strategy.get("retryPolicy", "Always" if "expression" in strategy else "")
    return {
        "Always": phase in BAD, "OnError": phase == "Error", "OnTransientError": phase in BAD and how == "transient"
    }.get(policy, phase == "Failed")  # fmt: skip
