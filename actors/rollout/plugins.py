"""Steps that a plugin does: called until it says that it has succeeded or failed, undone when the update is given up.

A call is made outside: the decision says which one it needs, and is made anew with the answer.
"""

from __future__ import annotations

import copy
from typing import Any, Final

from actors.names.durations import format_duration, parse_duration
from actors.names.timestamps import rfc3339, seconds
from actors.rollout.plan import PluginAnswer, PluginCall, PluginQuery
from actors.rollout.scene import Scene, Waits
from runtime.objects import Object

RUN, TERMINATE, ABORT = "Run", "Terminate", "Abort"
RUNNING, SUCCESSFUL, FAILED, ERROR = "Running", "Successful", "Failed", "Error"
PHASES: Final = frozenset({RUNNING, SUCCESSFUL, FAILED, ERROR})

SHORTEST_S: Final = 10.0
PAUSE_S: Final = 30.0
"""Between two calls, unless the plugin asks for a longer pause than the shortest one; also after an error."""

LATER_S: Final = 5.0
"""A little more than the pause asked for, so that it has passed for certain."""

RETRY_S: Final = 30.0
"""Until a plugin that cannot be called is looked for again."""

_VERBS: Final = {RUN: "transitioned to {}", ABORT: "aborted ({})", TERMINATE: "terminated ({})"}


class _Trouble(Exception):
    """The plugin cannot be called, or answers nonsense."""


def reconcile(scene: Scene) -> None:
    """Do what plugins have to do now. Raises Waits with the call that is needed."""
    ro = scene.ro
    scene.plugin_statuses = copy.deepcopy(ro.canary_status.get("stepPluginStatuses") or [])
    try:
        if scene.pause.is_aborted:
            for entry in reversed([each for each in scene.plugin_statuses if each["operation"] == RUN]):
                _undo(scene, entry, ABORT, (RUNNING, SUCCESSFUL))
        elif ro.is_promoting_fully or ro.is_fully_promoted:
            entry = _last_running(scene)
            if entry is not None:
                _undo(scene, entry, TERMINATE, (RUNNING,))
        else:
            _forget_before_retry(scene)
            _run(scene)
    except _Trouble as error:
        scene.plugin_failed = True
        scene.say("ReconciliationError", f"Reconciliation failed with error: {error}", warning=True)
        scene.wake_at(scene.now + RETRY_S)


def is_done(scene: Scene, index: int) -> bool:
    """Whether the plugin of a step asks for nothing more."""
    if scene.plugin_failed:
        return False
    entry = _find(scene, index, RUN)
    if entry is None:
        return False
    if entry.get("disabled") or entry.get("phase") in (FAILED, SUCCESSFUL):
        return True
    ended = _find(scene, index, TERMINATE) is not None or _find(scene, index, ABORT) is not None
    return entry.get("phase") == RUNNING and ended


def _statuses(scene: Scene) -> list[Object]:
    return scene.plugin_statuses if scene.plugin_statuses is not None else []


def _find(scene: Scene, index: int, operation: str) -> Object | None:
    return next((each for each in _statuses(scene) if each["index"] == index and each["operation"] == operation), None)


def _forget_before_retry(scene: Scene) -> None:
    """At the first step with the record of an earlier walk: it is walked again."""
    index, step = scene.ro.step_index, scene.ro.step
    if step is None or index:
        return
    if step.get("plugin") is None or is_done(scene, 0):
        scene.plugin_statuses = []


# --------------------------------------------------------------------------------------------------- calling


def _ask(scene: Scene, index: int, operation: str, entry: Object) -> PluginAnswer:
    step = scene.ro.steps[index]["plugin"]
    name = step["name"]
    if scene.world.plugins is not None and name not in scene.world.plugins:
        raise _Trouble(f"could not create step plugin at index {index} : plugin {name} not configured")
    call = PluginCall(index, name, operation, int(entry.get("executions") or 0))
    answer = scene.world.answers.get(call)
    if answer is None:
        raise Waits(PluginQuery(call, scene.ro.object, step.get("config"), entry.get("status")))
    assert isinstance(answer, PluginAnswer)
    if answer.phase and answer.phase not in PHASES:
        verb = operation.lower()
        raise _Trouble(f"failed to {verb} plugin: could not validate rpc phase: phase '{answer.phase}' is not valid")
    return answer


