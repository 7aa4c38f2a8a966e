"""Binds pods to nodes: node selectors and affinity, requests against what is left, taints; the rest is told in words.

`place` is the decision, a plain function of the pod, the nodes and what runs on them. It chooses the node with the
most CPU left; preferences, spreading and pod affinity are not weighed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial
from typing import TypeAlias

import anyio
import anyio.abc

from runtime.api import Api, ApiError, Conflict, Gone, Refused, Selection, Throttled
from runtime.objects import NODES, PODS, Object, Resource, reference
from tiphys.devcluster.node.events import EventRecorder
from tiphys.devcluster.node.follow import Change, follow
from tiphys.devcluster.node.lifecycle import rfc3339
from tiphys.devcluster.node.quantity import parse_quantity
from tiphys.devcluster.node.registration import ONLY_WARNINGS
from tiphys.devcluster.node.settings import Clock

BINDINGS = Resource("v1", "Binding", "bindings")
SCHEDULER_NAME = "default-scheduler"
RETRY_S = 1.0
COUNTED = ("cpu", "memory")

Amounts: TypeAlias = dict[str, Fraction]


@dataclass(slots=True)
class NodeState:
    """A node and what the pods bound to it asked for."""

    object: Object
    pods: dict[str, Amounts] = field(default_factory=dict)  # by pod uid
    used: Amounts = field(default_factory=dict)  # their sum

    def free(self, name: str) -> Fraction:
        """How much of a resource is not asked for."""
        allocatable = (self.object.get("status") or {}).get("allocatable") or {}
        return parse_quantity(allocatable.get(name, "0")) - self.used.get(name, Fraction(0))

    def add(self, uid: str, amounts: Amounts) -> None:
        """Count a pod, once."""
        if uid not in self.pods:
            self.pods[uid] = amounts
            for name, amount in amounts.items():
                self.used[name] = self.used.get(name, Fraction(0)) + amount

    def remove(self, uid: str) -> bool:
        """Stop counting a pod; False when it was not counted."""
        amounts = self.pods.pop(uid, None)
        for name, amount in (amounts or {}).items():
            self.used[name] -= amount
        return amounts is not None


# ------------------------------------------------------------------------------------------------ decisions


def requests_of(pod: Object) -> Amounts:
    """CPU and memory a pod asks for: its main containers and sidecars together, or its largest init container."""
    spec = pod.get("spec") or {}
    wanted: Amounts = {}
    for name in COUNTED:
        total = sum((_request(c, name) for c in spec.get("containers") or ()), Fraction(0))
        largest = sidecars = Fraction(0)
        for container in spec.get("initContainers") or ():
            if container.get("restartPolicy") == "Always":
                sidecars += _request(container, name)
                largest = max(largest, sidecars)
            else:
                largest = max(largest, sidecars + _request(container, name))
        overhead = parse_quantity((spec.get("overhead") or {}).get(name, "0"))
        wanted[name] = max(total + sidecars, largest) + overhead
    return wanted


def place(pod: Object, nodes: Iterable[NodeState]) -> tuple[str, str]:
    """(node name, "") for a pod that fits somewhere, else ("", the scheduler's sentence why it does not)."""
    wanted = requests_of(pod)
    reasons: dict[str, int] = {}
    fitting: list[NodeState] = []
    count = 0
    for node in nodes:
        count += 1
        why = refusal(pod, wanted, node)
        for reason in why:
            reasons[reason] = reasons.get(reason, 0) + 1
        if not why:
            fitting.append(node)
    if fitting:
        best = max(fitting, key=lambda n: (n.free("cpu"), n.object["metadata"]["name"]))
        return best.object["metadata"]["name"], ""
    if not count:
        return "", "no nodes available to schedule pods"
    told = ", ".join(sorted(f"{number} {reason}" for reason, number in reasons.items()))
    return "", f"0/{count} nodes are available: {told}."


def refusal(pod: Object, wanted: Amounts, node: NodeState) -> list[str]:
    """Why the pod cannot run on the node, in the scheduler's words; empty when it can."""
    spec = pod.get("spec") or {}
    if node.object.get("spec", {}).get("unschedulable"):
        return ["node(s) were unschedulable"]
    for taint in node.object.get("spec", {}).get("taints") or ():
        if taint.get("effect") in ("NoSchedule", "NoExecute") and not _tolerated(taint, spec.get("tolerations") or ()):
            return [f"node(s) had untolerated taint {{{taint['key']}: {taint.get('value', '')}}}"]
    if not _selected(spec, node.object):
        return ["node(s) didn't match Pod's node affinity/selector"]
    return [f"Insufficient {name}" for name in COUNTED if wanted[name] and wanted[name] > node.free(name)]


def _request(container: Object, name: str) -> Fraction:
    resources = container.get("resources") or {}
    text = (resources.get("requests") or {}).get(name) or (resources.get("limits") or {}).get(name) or "0"
    return parse_quantity(text)


def _tolerated(taint: Object, tolerations: Iterable[Object]) -> bool:
    for toleration in tolerations:
        if toleration.get("effect") not in (None, "", taint.get("effect")):
            continue
        if toleration.get("operator") == "Exists" and toleration.get("key") in (None, "", taint["key"]):
            return True
        if toleration.get("key") == taint["key"] and (toleration.get("value") or "") == (taint.get("value") or ""):
            return True
    return False


def _selected(spec: Object, node: Object) -> bool:
    labels = node["metadata"].get("labels") or {}
    if any(labels.get(key) != value for key, value in (spec.get("nodeSelector") or {}).items()):
        return False
    affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution")
    if required is None:
        return True
    return any(_term_matches(term, node, labels) for term in required.get("nodeSelectorTerms") or ())


def _term_matches(term: Object, node: Object, labels: dict[str, str]) -> bool:
    expressions, fields = term.get("matchExpressions") or [], term.get("matchFields") or []
    if not expressions and not fields:
        return False
    own = {"metadata.name": node["metadata"]["name"]}
    return all(_matches(e, labels) for e in expressions) and all(_matches(e, own) for e in fields)


def _matches(expression: Object, labels: dict[str, str]) -> bool:
    value = labels.get(expression["key"])
    values = expression.get("values") or []
    match expression.get("operator"):
        case "In":
            return value in values
        case "NotIn":
            return value not in values
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
        case "Gt" | "Lt" as operator:
            return _compares(value, values, greater=operator == "Gt")
        case _:
            return False


def _compares(value: str | None, values: list[str], *, greater: bool) -> bool:
    try:
        left, right = int(value or ""), int(values[0])
    except (ValueError, IndexError):
        return False
    return left > right if greater else left < right


# ------------------------------------------------------------------------------------------------ the loop


class Scheduler:
    """Keeps nodes and pods in view and binds every pod that has no node and asks for no other scheduler."""

    def __init__(self, api: Api, clock: Clock) -> None:
        self._api = api
        self._clock = clock
        self._nodes: dict[str, NodeState] = {}
        self._waiting: dict[str, Object] = {}  # by uid: pods without a node, in the order they came
        self._told: dict[str, str] = {}  # by uid: the sentence written last
        self._work = anyio.Event()

    async def run(self, *, task_status: anyio.abc.TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Bind until cancelled."""
        async with anyio.create_task_group() as tasks:
            events = EventRecorder(self._api, tasks, self._clock, SCHEDULER_NAME)
            tasks.start_soon(follow, self._api, NODES, self._see_node, Selection())
            tasks.start_soon(follow, self._api, PODS, partial(self._see_pod, events), Selection())
            task_status.started()
            while True:
                await self._work.wait()
                self._work = anyio.Event()
                for pod in list(self._waiting.values()):
                    await self._schedule(pod, events)

    def _see_node(self, change: Change) -> None:
        name = change.object["metadata"]["name"]
        if change.deleted:
            self._nodes.pop(name, None)
            return
        known = self._nodes.get(name)
        if known is None:
            self._nodes[name] = NodeState(change.object)
        else:
            known.object = change.object
        self._work.set()

    def _see_pod(self, events: EventRecorder, change: Change) -> None:
        pod = change.object
        uid, spec = pod["metadata"]["uid"], pod.get("spec") or {}
        node = spec.get("nodeName")
        over = change.deleted or (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")
        if node and over:
            state = self._nodes.get(node)
            if state is not None and state.remove(uid) and self._waiting:
                self._work.set()
        elif node:
            self._count(pod, node)
        if over or node or pod["metadata"].get("deletionTimestamp"):
            self._waiting.pop(uid, None)
            self._told.pop(uid, None)
            events.forget(uid)
        elif spec.get("schedulerName", SCHEDULER_NAME) == SCHEDULER_NAME and not spec.get("schedulingGates"):
            self._waiting[uid] = pod
            self._work.set()

    def _count(self, pod: Object, node: str) -> None:
        state = self._nodes.setdefault(node, NodeState({"metadata": {"name": node}, "spec": {"unschedulable": True}}))
        if pod["metadata"]["uid"] not in state.pods:
            state.add(pod["metadata"]["uid"], requests_of(pod))

    async def _schedule(self, pod: Object, events: EventRecorder) -> None:
        uid = pod["metadata"]["uid"]
        node, why = place(pod, self._nodes.values())
        try:
            if node:
                await self._bind(pod, node)
                self._say_bound(pod, node, events)
            elif self._told.get(uid) != why:
                await self._explain(pod, why)
                self._told[uid] = why
                events.warn(pod, "FailedScheduling", why)
        except (Gone, Conflict, Refused):
            self._waiting.pop(uid, None)  # deleted or bound by another: the watch tells
        except ApiError as error:
            await anyio.sleep(error.after_s if isinstance(error, Throttled) else RETRY_S)
            self._work.set()

    def _say_bound(self, pod: Object, node: str, events: EventRecorder) -> None:
        state = self._nodes.get(node)
        if state is not None and ONLY_WARNINGS not in (state.object["metadata"].get("annotations") or {}):
            meta = pod["metadata"]
            events.say(pod, "Scheduled", f"Successfully assigned {meta['namespace']}/{meta['name']} to {node}")

    async def _bind(self, pod: Object, node: str) -> None:
        meta = pod["metadata"]
        binding: Object = {
            "apiVersion": "v1",
            "kind": "Binding",
            "metadata": {"name": meta["name"], "namespace": meta["namespace"], "uid": meta["uid"]},
            "target": {"apiVersion": "v1", "kind": "Node", "name": node},
        }
        await self._api.create(BINDINGS, binding)
        self._waiting.pop(meta["uid"], None)
        self._count(pod, node)

    async def _explain(self, pod: Object, why: str) -> None:
        conditions = [c for c in (pod.get("status") or {}).get("conditions") or () if c["type"] != "PodScheduled"]
        unscheduled = {
            "type": "PodScheduled",
            "status": "False",
            "reason": "Unschedulable",
            "message": why,
            "lastTransitionTime": rfc3339(self._clock()),
        }
        ref = reference(PODS, pod)
        body = {"metadata": {"uid": ref.uid}, "status": {"conditions": [*conditions, unscheduled]}}
        await self._api.patch(ref, body, subresource="status")
