"""The order of starts, restarts and stops: properties along random lives of random pods."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from tiphys.devcluster.node.facts import Ended, Ending, Fact, Launching, Running, Waiting, exit_reason
from tiphys.devcluster.node.plan import backoff_s, decide, mains_done, will_restart
from tiphys.devcluster.node.podspec import ContainerSpec, PodSpec

NAMES = "abcdef"


def make_pod(kinds: list[str], policy: str = "Never", grace_s: float = 30.0) -> PodSpec:
    ordered = sorted(kinds, key=lambda k: k == "main")
    containers = tuple(ContainerSpec(NAMES[i], kind, {"name": NAMES[i]}) for i, kind in enumerate(ordered))
    return PodSpec("default", "p", "u", policy, containers, grace_s, None)


def fresh(pod: PodSpec) -> dict[str, Fact]:
    return {c.name: Fact(Waiting()) for c in pod.containers}


pods = st.builds(
    make_pod,
    st.lists(st.sampled_from(["init", "sidecar"]), max_size=3).flatmap(
        lambda setups: st.integers(1, 3).map(lambda mains: setups + ["main"] * mains)
    ),
    st.sampled_from(["Never", "OnFailure", "Always"]),
)


class World:
    """Plays a pod's containers: does what the plan says, and lets chance end what runs."""

    def __init__(self, pod: PodSpec) -> None:
        self.pod = pod
        self.facts = fresh(pod)
        self.now = 1000.0
        self.ending: Ending | None = None
        self.over = False

    def step(self, dice: int, code: int) -> None:
        plan = decide(self.pod, self.facts, self.ending, self.now)
        self.check(plan.start)
        for name in plan.start:
            fact = self.facts[name]
            if isinstance(fact.state, Ended):
                fact.last, fact.restarts, fact.crashes = fact.state, fact.restarts + 1, fact.crashes + 1
            fact.state = Launching()
        for stop in plan.stop:
            state = self.facts[stop.name].state
            assert isinstance(state, Running)
            self.facts[stop.name].state = replace(state, kill_at=stop.kill_at)
        for name in plan.kill:
            self.end(name, 137)
        self.over = plan.over
        if self.over:
            return
        busy = [n for n, f in self.facts.items() if isinstance(f.state, Launching | Running)]
        if busy:
            name = busy[dice % len(busy)]
            if isinstance(self.facts[name].state, Launching):
                self.facts[name].state = Running(self.now)
            else:
                self.end(name, code)
        self.now = max(self.now + 1, plan.wake_at or 0) if not busy else self.now + 1

    def end(self, name: str, code: int) -> None:
        self.facts[name].state = Ended(code, exit_reason(code), self.now, self.now)

    def check(self, starts: list[str]) -> None:
        """Nothing starts before what it needs, nothing starts twice."""
        for name in starts:
            assert not isinstance(self.facts[name].state, Launching | Running)
            container = self.pod.container(name)
            assert container is not None
            for earlier in self.pod.setups:
                if earlier.name == name:
                    break
                state = self.facts[earlier.name].state
                began = any(not isinstance(self.facts[m.name].state, Waiting) for m in self.pod.mains)
                if earlier.kind == "init":
                    assert isinstance(state, Ended)
                    assert state.code == 0
                elif not began:
                    assert isinstance(state, Running)


@given(pods, st.lists(st.tuples(st.integers(0, 5), st.sampled_from([0, 0, 1])), min_size=1, max_size=60))
@settings(max_examples=300)
def test_nothing_starts_before_what_it_needs_nor_twice(pod: PodSpec, rolls: list[tuple[int, int]]) -> None:
    world = World(pod)
    for dice, code in rolls:
        world.step(dice, code)
        if world.over:
            break


