"""A Rollout as rules read it: what its spec and status say, with defaults filled in. Nothing here decides anything."""

from __future__ import annotations

from functools import cached_property
from typing import Any, Final

from actors.names.durations import parse_duration
from actors.names.podhash import pod_hash
from actors.rollout import wire
from actors.rollout.counts import DEFAULT_FENCE, Fence, amount, fence
from actors.rollout.step_fields import step_hash
from runtime.objects import Object

DEFAULT_WEIGHT: Final = 100
DEFAULT_HISTORY: Final = 10
DEFAULT_RUN_HISTORY: Final = 5
DEFAULT_DEADLINE_S: Final = 600
DEFAULT_DELAY_S: Final = 30


class Ro:
    """One state of a Rollout. `object` has its template and selector resolved (of a referenced workload)."""

    def __init__(self, thing: Object, *, is_resolved: bool = False) -> None:
        self.object = thing
        self.is_resolved = is_resolved  # its template is that of a referenced workload
        self.meta: Object = thing["metadata"]
        self.spec: Object = thing.get("spec") or {}
        self.status: Object = thing.get("status") or {}
        self.name: str = self.meta["name"]
        self.namespace: str = self.meta.get("namespace", "")
        self.uid: str = self.meta.get("uid", "")
        self.generation = str(self.meta.get("generation", 1))
        strategy = self.spec.get("strategy") or {}
        self.canary: Object | None = strategy.get("canary")
        self.blue_green: Object | None = strategy.get("blueGreen")
        self.routing: Object | None = (self.canary or {}).get("trafficRouting")
        self.steps: list[Object] = (self.canary or {}).get("steps") or []

    # ------------------------------------------------------------------------------------------ the wish

    @property
    def replicas(self) -> int:
        """How many pods it wants."""
        wished = self.spec.get("replicas")
        return 1 if wished is None else int(wished)

    @property
    def template(self) -> Object:
        """The pod template."""
        return self.spec.get("template") or {}

    @property
    def selector(self) -> Object:
        """Which pods are its own."""
        return self.spec.get("selector") or {}

    @cached_property
    def template_hash(self) -> str:
        """The hash of the template at the present collision count."""
        return pod_hash(self.template, self.status.get("collisionCount"))

    @cached_property
    def steps_hash(self) -> str:
        """The hash of the steps; empty for blue-green."""
        if self.blue_green is not None or self.canary is None:
            return ""
        return step_hash(self.canary.get("steps"))

    @property
    def is_paused(self) -> bool:
        """Whether the user holds it."""
        return bool(self.spec.get("paused"))

    @property
    def min_ready_s(self) -> int:
        """How long a pod has to be ready before it counts as available."""
        return int(self.spec.get("minReadySeconds") or 0)

    @property
    def deadline_s(self) -> int:
        """How long nothing may move before that is said."""
        return _or(self.spec.get("progressDeadlineSeconds"), DEFAULT_DEADLINE_S)

    @property
    def history_limit(self) -> int:
        """How many old ReplicaSets are kept."""
        return _or(self.spec.get("revisionHistoryLimit"), DEFAULT_HISTORY)

    def run_limit(self, outcome: str) -> int:
        """How many "successful" or "unsuccessful" runs are kept."""
        return _or((self.spec.get("analysis") or {}).get(f"{outcome}RunHistoryLimit"), DEFAULT_RUN_HISTORY)

    @cached_property
    def fence(self) -> Fence:
        """Surge and unavailability of a canary."""
        canary = self.canary or {}
        return fence(canary.get("maxSurge"), canary.get("maxUnavailable"), self.replicas)

    @property
    def unavailable(self) -> int:
        """How many pods may be missing."""
        if self.canary is not None:
            return self.fence.unavailable if self.replicas else 0
        value = (self.blue_green or {}).get("maxUnavailable")
        return min(amount(DEFAULT_FENCE if value is None else value, self.replicas, round_up=False), self.replicas)

    @property
    def most_weight(self) -> int:
        """What all weights add up to."""
        return _or((self.routing or {}).get("maxTrafficWeight"), DEFAULT_WEIGHT)

    @property
    def is_dynamic(self) -> bool:
        """Whether stable shrinks as the canary grows."""
        return bool((self.canary or {}).get("dynamicStableScale"))

    @property
    def least_pods(self) -> int | None:
        """How many pods a version has that has any, behind a router."""
        value = (self.canary or {}).get("minPodsPerReplicaSet")
        return None if value is None else int(value)

    @property
    def scale_down_delay_s(self) -> int:
        """How long the pods of a version that serves no more are kept."""
        given = (self.blue_green or self.canary or {}).get("scaleDownDelaySeconds")
        if self.blue_green is None and self.routing is None:
            return 0
        return _or(given, DEFAULT_DELAY_S)

    @property
    def scale_down_limit(self) -> int | None:
        """How many old ReplicaSets may linger at a time; None: any number."""
        limit = (self.blue_green or self.canary or {}).get("scaleDownDelayRevisionLimit")
        return None if limit is None else int(limit)

    @property
    def abort_delay_s(self) -> int | None:
        """How long the new version's pods are kept after an abort; None: for ever, 0: not at all."""
        given = (self.blue_green or self.canary or {}).get("abortScaleDownDelaySeconds")
        if self.blue_green is None and self.routing is None:
            return 0
        if given is None:
            return DEFAULT_DELAY_S
        return None if given == 0 else int(given)

    @property
    def has_own_abort_delay(self) -> bool:
        """Whether the delay after an abort is written down, and is not "for ever"."""
        given = (self.blue_green or self.canary or {}).get("abortScaleDownDelaySeconds")
        return bool(given) and (self.blue_green is not None or self.routing is not None)

    # ----------------------------------------------------------------------------------------- the record

    @property
    def revision(self) -> int:
        """The revision that its annotation says; 0 before the first."""
        text = (self.meta.get("annotations") or {}).get(wire.REVISION, "")
        return int(text) if text.isdecimal() else 0

    @property
    def step_index(self) -> int | None:
        """The step it is at, counted from 0; None when there are no steps."""
        return min(int(self.status.get("currentStepIndex") or 0), len(self.steps)) if self.steps else None

    @property
    def step(self) -> Object | None:
        """The step it is at; None when there is none, or all are done."""
        index = self.step_index
        return self.steps[index] if index is not None and index < len(self.steps) else None

    @property
    def is_aborted(self) -> bool:
        """What the record says; `Pauses.is_aborted` knows of this decision's abort too."""
        return bool(self.status.get("abort"))

    @property
    def is_promoting_fully(self) -> bool:
        """Whether the user wants no more steps."""
        return bool(self.status.get("promoteFull"))

    @property
    def stable_hash(self) -> str:
        """The version that serves."""
        return str(self.status.get("stableRS") or "")

    @property
    def current_hash(self) -> str:
        """The version that was last decided for."""
        return str(self.status.get("currentPodHash") or "")

    @property
    def is_fully_promoted(self) -> bool:
        """Whether no update is under way."""
        return self.stable_hash == self.current_hash

    @property
    def pause_conditions(self) -> list[Object]:
        """Why it is paused."""
        return self.status.get("pauseConditions") or []

    def paused_for(self, reason: str) -> Object | None:
        """The pause of that reason."""
        return next((each for each in self.pause_conditions if each["reason"] == reason), None)

    @property
    def controller_pause(self) -> bool:
        """Whether the controller has paused it; with no conditions left, a user has resumed it."""
        return bool(self.status.get("controllerPause"))

    @property
    def canary_status(self) -> Object:
        """status.canary."""
        return self.status.get("canary") or {}

    @property
    def blue_green_status(self) -> Object:
        """status.blueGreen."""
        return self.status.get("blueGreen") or {}

    @property
    def weights(self) -> Object | None:
        """The weights that routers have been told."""
        return self.canary_status.get("weights")

    @property
    def active_hash(self) -> str:
        """The version that the active Service selects, as recorded."""
        return str(self.blue_green_status.get("activeSelector") or "")

    def set_weight(self) -> int:
        """The last setWeight at or before the present step."""
        if self.is_aborted:
            return 0
        if self.step is None:
            return self.most_weight
        return self.weight_before((self.step_index or 0) + 1)

    def weight_before(self, index: int) -> int:
        """The last setWeight among the first `index` steps; 0 without any."""
        for step in reversed(self.steps[:index]):
            if step.get("setWeight") is not None:
                return int(step["setWeight"])
        return 0


