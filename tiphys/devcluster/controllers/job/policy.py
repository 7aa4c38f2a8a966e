"""podFailurePolicy: what the first rule that matches a failed pod says about it. Pure."""

from __future__ import annotations

from typing import NamedTuple

from runtime.objects import Object
from tiphys.devcluster.controllers.podstate import phase


class Judgement(NamedTuple):
    """The action of a rule ("FailJob", "Ignore", "Count", "FailIndex"), and the sentence that says why."""

    action: str
    message: str


COUNTED = Judgement("Count", "")


def judge(job: Object, pod: Object) -> Judgement:
    """The action for a failed pod; it is counted when no rule matches."""
    rules = (job["spec"].get("podFailurePolicy") or {}).get("rules") or ()
    if phase(pod) != "Failed":
        return COUNTED
    meta = pod["metadata"]
    who = f"{meta['namespace']}/{meta['name']}"
    for number, rule in enumerate(rules):
        action = rule["action"]
        if rule.get("onExitCodes"):
            found = _container(rule["onExitCodes"], pod)
            if found is not None:
                name, code = found
                why = f"Container {name} for pod {who} failed with exit code {code}"
                return Judgement(action, f"{why} matching {action} rule at index {number}")
        elif rule.get("onPodConditions"):
            kind = _condition(rule["onPodConditions"], pod)
            if kind:
                return Judgement(action, f"Pod {who} has condition {kind} matching {action} rule at index {number}")
    return COUNTED


def _container(rule: Object, pod: Object) -> tuple[str, int] | None:
    status = pod.get("status") or {}
    for entry in (*(status.get("containerStatuses") or ()), *(status.get("initContainerStatuses") or ())):
        code = ((entry.get("state") or {}).get("terminated") or {}).get("exitCode")
        if not code or (rule.get("containerName") and rule["containerName"] != entry["name"]):
            continue
        if (code in rule.get("values", ())) is (rule["operator"] == "In"):
            return entry["name"], int(code)
    return None


def _condition(patterns: list[Object], pod: Object) -> str:
    conditions = (pod.get("status") or {}).get("conditions") or ()
    for pattern in patterns:
        for entry in conditions:
            if entry["type"] == pattern["type"] and entry["status"] == (pattern.get("status") or "True"):
                return str(entry["type"])
    return ""
