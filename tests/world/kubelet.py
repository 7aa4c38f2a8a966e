"""A node without processes: every pod is bound to its fate, which is a function of its node's name and nothing else.

It writes straight into the store, as fast as a world of a thousand pods needs it, and never reads through the weather.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

import anyio
from anyio.abc import TaskGroup

from actors.names import labels
from runtime.api import ApiError
from runtime.objects import PODS, Object
from tests.world.faults import FIRST_FURTHER, Plan
from tests.world.oracle import ENGINE, TIMED_OUT, Expected
from tests.world.world import Outcome, ended
from tiphys.devcluster.deletion import DeleteOptions
from tiphys.devcluster.rest import WriteOptions
from tiphys.devcluster.server import ApiServer
from tiphys.devcluster.storage import Bucket, Change
from tiphys.devcluster.subresources import bind

FATAL: Final = {
    "evicted": "Failed",
    "out_of_memory": "Failed",
    "node_lost": "Failed",
    "cut_off": "Failed",
    "deleted": "Error",
    "squatted": "Error",
    "node_death": "Error",
}
"""Fates that end a pod badly, and the phase that its node is to have then."""

REASONS: Final = {
    "evicted": ("Evicted", "The node was low on resource: memory."),
    "node_lost": ("NodeLost", "Node which was running the pod is gone"),
    "cut_off": ("", "read tcp 10.0.0.1:443: connection reset by peer"),
    "out_of_memory": ("", ""),
}
HOSTS: Final = ("north", "south", "east", "west")
HOW: Final = {
    "squatted": ENGINE, "node_death": ENGINE, "never_started": TIMED_OUT, "cut_off": "transient",
    "evicted": "137", "node_lost": "137", "out_of_memory": "137",
}  # fmt: skip
"""How a pod has failed, where that matters: by which exit code, for its network, before it began, or was made; or the
engine has failed it."""
STARTED, ENDED = "2026-01-01T00:00:00Z", "2026-01-01T00:00:10Z"


class Fates:
    """What becomes of every pod, by the name of its node."""

    def __init__(self, plan: Plan, bad: float) -> None:
        self.plan = plan
        self.bad = bad
        self.healed = False  # after a retry by the user everything goes well

    def share(self, what: str, name: str) -> float:
        """A number from 0 to 1, the same for that name whenever it is asked for."""
        return (zlib.crc32(f"{self.plan.seed}/{what}/{name}".encode()) % 10_000) / 10_000

    def of(self, node: Expected) -> str:
        """`ends`, `fails`, or one of the faults of pods."""
        if node.kind == "daemon":
            return "serves"
        if self.healed or node.kind == "sure":
            return "ends"
        if node.kind == "slow":
            never = "never_started" in self.plan.kinds and self.share("slow", node.name) < 0.4
            return "never_started" if never else "ends"
        throw = self.share("fate", node.name) / self.bad
        if throw >= 1.0:
            return "ends"
        fatal = sorted(kind for kind in FATAL if kind in self.plan.kinds and kind != "squatted")
        if node.step and "node_death" in fatal:
            fatal.remove("node_death")
        if "squatted" in self.plan.kinds and throw < 0.06:
            return "squatted"
        return "fails" if throw >= 0.6 or not fatal else fatal[int(throw / 0.6 * len(fatal))]

    def phase(self, node: Expected) -> str:
        """The phase that the node of the pod has in the end."""
        fate = self.of(node)
        return {"ends": "Succeeded", "serves": "Succeeded", "fails": "Failed", "never_started": "Failed", **FATAL}[fate]

    def ending(self, node: Expected) -> str:
        """The same, and after a `/` how it has failed where that may matter."""
        fate, phase = self.of(node), self.phase(node)
        how = str(self.code(node.name)) if fate == "fails" else HOW.get(fate, "")
        return f"{phase}/{how}" if how else phase

    def code(self, name: str) -> int:
        """The exit code of a pod that fails."""
        return 2 if self.plan.seed >= FIRST_FURTHER and self.share("code", name) < 0.4 else 1

    def host(self, pod: Object) -> str:
        """Where a pod is to run: where it may, and the same whenever it is asked for; empty in earlier seeds."""
        if self.plan.seed < FIRST_FURTHER:
            return ""
        required = (pod["spec"].get("affinity") or {}).get("nodeAffinity") or {}
        terms = (required.get("requiredDuringSchedulingIgnoredDuringExecution") or {}).get("nodeSelectorTerms") or ()
        away = {one for term in terms for rule in term["matchExpressions"] for one in rule["values"]}
        fit = [host for host in HOSTS if host not in away]
        return fit[int(self.share("host", pod["metadata"]["annotations"][labels.NODE_NAME]) * len(fit))]


@dataclass
class Kubelet:
    """Runs every pod to its fate."""

    server: ApiServer
    plan: Plan
    fates: Fates
    expected: Callable[[str, str], Expected | None]  # (workflow, node name) -> what the oracle says of it
    tasks: TaskGroup
    doing: set[str] = field(default_factory=set)  # names of pods that somebody else than the controller takes away
    _wake: dict[str, anyio.Event] = field(default_factory=dict)  # uid -> its pod was changed by others
    _early: Counter[str] = field(default_factory=Counter)
    _ownerless: set[str] = field(default_factory=set)  # names of workflows that are no more

    def observe(self, bucket: Bucket, change: Change) -> None:
        """A commit of the store."""
        if bucket.plural == "workflows" and change.type == "DELETED":
            name = change.record.object["metadata"]["name"]
            self._ownerless.add(name)
            for record in self.server.rest.bucket(self.server.catalog.of(PODS)).records.values():
                if record.object["metadata"]["labels"].get(labels.WORKFLOW) == name:
                    self.tasks.start_soon(self._collect, record.object)
        if bucket.plural != "pods" or bucket.group:
            return
        pod = change.record.object
        uid = pod["metadata"]["uid"]
        if change.type == "ADDED" and labels.NODE_NAME in (pod["metadata"].get("annotations") or {}):
            if pod["metadata"].get("labels", {}).get("squatter") is None:
                self._wake[uid] = anyio.Event()
                self.tasks.start_soon(self._run, pod, self._wake[uid])
                if pod["metadata"]["labels"][labels.WORKFLOW] in self._ownerless:
                    self.tasks.start_soon(self._collect, pod)
        elif uid in self._wake and (
            change.type == "DELETED"
            or pod["metadata"].get("deletionTimestamp")
            or pod["spec"].get("activeDeadlineSeconds") == 1
        ):
            self._wake[uid].set()

    async def _run(self, pod: Object, wake: anyio.Event) -> None:
        meta = pod["metadata"]
        name = meta["annotations"][labels.NODE_NAME]
        node = self.expected(meta["labels"][labels.WORKFLOW], name)
        try:
            with suppress(ApiError):
                await self._live(pod, wake, name, node)
        finally:
            self._wake.pop(meta["uid"], None)

    async def _live(self, pod: Object, wake: anyio.Event, name: str, node: Expected | None) -> None:
        dice, fate = self.plan.dice("kubelet"), self.fates.of(node) if node is not None else "ends"
        if fate == "never_started":
            self.plan.hit("never_started")
            await wake.wait()
            return self._finish(pod)
        with anyio.move_on_after(dice.choice([0.02, 0.1, 0.1, 1.0])):
            await wake.wait()
            return self._finish(pod)
        if self._early[name] < 2 and self.plan.throw("deleted_early", 0.04):
            self._early[name] += 1
            return self._take_away(pod)
        self._bind(pod)
        self._patch(pod, _running(pod))
        delay_s = dice.choice([0.1, 0.5, 1.0, 3.0, 8.0]) if fate != "serves" else float("inf")
        with anyio.move_on_after(delay_s):
            await wake.wait()
            return self._finish(pod)
        if fate in self.plan.kinds:
            self.plan.hit(fate)
        if fate == "deleted":
            return self._take_away(pod)
        self._patch(pod, _last_status(pod, fate, name, self.fates.code(name)))
        return None

    def _bind(self, pod: Object) -> None:
        host = self.fates.host(pod)
        if host:
            kind, key = self.server.catalog.of(PODS), (pod["metadata"]["namespace"], pod["metadata"]["name"])
            bind(self.server.rest, kind, key, {"metadata": {"name": key[1]}, "target": {"name": host}})

    async def _collect(self, pod: Object) -> None:
        """The garbage collector deletes what has no owner any more; a finalizer is not its business."""
        if pod["metadata"]["labels"].get("squatter") is not None:
            return  # another's
        await anyio.sleep(self.plan.dice("collector").choice([0.05, 0.5, 5.0]))
        self.doing.add(pod["metadata"]["name"])
        with suppress(ApiError):
            self._delete(pod)
        self.doing.discard(pod["metadata"]["name"])

    def _finish(self, pod: Object) -> None:
        """The controller wants its end, by a deadline or by deleting it."""
        kind = self.server.catalog.of(PODS)
        stored = self.server.rest.bucket(kind).records.get((pod["metadata"]["namespace"], pod["metadata"]["name"]))
        if stored is None or stored.object["metadata"]["uid"] != pod["metadata"]["uid"]:
            return
        late = {"phase": "Failed", "reason": "DeadlineExceeded", "message": "deadline"}
        self._patch(pod, late)
        if stored.object["metadata"].get("deletionTimestamp"):
            self.doing.add(pod["metadata"]["name"])
            self._delete(pod)
            self.doing.discard(pod["metadata"]["name"])

    def _take_away(self, pod: Object) -> None:
        """Somebody deletes it with force."""
        self.doing.add(pod["metadata"]["name"])
        try:
            kind, key = self.server.catalog.of(PODS), (pod["metadata"]["namespace"], pod["metadata"]["name"])
            self.server.rest.patch(kind, key, {"metadata": {"finalizers": None}}, "merge")
            self._delete(pod)
        finally:
            self.doing.discard(pod["metadata"]["name"])

    def _delete(self, pod: Object) -> None:
        kind, key = self.server.catalog.of(PODS), (pod["metadata"]["namespace"], pod["metadata"]["name"])
        self.server.rest.delete(kind, key, DeleteOptions(0, None, pod["metadata"]["uid"]))

    def _patch(self, pod: Object, status: Object) -> None:
        kind, key = self.server.catalog.of(PODS), (pod["metadata"]["namespace"], pod["metadata"]["name"])
        body: Any = {"metadata": {"uid": pod["metadata"]["uid"]}, "status": status}
        self.server.rest.patch(kind, key, body, "merge", WriteOptions(subresource="status"))


def _running(pod: Object) -> Object:
    running = {"running": {"startedAt": STARTED}}
    each = [{"name": entry["name"], "ready": True, "state": running} for entry in pod["spec"]["containers"]]
    return {"phase": "Running", "podIP": "10.0.0.1", "containerStatuses": each}


def _last_status(pod: Object, fate: str, name: str, code: int) -> Object:
    if fate in REASONS:
        reason, message = REASONS[fate]
        killed = {"exitCode": 137, "reason": "OOMKilled" if fate == "out_of_memory" else "Error", "startedAt": STARTED}
        each = [{"name": entry["name"], "state": {"terminated": killed}} for entry in pod["spec"]["containers"]]
        said = {"reason": reason, "message": message} if reason else {"message": message} if message else {}
        return {"phase": "Failed", "containerStatuses": each, **said}
    made = made_by(name)
    status = ended(pod, Outcome(code=code if fate == "fails" else 0, parameters={"p": made}, result=made))
    for entry in status["containerStatuses"]:
        entry["state"]["terminated"] |= {"startedAt": STARTED, "finishedAt": ENDED}  # it has used something
    return status


def made_by(name: str) -> str:
    """What every node makes, as parameter and as result: a list, so that it may be looped over."""
    return f'["{zlib.crc32(name.encode()) % 1000}","b"]'
