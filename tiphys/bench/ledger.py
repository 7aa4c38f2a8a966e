"""What became of each workflow of a long run: its pods were made once each, it ended as it should, nothing came after.

The ledger hears what the API shows and forgets a workflow once it is settled: an hour of a hundred a second fits.
A pod's name is a function of node and attempt, so a name that was made twice is a pod too many. Pure.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from runtime.objects import Object, owner_uid
from tiphys.bench.observation import WORKFLOW_ENDS

REMEMBERED = 100_000  # settled workflows whose latecomers are still told from strangers


@dataclass(slots=True)
class Account:
    """One workflow that is not settled."""

    name: str
    pods: int  # it has to make so many
    submitted: float
    made: dict[str, set[str]] = field(default_factory=dict)  # the pods' names -> the uids each has had
    phase: str = ""
    ended: float | None = None


class Ledger:
    """Accounts by uid, and what was wrong with those that were settled. Times are the caller's."""

    def __init__(self) -> None:
        self.open: dict[str, Account] = {}
        self.submitted = self.ended = self.pods = 0
        self.faults: Counter[str] = Counter()  # what was wrong, by kind
        self.examples: list[str] = []  # a few of them in words
        self._early: dict[str, list[tuple[str, Object]]] = {}  # seen before the answer to the submission
        self._settled: dict[str, str] = {}  # uid -> name, of the last ones

    def submit(self, thing: Object, pods: int, now: float) -> None:
        """The server took a workflow that will make so many pods."""
        uid = thing["metadata"]["uid"]
        self.submitted += 1
        self.open[uid] = Account(thing["metadata"]["name"], pods, now)
        for kind, seen in self._early.pop(uid, ()):
            self.see(kind, seen, now)

    def see(self, kind: str, thing: Object, now: float) -> str:
        """A workflow's state ("workflow"), or a pod that was added ("pod"); the same one again changes nothing. The
        uid of a workflow that has just ended, else an empty string."""
        uid = thing["metadata"]["uid"] if kind == "workflow" else owner_uid(thing)
        account = self.open.get(uid)
        if account is None:
            self._stranger(uid, kind, thing)
        elif kind == "pod":
            uids = account.made.setdefault(thing["metadata"]["name"], set())
            self.pods += thing["metadata"]["uid"] not in uids
            uids.add(thing["metadata"]["uid"])
        else:
            return self._advance(uid, account, thing, now)
        return ""

    def _stranger(self, uid: str, kind: str, thing: Object) -> None:
        if uid in self._settled:
            if kind == "pod":
                self._blame("pod after the end", f"{thing['metadata']['name']} of {self._settled[uid]}")
        elif uid:
            self._early.setdefault(uid, []).append((kind, thing))

    def _advance(self, uid: str, account: Account, thing: Object, now: float) -> str:
        account.phase = (thing.get("status") or {}).get("phase") or ""
        if account.phase not in WORKFLOW_ENDS or account.ended is not None:
            return ""
        account.ended = now
        self.ended += 1
        return uid

    def settle(self, uid: str) -> Account:
        """Judge a workflow, and forget it: the caller has given stragglers their time. Raises KeyError."""
        account = self.open.pop(uid)
        if account.ended is None:
            self._blame("not ended", f"{account.name} is {account.phase or 'not begun'}, with {len(account.made)} pods")
        elif account.phase != "Succeeded":
            self._blame("not succeeded", f"{account.name} is {account.phase}")
        for name, uids in account.made.items():
            if len(uids) > 1:
                self._blame("pod made twice", f"{name} of {account.name}, {len(uids)} times", len(uids) - 1)
        if account.ended is not None and len(account.made) != account.pods:
            kind = "pod lost" if len(account.made) < account.pods else "pod too many"
            self._blame(kind, f"{account.name} made {len(account.made)} of {account.pods}")
        self._settled[uid] = account.name
        if len(self._settled) > REMEMBERED:
            del self._settled[next(iter(self._settled))]
        return account

    def verdict(self) -> dict[str, Any]:
        """The sums, as a report shows them."""
        return {"workflows": self.submitted, "ended": self.ended, "pods": self.pods, "wrong": dict(self.faults)}

    def overlooked(self, what: str) -> None:
        """The observer may have missed something: what is found wrong from here on can be its own doing."""
        self._blame("overlooked", what)

    def _blame(self, kind: str, sentence: str, times: int = 1) -> None:
        self.faults[kind] += times
        if len(self.examples) < 20:
            self.examples.append(f"{kind}: {sentence}")
