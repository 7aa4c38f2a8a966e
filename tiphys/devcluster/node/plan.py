"""What a pod's containers need next: the kubelet's order of starts, restarts and stops as one function of facts.

Nothing here waits or acts: the worker asks after every change and at `wake_at`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tiphys.devcluster.node.facts import Ended, Ending, Fact, Launching, Running, Waiting
from tiphys.devcluster.node.podspec import ContainerSpec, PodSpec

BACKOFF_FIRST_S = 10.0  # the kubelet's: the second restart in a row waits this long, each further one twice as long
BACKOFF_MAX_S = 300.0
BACKOFF_FORGOTTEN_S = 600.0  # a container that ran this long starts counting anew
GRACE_MIN_S = 2.0  # sidecars get at least this long after the main containers used the pod's grace up


@dataclass(frozen=True, slots=True)
class Stop:
    """Ask a running container to stop (preStop hook, SIGTERM); it is killed at `kill_at`."""

    name: str
    kill_at: float


@dataclass(slots=True)
class Plan:
    """What to do now. `over`: nothing runs and nothing will; `wake_at`: when to ask again without any change."""

    start: list[str] = field(default_factory=list)
    stop: list[Stop] = field(default_factory=list)
    kill: list[str] = field(default_factory=list)
    wake_at: float | None = None
    over: bool = False

    def wake(self, at: float) -> None:
        """Ask again at `at` or earlier."""
        self.wake_at = at if self.wake_at is None else min(self.wake_at, at)


def decide(pod: PodSpec, facts: Mapping[str, Fact], ending: Ending | None, now: float) -> Plan:
    """The next starts, stops and kills of `pod`, given what is known of each container (all must have a fact)."""
    plan = Plan()
    if ending is not None:
        _end_all(pod, facts, ending, plan, now)
    elif failed_setup(pod, facts) or mains_done(pod, facts):
        _end_all(pod, facts, Ending(_last_end(facts, now), pod.grace_s), plan, now)
    else:
        if _set_up(pod, facts, plan, now):
            for container in pod.mains:
                _keep(pod, container, facts[container.name], plan, now)
        _heed_doom(pod, facts, plan, now)
    _kill_overdue(facts, plan, now)
    return plan


def will_restart(pod: PodSpec, container: ContainerSpec, ended: Ended) -> bool:
    """Whether the restart policy gives a container that ended another attempt."""
    if container.kind == "sidecar":
        return True
    if container.kind == "init":
        return ended.code != 0 and pod.restart_policy != "Never"
    return pod.restart_policy == "Always" or (pod.restart_policy == "OnFailure" and ended.code != 0)


def restart_at(fact: Fact, ended: Ended) -> float:
    """When the back-off of a crashing container is over."""
    return ended.finished_at + backoff_s(fact.crashes)


def backoff_s(crashes: int) -> float:
    """How long the restart after `crashes` earlier ones in a row waits: 0, 10, 20, 40, … 300 s."""
    return 0.0 if crashes == 0 else min(BACKOFF_FIRST_S * 2.0 ** min(crashes - 1, 10), BACKOFF_MAX_S)


def failed_setup(pod: PodSpec, facts: Mapping[str, Fact]) -> bool:
    """An init container ended badly and gets no other attempt: the main ones will never start."""
    return any(
        c.kind == "init" and isinstance(s := facts[c.name].state, Ended) and s.code != 0 and not will_restart(pod, c, s)
        for c in pod.setups
    )


def mains_done(pod: PodSpec, facts: Mapping[str, Fact]) -> bool:
    """Every main container ended for good."""
    return bool(pod.mains) and all(
        isinstance(s := facts[c.name].state, Ended) and not will_restart(pod, c, s) for c in pod.mains
    )


def is_set_up(container: ContainerSpec, fact: Fact) -> bool:
    """Whether the containers after this init container or sidecar may start."""
    if container.kind == "sidecar":
        return isinstance(fact.state, Running) and fact.state.up
    return isinstance(fact.state, Ended) and fact.state.code == 0


def _set_up(pod: PodSpec, facts: Mapping[str, Fact], plan: Plan, now: float) -> bool:
    """Advance init containers and sidecars in order; True when the main containers may run."""
    begun = any(not isinstance(facts[c.name].state, Waiting) or facts[c.name].restarts for c in pod.mains)
    for container in pod.setups:
        fact = facts[container.name]
        if begun and container.kind == "init":
            continue
        if not (container.kind == "init" and isinstance(fact.state, Ended) and fact.state.code == 0):
            _keep(pod, container, fact, plan, now)
        if not begun and not is_set_up(container, fact):
            return False
    return True


def _keep(pod: PodSpec, container: ContainerSpec, fact: Fact, plan: Plan, now: float) -> None:
    """Start a container that has not run, or whose policy and back-off allow another attempt."""
    state = fact.state
    due: float | None = None
    if isinstance(state, Waiting):
        due = now if state.retry_at is None else state.retry_at
    elif isinstance(state, Ended) and will_restart(pod, container, state):
        due = restart_at(fact, state)
    if due is None:
        return
    if due <= now:
        plan.start.append(container.name)
    else:
        plan.wake(due)


def _heed_doom(pod: PodSpec, facts: Mapping[str, Fact], plan: Plan, now: float) -> None:
    for container in pod.containers:
        state = facts[container.name].state
        if isinstance(state, Running) and state.doomed and state.kill_at is None:
            plan.stop.append(Stop(container.name, now + pod.grace_s))


def _end_all(pod: PodSpec, facts: Mapping[str, Fact], ending: Ending, plan: Plan, now: float) -> None:
    """Stop main and init containers together, then the sidecars, the last started first, one at a time."""
    kill_at = ending.since + ending.grace_s
    busy = False
    for container in pod.containers:
        if container.kind != "sidecar" and _stop(facts[container.name], container.name, kill_at, plan):
            busy = True
    for container in reversed(pod.setups):
        if busy:
            break
        if container.kind == "sidecar":
            least = 0.0 if ending.grace_s == 0 else GRACE_MIN_S
            busy = _stop(facts[container.name], container.name, max(kill_at, now + least), plan)
    plan.over = not busy


def _stop(fact: Fact, name: str, kill_at: float, plan: Plan) -> bool:
    """Stop a container if it lives; True while it does. A shorter grace than before is taken over."""
    state = fact.state
    if isinstance(state, Running) and (state.kill_at is None or kill_at < state.kill_at):
        plan.stop.append(Stop(name, kill_at))
    return isinstance(state, Running | Launching)


def _kill_overdue(facts: Mapping[str, Fact], plan: Plan, now: float) -> None:
    asked = {stop.name: stop.kill_at for stop in plan.stop}
    for name, fact in facts.items():
        if isinstance(fact.state, Running):
            kill_at = asked.get(name, fact.state.kill_at)
            if kill_at is None:
                continue
            if kill_at <= now:
                plan.kill.append(name)
            else:
                plan.wake(kill_at)


def _last_end(facts: Mapping[str, Fact], now: float) -> float:
    return max((f.state.finished_at for f in facts.values() if isinstance(f.state, Ended)), default=now)
