"""What the scenario of many Rollouts sees: healthy is healthy on the newest spec."""

from __future__ import annotations

from typing import Any

from tiphys.bench.fleet import Fleet, rollout


def state(generation: int, observed: int, phase: str = "Healthy") -> dict[str, Any]:
    found = rollout("r", "n")
    found["metadata"]["generation"] = generation
    return {**found, "status": {"observedGeneration": str(observed), "phase": phase}}


def test_a_rollout_is_healthy_from_the_first_moment_that_its_newest_spec_is() -> None:
    fleet = Fleet()
    fleet.see(state(1, 0), 1.0)
    assert fleet.healthy == {}
    fleet.see(state(1, 1), 2.0)
    fleet.see(state(1, 1), 3.0)
    assert fleet.healthy == {"r": 2.0}
    fleet.see(state(2, 2, "Progressing"), 4.0)
    assert fleet.healthy == {}


def test_what_was_seen_late_of_an_older_spec_says_nothing() -> None:
    fleet = Fleet()
    fleet.expect(state(3, 3))
    fleet.see(state(2, 2), 1.0)
    assert fleet.healthy == {}
    fleet.see(state(3, 3), 2.0)
    assert fleet.healthy == {"r": 2.0}