def _run(scene: Scene) -> None:
    ro, now = scene.ro, scene.now
    step, index = ro.step, ro.step_index
    if step is None or index is None or step.get("plugin") is None or ro.status.get("phase") != "Progressing":
        return
    name = step["plugin"]["name"]
    if name in scene.world.disabled_plugins:
        _put(scene, {"index": index, "name": name, "operation": RUN, "disabled": True})
        return
    entry = dict(_find(scene, index, RUN) or {})
    if not entry or entry.get("disabled"):
        entry = {"index": index, "name": name, "operation": RUN, "phase": RUNNING, "startedAt": rfc3339(now)}
    if entry.get("phase") in (SUCCESSFUL, FAILED):
        return
    due = _due(entry)
    if due is not None and due > now:
        scene.wake_at(due + LATER_S)
        return
    entry = _answered(entry, _ask(scene, index, RUN, entry), now)
    _put(scene, entry)
    if entry["phase"] in (RUNNING, ERROR):
        scene.wake_at((_due(entry) or now) + LATER_S)
    elif entry["phase"] == FAILED:
        scene.pause.abort(f"Step Plugin {index + 1} ({name}) failed: {entry.get('message', '')}")


def _due(entry: Object) -> float | None:
    if not entry.get("executions"):
        return None
    return seconds(entry["updatedAt"]) + parse_duration(entry.get("backoff") or f"{PAUSE_S:.0f}s")


def _answered(entry: Object, answer: PluginAnswer, now: float) -> Object:
    entry = {**entry, "updatedAt": rfc3339(now), "executions": int(entry.get("executions") or 0) + 1}
    entry.pop("backoff", None)
    _message(entry, answer.error or answer.message)
    if answer.error:
        return {**entry, "phase": ERROR, "backoff": format_duration(PAUSE_S)}
    if answer.phase:
        entry["phase"] = answer.phase
    if entry["phase"] in (SUCCESSFUL, FAILED):
        entry["finishedAt"] = rfc3339(now)
    if entry["phase"] != ERROR and answer.status is not None:
        entry["status"] = answer.status
    if entry["phase"] in (RUNNING, ERROR):
        asked = answer.requeue_after_s
        entry["backoff"] = format_duration(asked if asked > SHORTEST_S else PAUSE_S)
    return entry


def _undo(scene: Scene, ran: Object, operation: str, phases: tuple[str, ...]) -> None:
    """Abort or terminate a step, once."""
    index, name = int(ran["index"]), str(ran["name"])
    steps = scene.ro.steps
    if index >= len(steps) or steps[index].get("plugin") is None or name in scene.world.disabled_plugins:
        return
    if ran.get("disabled") or ran.get("phase") not in phases or _find(scene, index, operation) is not None:
        return
    at = rfc3339(scene.now)
    answer = _ask(scene, index, operation, ran)
    entry: Object = {"index": index, "name": name, "operation": operation, "startedAt": at, "finishedAt": at}
    _message(entry, answer.error or answer.message)
    entry["phase"] = ERROR if answer.error else answer.phase or SUCCESSFUL
    if entry["phase"] == RUNNING:
        entry["phase"] = FAILED  # there is no second call that could hear the end
    _put(scene, entry)


def _message(entry: Object, text: str) -> None:
    entry.pop("message", None)
    if text:
        entry["message"] = text


def _put(scene: Scene, entry: Object) -> None:
    """Record an entry, and tell of its phase when that is news."""
    statuses = scene.plugin_statuses = list(_statuses(scene))
    place = next(
        (
            at for at, each in enumerate(statuses)
            if (each["index"], each["operation"]) == (entry["index"], entry["operation"])
        ),
        None,
    )  # fmt: skip
    before: Any = None
    if place is None:
        statuses.append(entry)
    else:
        before = statuses[place].get("phase")
        statuses[place] = entry
    phase = entry.get("phase")
    is_success = entry["operation"] == RUN and phase == SUCCESSFUL  # told as a completed step
    if entry.get("disabled") or phase == before or is_success:
        return
    what = _VERBS[entry["operation"]].format(phase)
    text = f"Step plugin {entry['name']} (step {entry['index'] + 1}) {what}"
    scene.say("StepPluginTransition", text, warning=phase in (ERROR, FAILED))


def _last_running(scene: Scene) -> Object | None:
    for entry in reversed(_statuses(scene)):
        if entry["operation"] == TERMINATE and entry.get("phase") == SUCCESSFUL:
            return None
        if entry["operation"] == RUN and entry.get("phase") == RUNNING:
            return entry
    return None