def pause_s(pause: Object) -> int | None:
    """How long a pause step lasts; None: until somebody promotes; -1 when it cannot be read."""
    duration = pause.get("duration")
    if duration is None:
        return None
    if not isinstance(duration, str):
        return int(duration)
    try:
        return int(duration)
    except ValueError:
        pass
    try:
        return int(parse_duration(duration))
    except ValueError:
        return -1


def step_text(step: Object) -> str:
    """A step as Events and the command line say it."""
    if step.get("setWeight") is not None:
        return f"setWeight: {step['setWeight']}"
    if step.get("pause") is not None:
        duration = step["pause"].get("duration")
        return "pause" if duration is None else f"pause: {duration}"
    for name in ("experiment", "analysis"):
        if step.get(name) is not None:
            return name
    scale = step.get("setCanaryScale") or {}
    if scale.get("weight") is not None:
        return f"setCanaryScale{{weight: {scale['weight']}}}"
    if scale.get("matchTrafficWeight"):
        return "setCanaryScale{matchTrafficWeight: true}"
    if scale.get("replicas") is not None:
        return f"setCanaryScale{{replicas: {scale['replicas']}}}"
    for name in ("plugin", "setHeaderRoute", "setMirrorRoute"):
        if step.get(name) is not None:
            return f"{name}: {step[name].get('name', '')}"
    return "invalid"


def selector_text(selector: Object) -> str:
    """A label selector as text, the way Kubernetes formats it: by key, a label before an expression of the same."""
    terms = [(str(key), f"{key}={value}") for key, value in (selector.get("matchLabels") or {}).items()]
    for each in selector.get("matchExpressions") or ():
        key, values = str(each["key"]), ",".join(sorted(each.get("values") or ()))
        match each["operator"]:
            case "In":
                terms.append((key, f"{key} in ({values})"))
            case "NotIn":
                terms.append((key, f"{key} notin ({values})"))
            case "Exists":
                terms.append((key, key))
            case _:
                terms.append((key, f"!{key}"))
    return ",".join(text for _, text in sorted(terms, key=lambda term: term[0]))


def _or(value: Any, default: int) -> int:
    return default if value is None else int(value)
