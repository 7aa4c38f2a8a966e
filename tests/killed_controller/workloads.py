"""Workflows with loops, retries, locks and hooks, and what each must leave in the ledger, written down twice.

The expectation is no interpreter: it is read off the same few numbers that the YAML is made of.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from random import Random
from typing import Any

MUTEXES = 4
SEATS = 3  # of the semaphore
SEMAPHORE = {"name": "seats", "key": "limit"}


@dataclass(frozen=True)
class Workload:
    """One workflow: how many items its loop has, how often its flaky step fails, which lock it takes."""

    name: str
    items: int
    failures: int
    mutex: str
    semaphore: bool
    nap_s: float

    def nodes(self) -> list[str]:
        """The names of all nodes that run a pod, each of which runs exactly one, ever."""
        loop = [f"{self.name}[0].loop({number}:{number})" for number in range(self.items)]
        tries = [f"{self.name}[1].flaky({number})" for number in range(self.failures + 1)]
        dag = [f"{self.name}[2].{task}" for task in ("graph.left", "graph.right", "graph.last")]
        hooked = f"{self.name}[3].locked.onExit"
        return [*loop, *tries, *dag, f"{self.name}[3].locked", hooked, f"{self.name}.onExit"]

    def locks(self) -> list[str]:
        """The locks that its locked step holds while it runs."""
        return [self.mutex, *(["seats"] if self.semaphore else [])]

    def workflow(self, ledger: str) -> dict[str, Any]:
        """As it is submitted; `ledger` is a file that every container appends to."""
        held = {"mutexes": [{"name": self.mutex}]} | (
            {"semaphores": [{"configMapKeyRef": SEMAPHORE}]} if self.semaphore else {}
        )
        write, locks = f">> {ledger}", " ".join(self.locks())
        flaky = f'echo ran - "$NODE" "$POD" {write}; test {{{{retries}}}} -ge {self.failures}'
        locked = (
            f'for l in {locks}; do echo enter $l "$NODE" "$POD" {write}; done; sleep {self.nap_s}; '
            f'for l in {locks}; do echo leave $l "$NODE" "$POD" {write}; done; echo ran - "$NODE" "$POD" {write}'
        )
        plain = f'echo ran - "$NODE" "$POD" {write}'
        graph = [
            {"name": "left", "template": "leaf"},
            {"name": "right", "template": "leaf"},
            {"name": "last", "template": "leaf", "depends": "left && right"},
        ]
        steps = [
            [{"name": "loop", "template": "leaf", "withItems": list(range(self.items))}],
            [{"name": "flaky", "template": "flaky"}],
            [{"name": "graph", "template": "graph"}],
            [{"name": "locked", "template": "locked", "hooks": {"exit": {"template": "leaf"}}}],
        ]
        templates = [
            {"name": "main", "steps": steps},
            {"name": "graph", "dag": {"tasks": graph}},
            {"name": "leaf", "container": _container(plain)},
            {"name": "flaky", "retryStrategy": {"limit": str(self.failures + 2)}, "container": _container(flaky)},
            {"name": "locked", "synchronization": held, "container": _container(locked)},
        ]
        return {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "Workflow",
            "metadata": {"name": self.name, "namespace": "default"},
            "spec": {"entrypoint": "main", "onExit": "leaf", "templates": templates},
        }


def _container(script: str) -> dict[str, Any]:
    fields = {"NODE": "metadata.annotations['workflows.argoproj.io/node-name']", "POD": "metadata.uid"}
    env = [{"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}} for name, path in fields.items()]
    return {"image": "alpine", "command": ["sh", "-c", script], "env": env}


def workloads(number: int, dice: Random) -> list[Workload]:
    """So many workflows."""
    return [
        Workload(
            f"w{index}",
            items=dice.randint(1, 3),
            failures=dice.randint(0, 2),
            mutex=f"m{dice.randrange(MUTEXES)}",
            semaphore=dice.random() < 0.5,
            nap_s=round(dice.uniform(0.0, 0.2), 2),
        )
        for index in range(number)
    ]


def judge(wanted: list[Workload], ledger: list[str]) -> list[str]:
    """Everything that the ledger has too much, too little, or in a forbidden order."""
    problems: list[str] = []
    runs: dict[str, list[str]] = {}
    inside: Counter[str] = Counter()
    for line in ledger:
        what, lock, node, pod = line.split()
        if what == "ran":
            runs.setdefault(node, []).append(pod)
            continue
        inside[lock] += 1 if what == "enter" else -1
        if inside[lock] > (SEATS if lock == "seats" else 1):
            problems.append(f"{lock} held by {inside[lock]} at once, the last of them {node}")
    expected = [node for workload in wanted for node in workload.nodes()]
    problems += [f"lost: {node} never ran" for node in expected if node not in runs]
    problems += [f"doubled: {node} ran in {pods}" for node, pods in runs.items() if len(pods) > 1]
    problems += [f"invented: {node} should not have run" for node in runs if node not in set(expected)]
    problems += [f"{lock} was never left" for lock, number in inside.items() if number]
    return problems
