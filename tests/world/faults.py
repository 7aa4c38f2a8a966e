"""What may go wrong in the simulated world: a closed list, each with dice of its own, each injection counted.

A plan says which of them may happen in one run. Every kind throws its own dice, so a plan with fewer kinds differs in
nothing else as long as the runs go the same way: that is what makes shrinking work.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from random import Random
from typing import Final

CALLS: Final = {
    "conflict": "409: somebody was faster",
    "throttled": "429 with Retry-After",
    "server_error": "5xx, nothing done",
    "lost_answer": "a time-out: done or not, nobody knows",
    "hung": "no answer at all until the caller gives up",
}
STREAMS: Final = {
    "late": "events come late",
    "repeated": "events come twice",
    "coalesced": "of several states only the last is told",
    "lost": "the stream breaks, what was under way is lost",
    "expired": "410: the version is no longer kept",
    "silent": "the stream stays open and says nothing",
    "stale_list": "a list as it was a while ago",
}
CLUSTER: Final = {
    "away": "the API server is away, up to an hour",
    "skew": "the controller's clock is wrong, and jumps",
    "database": "the database that keeps nodes does not answer, or its answer is lost",
}
PODS: Final = {
    "evicted": "a pod is evicted",
    "deleted": "somebody deletes a pod that runs",
    "deleted_early": "somebody deletes a pod before it runs",
    "never_started": "a pod never starts",
    "node_lost": "the pod's node is lost",
    "out_of_memory": "the pod is killed for its memory",
    "cut_off": "a pod fails for its network, which is what OnTransientError tries again",
    "squatted": "a pod of that name and node is there, of a workflow of the same name before this one",
}
DEATHS: Final = {
    "death": "the controller dies, at any moment",
    "death_between": "the controller dies right before or after a write",
    "death_after_create": "the controller dies after a pod was created and before that is on record",
    "hand_over": "a stalled leader is replaced; what it had sent arrives under its successor",
    "actor_death": "the actor of a workflow or of the locks crashes",
    "node_death": "the actor of a node crashes",
    "group_death": "the actor of steps, of a dag, a loop or a retried call crashes",
    "reconfigured": "the controllers' next life has other settings",
    "standby": "of two controllers one stands by, and leads when the other has died",
}
USERS: Final = {
    "user_resume": "argo resume: the whole object is read, changed and PUT",
    "user_set": "argo node set: likewise",
    "user_suspend": "argo suspend, and resume later",
    "user_stop": "argo stop",
    "user_retry": "argo retry",
    "user_delete": "kubectl delete workflow",
}
GROUPS: Final = {
    "calls": CALLS, "streams": STREAMS, "cluster": CLUSTER, "pods": PODS, "deaths": DEATHS, "users": USERS
}  # fmt: skip
ALL: Final = frozenset(kind for group in GROUPS.values() for kind in group)
LATER: Final = frozenset({"group_death", "standby", "user_delete"})
FIRST_LATER: Final = 8000
"""The first seed in which those happen: what is done by earlier ones stays what it was."""
FURTHER: Final = frozenset({"database", "cut_off", "reconfigured"})
FIRST_FURTHER: Final = 30_000
"""Likewise."""
FIRST_NEWEST: Final = 1_500_000
"""Likewise; nothing else goes wrong in them, but in more kinds of templates."""
FIRST_NAMED_LATER: Final = 2_000_000
"""Likewise: in them a workflow names its library by a tag, which only the run can fill in."""
NEEDED: Final = frozenset({"user_resume"})  # without somebody who resumes, a workflow that waits for that never ends

KINDS: Final = {
    "quiet": frozenset(),
    "bad": frozenset(CALLS) | frozenset(STREAMS) | frozenset(CLUSTER),
    "deadly": ALL,
}


@dataclass
class Plan:
    """What may happen in one run, and what did."""

    seed: int
    kinds: frozenset[str]
    tally: Counter[str] = field(default_factory=Counter)
    calm: bool = False  # the run is over: nothing happens any more
    _dice: dict[str, Random] = field(default_factory=dict)

    def dice(self, kind: str) -> Random:
        """The dice that decide about one kind and nothing else."""
        found = self._dice.get(kind)
        if found is None:
            found = self._dice[kind] = Random(f"{self.seed}/{kind}")
        return found

    def on(self, kind: str) -> bool:
        """Whether this may happen at all."""
        return kind in self.kinds and not self.calm

    def throw(self, kind: str, chance: float) -> bool:
        """Whether it happens here and now; if so, it is counted."""
        if kind not in self.kinds or self.calm or self.dice(kind).random() >= chance:
            return False
        self.tally[kind] += 1
        return True

    def hit(self, kind: str) -> None:
        """It has happened."""
        self.tally[kind] += 1


def mixed(seed: int) -> frozenset[str]:
    """A part of all faults: runs in which few things go wrong find what runs in which all do would hide."""
    dice = Random(f"{seed}/kinds")
    share = dice.choice([0.25, 0.5, 0.75, 1.0])
    chosen = {kind for kind in sorted(ALL - LATER - FURTHER) if dice.random() < share}
    if dice.random() < 0.6:
        chosen.add("death_after_create")
    if seed >= FIRST_LATER:
        chosen |= {kind for kind in sorted(LATER) if dice.random() < 0.3}
    if seed >= FIRST_FURTHER:
        chosen |= {kind for kind in sorted(FURTHER) if dice.random() < (0.7 if kind == "cut_off" else 0.3)}
    return frozenset(chosen)


def known_to(seed: int) -> frozenset[str]:
    """All faults that there were when a seed first ran."""
    young = LATER if seed < FIRST_LATER else frozenset[str]()
    return ALL - young - (FURTHER if seed < FIRST_FURTHER else frozenset())
