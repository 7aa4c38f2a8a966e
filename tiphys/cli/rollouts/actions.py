"""What a person may ask of a Rollout, as patches of upstream's plugin: pure functions of the object as it is.

Each answers with merge patches to apply in order; `status` ones go to the status subresource.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from actors.names import timestamps
from runtime.objects import Object
from tiphys.cli.problems import InputError
from tiphys.cli.rollouts.facts import steps
from tiphys.cli.rollouts.objects import number, part


class Patch(NamedTuple):
    """A merge patch, and whether it is of the status."""

    body: dict[str, Any]
    status: bool = False


def promote(rollout: Object, *, skip_step: bool = False, skip_all: bool = False) -> list[Patch]:
    """Go on by one pause, step or analysis; `skip_all`: past every step. Raises InputError where there is none."""
    if (skip_step or skip_all) and part(rollout, "spec", "strategy").get("canary") is None:
        raise InputError("only a canary has steps: --skip-current-step and --skip-all-steps are for canaries")
    given = steps(rollout)
    if (skip_step or skip_all) and not given:
        raise InputError("cannot skip steps: this canary has none")
    patches = [Patch({"spec": {"paused": False}})] if part(rollout, "spec").get("paused") is True else []
    if skip_all:
        return [*patches, Patch({"status": _at(len(given))}, status=True)]
    status = rollout.get("status") or {}
    index = number(status, "currentStepIndex")
    beyond = _at(min(index + 1, len(given)))
    if skip_step:
        return [*patches, Patch({"status": beyond}, status=True)]
    if _is_inconclusive(status):
        return [*patches, Patch({"status": {**beyond, "controllerPause": False}}, status=True)]
    if status.get("pauseConditions"):
        return [*patches, Patch({"status": {"pauseConditions": None}}, status=True)]
    if given and index < len(given):
        return [*patches, Patch({"status": beyond}, status=True)]
    return patches


def promote_fully(rollout: Object) -> list[Patch]:
    """Skip whatever is left: steps, pauses and analyses."""
    status = rollout.get("status") or {}
    patches = [Patch({"spec": {"paused": False}})] if part(rollout, "spec").get("paused") is True else []
    if status.get("currentPodHash") != status.get("stableRS"):
        patches.append(Patch({"status": {"promoteFull": True}}, status=True))
    return patches


def abort() -> list[Patch]:
    """Go back to the stable version."""
    return [Patch({"status": {"abort": True}}, status=True)]


def retry() -> list[Patch]:
    """Try an aborted update again, from its first step."""
    return [Patch({"status": {"abort": False}}, status=True)]


def retry_experiment() -> list[Patch]:
    """Run an Experiment once more, as if it had never run."""
    return [Patch({"status": None})]


def pause() -> list[Patch]:
    """Hold everything until somebody resumes."""
    return [Patch({"spec": {"paused": True}})]


def restart(at: float) -> list[Patch]:
    """Replace every pod that is older than that moment, in seconds since the epoch."""
    return [Patch({"spec": {"restartAt": timestamps.rfc3339(at)}})]


def terminate() -> list[Patch]:
    """End an AnalysisRun or an Experiment."""
    return [Patch({"spec": {"terminate": True}})]


def nothing_to_promote(rollout: Object) -> str:
    """Why `promote` without --full changes nothing now; empty when it does."""
    status, name = rollout.get("status") or {}, rollout["metadata"]["name"]
    if status.get("abort"):
        return f"it is aborted: `tiphys rollouts retry {name}` tries again; promote --full lets the new version through"
    return "" if part(rollout, "spec").get("paused") else nothing_under_way(rollout)


def nothing_under_way(rollout: Object) -> str:
    """Why there is no update to promote or abort; empty when there is one."""
    status = rollout.get("status") or {}
    is_done = bool(status.get("stableRS")) and status.get("stableRS") == status.get("currentPodHash")
    return "no update is under way: the newest version is stable already" if is_done else ""


def nothing_to_retry(rollout: Object) -> str:
    """Why `retry` changes nothing now; empty when it does."""
    return "" if (rollout.get("status") or {}).get("abort") else "it was not aborted"


def _at(index: int) -> dict[str, Any]:
    return {"currentStepIndex": index, "pauseConditions": None}


def _is_inconclusive(status: dict[str, Any]) -> bool:
    """The step's analysis could not decide, and the Rollout waits for a person."""
    run = part(status, "canary", "currentStepAnalysisRunStatus")
    return run.get("status") == "Inconclusive" and bool(status.get("pauseConditions"))
