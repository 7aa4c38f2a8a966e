"""What must hold at every commit of the store, whoever wrote it; and what must hold when all is over.

It is told of each commit before anybody else, knows the store and the oracle, and nothing of the controllers. The first
broken promise ends the run.

    a phase never goes back - a pod is made once - limits hold - locks are on record, and never too many of them -
    nothing is ended or let go before its end is on record - in the end nothing is left over
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import anyio

from actors.names import ids, labels
from runtime.objects import PODS, Object
from tests.upstream_view import misnamed
from tests.world.oracle import Expected, Oracle, lock_names
from tiphys.devcluster.server import ApiServer
from tiphys.devcluster.storage import Bucket, Change

ENDED = frozenset({"Succeeded", "Failed", "Error", "Skipped", "Omitted"})
RANK = {"": 0, "Pending": 0, "Running": 1, **dict.fromkeys(ENDED, 2)}
LIMITS = {"two": 2}  # of the semaphores that there are; a mutex lets one in


def nodes_in(workflow: Object) -> dict[str, Object]:
    """`status.nodes`, also where they are compressed."""
    status = workflow.get("status") or {}
    if status.get("compressedNodes"):
        found: dict[str, Object] = json.loads(gzip.decompress(base64.b64decode(status["compressedNodes"])))
        return found
    return status.get("nodes") or {}


def _is_told_to_end(pod: Object) -> bool:
    return bool((pod.get("spec") or {}).get("activeDeadlineSeconds") == 1)


def is_live(pod: Object) -> bool:
    """Whether a pod may still do something."""
    return (pod.get("status") or {}).get("phase") not in {"Succeeded", "Failed"}


@dataclass
class Judge:
    """Watches one world."""

    server: ApiServer
    oracles: Mapping[str, Oracle]  # by the workflow's name
    by_kubelet: Callable[[str], bool]  # whether a pod of that name is being taken away by somebody else
    broken: list[str] = field(default_factory=list)
    news: anyio.Event = field(default_factory=anyio.Event)  # something broke, or a workflow ended
    user_writes: bool = False
    given_up: Callable[[Object], bool] = lambda pod: False  # its node ends without waiting for it: a time-out
    struck: bool = False  # a workflow's actor alone has crashed: its next life may not see yet what it had asked for
    stopped: bool = False  # a user has ended the run by force: what was to happen inside is no longer known
    crashed: set[str] = field(default_factory=set)  # workflows in which the actor of a composite has crashed
    vague: set[str] = field(default_factory=set)  # workflows of which nobody can tell beforehand what will run
    deleted: set[str] = field(default_factory=set)  # by a user
    ended: set[str] = field(default_factory=set)
    reopened: set[str] = field(default_factory=set)  # by a user who tries them again
    unrecorded: set[str] = field(default_factory=set)  # node ids of pods that the record does not know yet
    made: dict[str, str] = field(default_factory=dict)  # node id -> "made", "ran"
    former: set[str] = field(default_factory=set)  # uids of pods of a run that a user has begun anew since
    pods: dict[str, dict[str, Object]] = field(default_factory=dict)  # workflow -> pod name -> pod
    phases: dict[str, str] = field(default_factory=dict)  # workflow -> its phase on record
    nodes: dict[str, dict[str, str]] = field(default_factory=dict)  # workflow -> node id -> phase on record
    holders: dict[str, dict[str, set[str]]] = field(default_factory=dict)  # workflow -> lock -> holders on record
    bound: dict[str, str] = field(default_factory=dict)  # workflow and node id -> host of its latest pod that had one
    hosts: dict[str, dict[str, str]] = field(default_factory=dict)  # workflow -> node's name -> host on record
    commits: int = 0

    def wrong(self, text: str) -> None:
        """A promise is broken."""
        self.broken.append(text)
        self.news.set()

    def observe(self, bucket: Bucket, change: Change) -> None:
        """A commit of the store."""
        self.commits += 1
        if bucket.plural == "pods":
            self._pod(change)
        elif bucket.plural == "workflows":
            self._workflow(change)

    # -------------------------------------------------------------------------------------------------- pods

    def _pod(self, change: Change) -> None:
        pod = change.record.object
        meta = pod["metadata"]
        workflow, node_id = meta["labels"].get(labels.WORKFLOW, ""), meta["annotations"].get(labels.NODE_ID, "")
        squatter = meta["labels"].get("squatter") is not None
        if squatter:
            if change.type != "ADDED" and not self.user_writes:
                self.wrong(f"pod {meta['name']} of somebody else was changed: {change.type}")
            return
        mine = self.pods.setdefault(workflow, {})
        if change.type == "DELETED":
            mine.pop(meta["name"], None)
            if self.by_kubelet(meta["name"]) or self.user_writes:  # it may be made again: nobody knows whether it ran
                self.made[workflow + node_id] = "made"
            self._let_go(change, workflow, node_id)
            return
        mine[meta["name"]] = pod
        if pod["spec"].get("nodeName"):
            self.bound[workflow + node_id] = pod["spec"]["nodeName"]
        if change.type == "ADDED":
            self._made(pod, workflow, node_id)
            return
        forgotten = meta["uid"] in self.former and node_id not in self.nodes.get(workflow, {})  # it only has to go
        if (pod.get("status") or {}).get("phase") not in {None, "Pending"} and not forgotten:
            self.made[workflow + node_id] = "ran"
        self._let_go(change, workflow, node_id)

    def _made(self, pod: Object, workflow: str, node_id: str) -> None:
        name = pod["metadata"]["annotations"][labels.NODE_NAME]
        if self.made.get(workflow + node_id) == "ran":
            self.wrong(f"the pod of {name} was made twice")
        self.made[workflow + node_id] = "made"
        if node_id not in self.nodes.get(workflow, {}):
            self.unrecorded.add(workflow + node_id)
        oracle = self.oracles.get(workflow)
        # A stop, a deadline, or a crash above, may overtake a create that is under way, or was told to come back later.
        overtaken = self.stopped or workflow in self.crashed or (oracle is not None and oracle.hurries)
        if not overtaken and self.nodes.get(workflow, {}).get(node_id) in ENDED:
            self.wrong(f"a pod was made for {name}, whose end is on record")
        if workflow in self.ended and not overtaken:
            self.wrong(f"a pod was made for {name} of a workflow that has ended")
        if oracle is None or self.stopped or workflow in self.vague:
            return
        known = oracle.nodes.get(name)
        if known is None:
            self.wrong(f"a pod was made for {name}, which must not run")
            return
        for text in misnamed(pod, workflow, known.template):
            self.wrong(text)
        self._within_limits(workflow, oracle, known)
        self._kept_away(pod, workflow, oracle.templates.get(known.template) or {})

    def _kept_away(self, pod: Object, workflow: str, template: Object) -> None:
        """An attempt that is to run elsewhere must not run where those before it have run by the record (RTY-10)."""
        name = pod["metadata"]["annotations"][labels.NODE_NAME]
        if "affinity" not in template.get("retryStrategy", {}) or not name.endswith(")"):
            return
        before = name[: name.rfind("(")]
        known = self.hosts.get(workflow, {}).items()  # its own is of a pod that was lost before it began (RTY-13)
        hosts = {host for one, host in known if one != name and one[: one.rfind("(")] == before}
        if hosts and not all(host in str(pod["spec"].get("affinity")) for host in hosts):
            self.wrong(f"{name} may run where one before it has run: {sorted(hosts)}, {pod['spec'].get('affinity')}")

    def _within_limits(self, workflow: str, oracle: Oracle, node: Expected) -> None:
        if self.struck:
            return
        live = [pod for pod in self.pods[workflow].values() if is_live(pod) and not self.given_up(pod)]
        limit = oracle.spec.get("parallelism")
        if limit is not None and len(live) > limit:
            self.wrong(f"{len(live)} pods of {workflow} at once with {node.name}, not {limit}")
        inside = oracle.limits.get(node.boundary)
        if inside is not None:
            found = [oracle.nodes[pod["metadata"]["annotations"][labels.NODE_NAME]] for pod in live]
            beside = [entry.name for entry in found if entry.boundary == node.boundary]
            if len(beside) > inside:
                self.wrong(f"{len(beside)} pods in {node.boundary} at once, not {inside}: {beside}")
        for key, holder in (*node.locks, *((key, workflow) for key in lock_names(oracle.spec))):
            full = (
                "default/"
                + workflow
                + ("" if holder == workflow and key in lock_names(oracle.spec) else f"/{ids.node_id(workflow, holder)}")
            )
            if full not in self.holders.get(workflow, {}).get(key, set()):
                self.wrong(f"{node.name} began and the record does not say that {holder} holds {key}")

    def _let_go(self, change: Change, workflow: str, node_id: str) -> None:
        """Labelled completed, deleted, told to end, or its finalizer taken: only once its node's end is on record."""
        pod, before = change.record.object, change.previous.object if change.previous else {}
        meta, old = pod["metadata"], (before.get("metadata") or {})
        if self.by_kubelet(meta["name"]) or self.user_writes or workflow in self.deleted:
            return
        marked = meta["labels"].get(labels.COMPLETED) == "true" != (old.get("labels") or {}).get(labels.COMPLETED)
        freed = bool(old.get("finalizers")) and not meta.get("finalizers")
        deleted = change.type == "DELETED" or bool(meta.get("deletionTimestamp"))
        told = _is_told_to_end(pod) and not _is_told_to_end(before)
        gone = (deleted or told) and not self.stopped  # a stop does not wait to hear whether it has ended by itself
        on_record = self.nodes.get(workflow, {}).get(node_id)
        over = workflow in self.ended or workflow in self.reopened  # what was swept then may be told a moment late
        forgotten = on_record is None and over  # the run ended before anybody wrote that it began
        if (marked or freed or gone) and on_record not in ENDED and not forgotten:
            what = "labelled as completed" if marked else "freed" if freed else "deleted" if deleted else "told to end"
            self.wrong(f"pod {meta['name']} was {what} and the end of its node is not on record")

    # --------------------------------------------------------------------------------------------- workflows

    def _workflow(self, change: Change) -> None:
        thing = change.record.object
        name = thing["metadata"]["name"]
        status = thing.get("status") or {}
        if change.type == "DELETED":
            self._gone(name)
            return
        nodes = nodes_in(thing)
        now = {node_id: node.get("phase", "") for node_id, node in nodes.items()}
        before = self.nodes.get(name, {})
        if not self.user_writes and status.get("nodes") and status.get("compressedNodes"):
            self.wrong(f"the nodes of {name} are on record twice")  # readers would see those inline, and no others
        if not self.user_writes:
            self._whole(nodes)
            self._forward(name, nodes, before)
        self.nodes[name], self.phases[name] = now, status.get("phase", "")
        self._hosts(name, nodes)
        self.unrecorded -= {name + node_id for node_id in now}
        self._locks(name, thing)
        completed = (thing["metadata"].get("labels") or {}).get(labels.COMPLETED) == "true"
        if completed and name not in self.ended:
            self.ended.add(name)
            self.news.set()
            if not status.get("finishedAt"):
                self.wrong(f"workflow {name} is completed without an end")
        elif not completed and name in self.ended:
            self.ended.discard(name)
            if not self.user_writes:
                self.wrong(f"workflow {name} had ended and goes on")

    def _gone(self, name: str) -> None:
        """Only a user deletes a workflow; what it held is free."""
        if name not in self.deleted:
            self.wrong(f"workflow {name} is gone")
        self.holders.pop(name, None)
        self.ended.add(name)
        self.news.set()

    def _whole(self, nodes: dict[str, Object]) -> None:
        for node_id, node in nodes.items():
            if node.get("id") != node_id or not node.get("name") or not node.get("type"):
                self.wrong(f"an entry of status.nodes has lost its identity: {node}")

    def _hosts(self, workflow: str, nodes: dict[str, Object]) -> None:
        """The record says where pods have run, and nothing else."""
        self.hosts[workflow] = {node["name"]: node["hostNodeName"] for node in nodes.values() if "hostNodeName" in node}
        for node_id, node in nodes.items():
            host = self.bound.get(workflow + node_id, "")
            if host and node.get("hostNodeName", host) != host and not self.stopped:
                self.wrong(f"{node['name']} is said to run on {node['hostNodeName']}, and runs on {host}")

    def _forward(self, workflow: str, nodes: dict[str, Object], before: dict[str, str]) -> None:
        for node_id, phase in before.items():
            if node_id not in nodes:
                self.wrong(f"node {node_id} of {workflow} is no longer on record")
                continue
            after, kind = nodes[node_id].get("phase", ""), nodes[node_id]["type"]
            if self.stopped and kind == "Suspend":
                continue  # who resumes what another stops may be too late
            if RANK[after] < RANK[phase] or (RANK[phase] == 2 and after != phase):
                self.wrong(f"{nodes[node_id]['name']} went from {phase} to {after}")

    def _locks(self, name: str, thing: Object) -> None:
        section = (thing.get("status") or {}).get("synchronization") or {}
        held: dict[str, set[str]] = {}
        for entry in (section.get("mutex") or {}).get("holding") or ():
            held.setdefault(entry["mutex"].rpartition("/")[2], set()).add(entry["holder"])
        for entry in (section.get("semaphore") or {}).get("holding") or ():
            held.setdefault(entry["semaphore"].rpartition("/")[2], set()).update(entry["holders"])
        self.holders[name] = held
        for key in held:
            everybody = {holder for locks in self.holders.values() for holder in locks.get(key, ())}
            if len(everybody) > LIMITS.get(key, 1):
                self.wrong(f"{sorted(everybody)} hold {key} at once")

    # ---------------------------------------------------------------------------------------------- the end

    def forget(self, workflow: str) -> None:
        """The workflow begins anew: what it did before may be done again."""
        self.ended.discard(workflow)
        self.reopened.add(workflow)
        self.former |= {pod["metadata"]["uid"] for pod in self.pods.get(workflow, {}).values()}
        self.made = {key: state for key, state in self.made.items() if not key.startswith(workflow)}

    def left_over(self) -> None:
        """Nothing of an ended workflow is left: no live pod, none that was not let go, none that podGC wants away."""
        kind = self.server.catalog.of(PODS)
        for record in self.server.rest.bucket(kind).records.values():
            pod = record.object
            meta = pod["metadata"]
            if meta["labels"].get("squatter") is not None:
                continue
            if is_live(pod) or meta["labels"].get(labels.WORKFLOW) in self.deleted:
                self.wrong(f"pod {meta['name']} outlives its workflow: {(pod.get('status') or {}).get('phase')}")
            elif meta["labels"].get(labels.COMPLETED) != "true":
                self.wrong(f"pod {meta['name']} was never labelled as completed")
            if meta.get("finalizers"):
                self.wrong(f"pod {meta['name']} is still held by {meta['finalizers']}")
            if self._collects(meta):
                self.wrong(f"pod {meta['name']} was never deleted")

    def _collects(self, meta: Object) -> bool:
        """Whether podGC wants the pod of a workflow that has ended to be deleted (PGC-1)."""
        workflow, node_id = meta["labels"][labels.WORKFLOW], meta["annotations"].get(labels.NODE_ID, "")
        oracle = self.oracles.get(workflow)
        match oracle and (oracle.spec.get("podGC") or {}).get("strategy"):
            case "OnPodCompletion" | "OnWorkflowCompletion":
                return True
            case "OnPodSuccess":
                return self.nodes[workflow].get(node_id) == "Succeeded"
            case "OnWorkflowSuccess":
                return self.phases[workflow] == "Succeeded"
        return False


