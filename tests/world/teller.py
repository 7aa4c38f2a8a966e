"""What happened, commit by commit: for whoever looks at a seed that went wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import anyio

from runtime.objects import Object
from tests.world.faults import Plan
from tests.world.judge import nodes_in
from tiphys.devcluster.storage import Bucket, Change

SHOWN = ("pods", "workflows", "configmaps")


@dataclass
class Teller:
    """Says every commit in a line, and the faults that came before it."""

    tell: Callable[[str], None]
    plan: Plan
    before: Counter[str] = field(default_factory=Counter)

    def observe(self, bucket: Bucket, change: Change) -> None:
        """A commit of the store."""
        if bucket.plural not in SHOWN:
            return
        news = self.plan.tally - self.before
        self.before = Counter(self.plan.tally)
        thing, old = change.record.object, change.previous.object if change.previous else {}
        words = _of_pod(thing, old) if bucket.plural == "pods" else _of_workflow(thing, old)
        faults = f"  ({', '.join(sorted(news))})" if news else ""
        name = thing["metadata"]["name"]
        self.tell(f"{anyio.current_time():9.2f} {change.record.version} {change.type:8} {name} {words}{faults}")


def _of_pod(pod: Object, old: Object) -> str:
    meta = pod["metadata"]
    words = [str((pod.get("status") or {}).get("phase"))]
    if meta.get("labels") != (old.get("metadata") or {}).get("labels"):
        words.append(str({key.rpartition("/")[2]: value for key, value in meta.get("labels", {}).items()}))
    words += [f"finalizers {meta['finalizers']}"] if meta.get("finalizers") else []
    words += ["deleting"] if meta.get("deletionTimestamp") else []
    return " ".join([(meta.get("annotations") or {}).get("workflows.argoproj.io/node-name", ""), *words])


def _of_workflow(thing: Object, old: Object) -> str:
    before = {key: node.get("phase") for key, node in nodes_in(old).items()}
    words = [str((thing.get("status") or {}).get("phase"))]
    for key, node in nodes_in(thing).items():
        if before.get(key) != node.get("phase"):
            words.append(f"[{node['name']}: {before.get(key)} -> {node.get('phase')}]")
    if (thing.get("status") or {}).get("synchronization") != (old.get("status") or {}).get("synchronization"):
        words.append(str((thing.get("status") or {}).get("synchronization")))
    if thing.get("spec") != old.get("spec"):
        words.append("spec changed" if old else "")
    return " ".join(words)