@given(pods, st.lists(st.tuples(st.integers(0, 5), st.sampled_from([0, 1])), max_size=30), st.integers(0, 60))
@settings(max_examples=300)
def test_a_pod_that_must_end_ends_within_its_grace(pod: PodSpec, rolls: list[tuple[int, int]], grace: int) -> None:
    """Even when nobody listens to SIGTERM: main containers die at the grace's end, each sidecar 2 s later at most."""
    world = World(pod)
    for dice, code in rolls:
        world.step(dice, code)
    world.ending = Ending(world.now, grace)
    limit = world.now + grace + 2 * len(pod.setups) + len(pod.containers)
    while not world.over and world.now <= limit + 1:
        plan = decide(pod, world.facts, world.ending, world.now)
        assert not plan.start
        for fact in world.facts.values():
            if isinstance(fact.state, Launching):
                fact.state = Running(world.now)
        for stop in plan.stop:
            state = world.facts[stop.name].state
            assert isinstance(state, Running)
            world.facts[stop.name].state = replace(state, kill_at=stop.kill_at)
        for name in plan.kill:
            world.end(name, 137)
        world.over = plan.over
        world.now += 0.25
    assert world.over
    assert not any(isinstance(f.state, Running | Launching) for f in world.facts.values())


@given(pods, st.lists(st.tuples(st.integers(0, 5), st.sampled_from([0, 1])), max_size=80))
@settings(max_examples=300)
def test_a_pod_is_over_only_when_its_policy_restarts_nothing(pod: PodSpec, rolls: list[tuple[int, int]]) -> None:
    world = World(pod)
    for dice, code in rolls:
        world.step(dice, code)
        if world.over:
            break
    if not world.over:
        return
    if mains_done(pod, world.facts):
        for container in pod.mains:
            state = world.facts[container.name].state
            assert isinstance(state, Ended)
            assert not will_restart(pod, container, state)
    else:
        assert pod.restart_policy == "Never"
        states = [world.facts[c.name].state for c in pod.setups if c.kind == "init"]
        assert any(isinstance(s, Ended) and s.code != 0 for s in states)


def test_sidecars_outlive_the_main_containers_and_end_in_reverse_order() -> None:
    pod = make_pod(["sidecar", "sidecar", "main"])
    facts = {name: Fact(Running(0.0)) for name in "abc"}
    assert [s.name for s in decide(pod, facts, Ending(5.0, 30.0), 5.0).stop] == ["c"]
    facts["c"].state = Ended(0, "Completed", 6.0, 0.0)
    assert [s.name for s in decide(pod, facts, None, 6.0).stop] == ["b"]
    facts["b"].state = Ended(143, "Error", 7.0, 0.0)
    assert [s.name for s in decide(pod, facts, None, 7.0).stop] == ["a"]
    facts["a"].state = Ended(143, "Error", 8.0, 0.0)
    assert decide(pod, facts, None, 8.0).over


def test_a_sidecar_that_is_not_up_yet_holds_back_what_comes_after() -> None:
    pod = make_pod(["sidecar", "main"])
    facts = {"a": Fact(Running(0.0, up=False)), "b": Fact(Waiting())}
    assert decide(pod, facts, None, 1.0).start == []
    facts["a"].state = Running(0.0)
    assert decide(pod, facts, None, 1.0).start == ["b"]


def test_crashes_wait_ten_seconds_twice_as_long_each_time_and_at_most_five_minutes() -> None:
    assert [backoff_s(n) for n in range(8)] == [0, 10, 20, 40, 80, 160, 300, 300]
    pod = make_pod(["main"], "Always")
    facts = {"a": Fact(Ended(1, "Error", 100.0, 99.0), crashes=1)}
    assert decide(pod, facts, None, 101.0).wake_at == 110.0
    assert decide(pod, facts, None, 110.0).start == ["a"]


def test_a_shorter_grace_is_taken_over_and_a_longer_one_is_not() -> None:
    pod = make_pod(["main"])
    facts = {"a": Fact(Running(0.0, kill_at=40.0))}
    assert decide(pod, facts, Ending(10.0, 5.0), 11.0).stop[0].kill_at == 15.0
    assert decide(pod, facts, Ending(10.0, 100.0), 11.0).stop == []


def test_what_cannot_be_created_is_tried_again_at_its_time() -> None:
    pod = make_pod(["main"])
    facts = {"a": Fact(Waiting("CreateContainerConfigError", "x", retry_at=50.0))}
    assert decide(pod, facts, None, 40.0).wake_at == 50.0
    assert decide(pod, facts, None, 50.0).start == ["a"]