def compare(oracle: Oracle, end: str, thing: Object) -> list[str]:
    """In what a finished workflow differs from what the oracle says."""
    status = thing["status"]
    found = {node["name"]: node for node in nodes_in(thing).values()}
    wrong = []
    if status["phase"] != end:
        wrong.append(f"the workflow is {status['phase']}, not {end}: {status.get('message', '')}")
    for name in sorted(found.keys() | oracle.phases.keys()):
        phase, wanted = found.get(name, {}).get("phase"), oracle.phases.get(name)
        unseen = phase is None and wanted in {"Failed", "Error"} and oracle.types[name] == "Container"  # nobody saw it
        if phase != wanted and not unseen:
            why = found.get(name, {}).get("message", "")
            wrong.append(f"{name}: {phase}, not {wanted} {why}".rstrip())
    for name, node in oracle.nodes.items():
        given = {
            entry["name"]: entry.get("value")
            for entry in (found.get(name, {}).get("inputs") or {}).get("parameters") or ()
        }
        ran = found.get(name, {}).get("phase") != "Error"  # whose actor crashed may not have come so far
        if ran and node.value is not None and node.template in {"say", "memo"} and given.get("m") != node.value:
            wrong.append(f"{name} was given {given.get('m')!r}, not {node.value!r}")
    return wrong


def drawn(oracle: Oracle, nodes: Mapping[str, Object]) -> Iterator[str]:
    """In what the graph of the nodes, their types and edges and where templates end, is not what the oracle draws.

    Which nodes there are is compared elsewhere: this looks at those that are there. A set's containers that nobody saw
    have no node, and their pod stands for them."""
    there = {node["name"]: node for node in nodes.values()}
    if any(kind == "Container" and name not in there for name, kind in oracle.types.items()):
        return
    for name, node in there.items():
        if node["type"] != oracle.types.get(name):
            yield f"{name} is a {node['type']}, not a {oracle.types.get(name)}"
        leads = {nodes[one]["name"] for one in node.get("children") or () if one in nodes}
        if leads != (wanted := there.keys() & oracle.children.get(name, ())):
            yield f"{name} leads to {sorted(leads)}, not {sorted(wanted)}"
        if node["type"] in {"Steps", "DAG"}:
            ends = {nodes[one]["name"] for one in node.get("outboundNodes") or () if one in nodes}
            if ends != (wanted := (there.keys() & oracle.outbound[name]) - {name}):
                yield f"{name} ends in {sorted(ends)}, not {sorted(wanted)}"


def finished_well(thing: Object, *, clocks_agree: bool, struck: bool = False) -> list[str]:
    """What must hold of every finished workflow: all of its nodes are, they point at each other, the sums are right.

    Where actors of composites were `struck`, nodes may be pointed at that then never began."""
    nodes: dict[str, Any] = nodes_in(thing)
    wrong = []
    for node_id, node in nodes.items():
        others = [*node.get("children", ()), *node.get("outboundNodes", ()), node.get("boundaryID") or node_id]
        absent = [other for other in others if other not in nodes and not struck]
        wrong += [f"{node['name']} names {other}, which is not there" for other in absent]
        if node.get("phase") not in ENDED or not node.get("finishedAt") or node.get("daemoned"):
            wrong.append(f"{node['name']} has not ended: {node.get('phase')}")
        elif clocks_agree and node["startedAt"] > node["finishedAt"]:
            wrong.append(f"{node['name']} ended before it began")
    counted = [
        entry.get("progress", "0/0").split("/")
        for entry in nodes.values()
        if entry["type"] in {"Pod", "Container", "Suspend", "HTTP", "Plugin"}
    ]
    total = "/".join(str(sum(int(pair[i]) for pair in counted)) for i in (0, 1))
    if thing["status"].get("progress") != total:
        wrong.append(f"progress is {thing['status'].get('progress')}, not {total}")
    if thing["status"].get("synchronization"):
        wrong.append(f"it still holds {thing['status']['synchronization']}")
    return wrong
