"""Judges an outcome against the table: what is not as it must be, in sentences. Pure.

Whatever the table says, every workflow must keep to the formulas: node ids, pod names, and a pod behind every Pod node
whose main container really ended with the exit code that the node records.
"""

from __future__ import annotations

import fnmatch
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from actors.names.ids import node_id, pod_name
from actors.names.labels import COMPONENT
from runtime.objects import Object
from tests.conformance.cluster import PodRecord
from tests.conformance.harness import Outcome, belongs_to, template_of, title
from tests.upstream_view import deviations
from tiphys.cli import nodes as status

Node = Mapping[str, Any]
_ID = re.compile(r"\{id ([^}]*)\}")


def problems(outcome: Outcome, expect: Mapping[str, Any]) -> list[str]:
    """Everything that is wrong; empty when the trial ended as the table says and kept to the formulas."""
    if outcome.problem:
        return [f"{outcome.problem} (phase {outcome.phase})", *_blockers(outcome.workflow)]
    name = outcome.workflow["metadata"]["name"]
    nodes = status.nodes_of(outcome.workflow)
    found = list(nodes.values())
    return [
        *deviations(outcome.workflow, nodes),
        *_the_end(outcome.workflow, expect),
        *_nodes(found, expect, outcome, name),
        *_surroundings(outcome, expect),
        *identities(name, found),
        *attempts(found),
        *pods_behind(name, found, own_pods(outcome), expect.get("without_exit_code", [])),
        *_still_running(outcome.pods),
    ]


def _blockers(workflow: Object) -> Iterator[str]:
    for node in status.nodes_of(workflow).values():
        if node.get("phase") in ("Pending", "Running") and node.get("message"):
            yield f"{node.get('displayName')} is {node['phase']}: {node['message']}"


# ------------------------------------------------------------------------------------------------ the table's words


def _the_end(workflow: Object, expect: Mapping[str, Any]) -> Iterator[str]:
    name, state = workflow["metadata"]["name"], workflow.get("status") or {}
    phase = state.get("phase")
    if phase not in _some(expect["phase"]):
        yield f"the workflow is {phase}, must be {expect['phase']} ({state.get('message', 'no message')})"
    if "message" in expect and (wanted := _filled(expect["message"], name)) != state.get("message", ""):
        yield f"the workflow's message is {state.get('message', '')!r}, must be {wanted!r}"
    if (workflow["metadata"].get("labels") or {}).get("workflows.argoproj.io/completed") != "true":
        yield "the workflow has no label completed=true"
    for key, value in expect.get("labels", {}).items():
        if (workflow["metadata"].get("labels") or {}).get(key) != value:
            yield f"the workflow has no label {key}={value}"
    exported = {p["name"]: p.get("value") for p in (state.get("outputs") or {}).get("parameters") or ()}
    for key, value in expect.get("outputs", {}).items():
        if exported.get(key) not in _some(value):
            yield f"the workflow's output {key} is {exported.get(key)!r}, must be {value!r}"


def _nodes(found: list[Node], expect: Mapping[str, Any], outcome: Outcome, name: str) -> Iterator[str]:
    types = Counter(str(node["type"]) for node in found)
    for kind, count in expect.get("types", {}).items():
        if types[kind] not in _some(count):
            yield f"{types[kind]} nodes are of type {kind}, must be {count}"
    for wanted in expect.get("absent", []):
        if any(title(node, name) == wanted for node in found):
            yield f"there is a node {wanted}, must not be"
    for wanted, wish in expect.get("nodes", {}).items():
        meant = [node for node in found if title(node, name) == wanted]
        if not meant:
            yield f"there is no node {wanted}"
        for node in meant:
            yield from _node(node, wish if isinstance(wish, dict) else {"phase": wish}, outcome, wanted)
        if isinstance(wish, dict) and len(meant) != wish.get("count", len(meant)):
            yield f"{len(meant)} nodes are called {wanted}, must be {wish['count']}"
    if "failed" in expect:
        yield from _broken_command(found, expect["failed"], name, expect.get("code", "3"))


def _broken_command(found: list[Node], expected: list[str], name: str, code: str) -> Iterator[str]:
    """Of a twin: the nodes that ran the broken command; each must say how it ended."""
    ran = [node for node in found if node["type"] == "Pod" and (node.get("outputs") or {}).get("exitCode") == code]
    titles = sorted(title(node, name) for node in ran)
    if titles != sorted(expected):
        yield f"exit code {code} is recorded by {titles}, must be by {sorted(expected)}"
    for node in ran:
        if node["phase"] != "Failed" or not str(node.get("message", "")).startswith(f"main: Error (exit code {code})"):
            said = node.get("message", "")
            yield f"{title(node, name)} is {node['phase']}: {said!r}, must be Failed with exit code {code}"


def _node(node: Node, wish: Mapping[str, Any], outcome: Outcome, name: str) -> Iterator[str]:
    workflow, message = outcome.workflow["metadata"]["name"], str(node.get("message", ""))
    outputs = node.get("outputs") or {}
    if "phase" in wish and node["phase"] not in _some(wish["phase"]):
        yield f"{name} is {node['phase']}, must be {wish['phase']} ({message})"
    if "type" in wish and node["type"] != wish["type"]:
        yield f"{name} is a {node['type']}, must be a {wish['type']}"
    if "message" in wish and message not in [_filled(text, workflow) for text in _some(wish["message"])]:
        yield f"{name}: the message is {message!r}, must be {_filled(str(wish['message']), workflow)!r}"
    if "message_has" in wish and wish["message_has"] not in message:
        yield f"{name}: the message is {message!r}, must contain {wish['message_has']!r}"
    if "result" in wish and outputs.get("result") not in _some(wish["result"]):
        yield f"{name}: the result is {outputs.get('result')!r}, must be {wish['result']!r}"
    if "exit" in wish and outputs.get("exitCode") not in _some(wish["exit"]):
        yield f"{name}: the exit code is {outputs.get('exitCode')!r}, must be {wish['exit']!r}"
    for key, text in wish.get("output_has", {}).items():
        values = {p["name"]: str(p.get("value")) for p in outputs.get("parameters") or ()}
        if text not in values.get(key, ""):
            yield f"{name}: output {key} is {values.get(key)!r}, must contain {text!r}"
    yield from _parameters(name, "output", outputs, wish.get("outputs", {}))
    yield from _parameters(name, "input", node.get("inputs") or {}, wish.get("inputs", {}))
    yield from _artifacts(name, node, wish.get("artifacts", {}), outcome)
    if node["type"] == "Pod":
        yield from _of_the_pod(node, wish, outcome, name)


def _of_the_pod(node: Node, wish: Mapping[str, Any], outcome: Outcome, name: str) -> Iterator[str]:
    log = outcome.logs.get(str(node["id"]), "")
    for wanted in _some(wish.get("log", [])):
        if wanted not in log:
            yield f"{name}: the log is {log[-300:]!r}, must contain {wanted!r}"
    pods = [pod.object for pod in outcome.pods if belongs_to(pod.object, outcome.workflow, [name])]
    for pointer, value in wish.get("pod", {}).items():
        if not pods or _at(pods[0], pointer) != value:
            yield f"{name}: {pointer} of the pod is {_at(pods[0], pointer) if pods else None!r}, must be {value!r}"


def _at(thing: Any, pointer: str) -> Any:
    """What a JSON pointer names, None when it names nothing; an entry of a list may be given by its name."""
    for part in pointer.strip("/").split("/"):
        key = part.replace("~1", "/").replace("~0", "~")
        if isinstance(thing, list):
            named = {str(entry.get("name")): entry for entry in thing if isinstance(entry, dict)}
            thing = named.get(key) or (thing[int(key)] if key.isdecimal() and int(key) < len(thing) else None)
        else:
            thing = thing.get(key) if isinstance(thing, dict) else None
    return thing


def _parameters(title: str, side: str, holder: Mapping[str, Any], wanted: Mapping[str, Any]) -> Iterator[str]:
    values = {p["name"]: p.get("value") for p in holder.get("parameters") or ()}
    for key, value in wanted.items():
        if values.get(key) not in _some(value):
            yield f"{title}: {side} {key} is {values.get(key)!r}, must be {value!r}"


def _artifacts(name: str, node: Node, wanted: Mapping[str, Any], outcome: Outcome) -> Iterator[str]:
    for key, value in wanted.items():
        text = outcome.artifacts.get((str(node["id"]), key))
        if text not in _some(value):
            yield f"{name}: artifact {key} holds {text!r}, must be {value!r}"


def _some(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _filled(text: str, workflow: str) -> str:
    """A text with `{id SUFFIX}` replaced by the id of the node whose name is the workflow's and the suffix."""
    return _ID.sub(lambda match: node_id(workflow, workflow + match[1]), text)


def _surroundings(outcome: Outcome, expect: Mapping[str, Any]) -> Iterator[str]:
    """What lies beside the workflow: claims, deleted pods, how many pods ran at once."""
    if "claims" in expect and outcome.claims != expect["claims"]:
        yield f"{outcome.claims} claims are left, must be {expect['claims']}"
    if "deleted" in expect and not outcome.deleted:
        yield "the workflow is still there, must be deleted"
    yield from _others(outcome.others, expect.get("others", {}))
    if "gone" in expect:
        for pod in outcome.pods:
            if pod.gone != belongs_to(pod.object, outcome.workflow, expect["gone"]):
                yield f"pod {pod.object['metadata']['name']} is {'deleted' if pod.gone else 'still there'}"
    if "at_once" in expect and (most := _at_once(outcome.pods)) > expect["at_once"]:
        yield f"{most} pods ran at once, must be at most {expect['at_once']}"


def _others(found: Mapping[str, str], wanted: Mapping[str, str]) -> Iterator[str]:
    """The workflows that this one has made: each by a pattern of its name, and no further one."""
    for pattern, phase in wanted.items():
        meant = fnmatch.filter(found, pattern)
        phases = [found[name] for name in meant]
        if phases != [phase]:
            yield f"other workflows called {pattern} are {phases}, must be one {phase}"
    if strange := [name for name in found if not any(fnmatch.fnmatch(name, pattern) for pattern in wanted)]:
        yield f"there are other workflows: {', '.join(strange)}"


def own_pods(outcome: Outcome) -> list[PodRecord]:
    """The namespace's pods without those that a Job or another workflow controls, and without the workflow's agent."""
    uid = outcome.workflow["metadata"].get("uid", "")
    own = [pod for pod in outcome.pods if _controller(pod.object) in (("Workflow", uid), None)]
    return [pod for pod in own if (pod.object["metadata"].get("labels") or {}).get(COMPONENT) != "agent"]


def _controller(pod: Object) -> tuple[str, str] | None:
    owners = pod["metadata"].get("ownerReferences") or ()
    return next(((one["kind"], one["uid"]) for one in owners if one.get("controller")), None)


def _at_once(pods: Iterable[PodRecord]) -> int:
    """The largest number of main containers that ran in the same second, ends not counted."""
    times = [(end["startedAt"], end["finishedAt"]) for pod in pods for key, end in pod.ends.items() if key == "main"]
    return max((sum(start <= other < finish for start, finish in times) for other, _ in times), default=0)


# ------------------------------------------------------------------------------------------------ the formulas


def identities(workflow: str, found: Iterable[Node]) -> Iterator[str]:
    """Nodes whose id is not the formula's."""
    for node in found:
        if node["id"] != node_id(workflow, str(node["name"])):
            yield f"the id of node {node['name']} is {node['id']}, must be {node_id(workflow, str(node['name']))}"


def attempts(found: list[Node]) -> Iterator[str]:
    """Retry nodes that are not what their attempts make them: only the last may succeed, and its phase is theirs."""
    for node in found:
        if node["type"] == "Retry":
            own = re.compile(re.escape(str(node["name"])) + r"\(([0-9]+)\)")
            by_number = {int(match[1]): n["phase"] for n in found if (match := own.fullmatch(str(n["name"])))}
            phases = [by_number[number] for number in sorted(by_number)]
            if sorted(by_number) != list(range(len(by_number))):
                yield f"the attempts of {node['displayName']} are numbered {sorted(by_number)}"
            if not phases or phases[-1] != node["phase"] or "Succeeded" in phases[:-1]:
                yield f"{node['displayName']} is {node['phase']}, its attempts are {phases}"


def pods_behind(
    workflow: str, found: list[Node], pods: list[PodRecord], without_exit: Sequence[str] = ()
) -> Iterator[str]:
    """Pod nodes without a pod of the formula's name, or whose container did not end as the node records."""
    for node in found:
        if node["type"] == "Pod" and title(node, workflow) not in without_exit:
            name = pod_name(workflow, str(node["name"]), template_of(node))
            own = [pod for pod in pods if pod.object["metadata"]["name"] == name]
            contained = [n for n in found if n["type"] == "Container" and n.get("boundaryID") == node["id"]]
            yield from _set_ended(contained, name, own) if contained else _pod_ended(node, name, own)
    expected = {pod_name(workflow, str(n["name"]), template_of(n)) for n in found if n["type"] == "Pod"}
    for pod in pods:
        if pod.object["metadata"]["name"] not in expected:
            yield f"pod {pod.object['metadata']['name']} belongs to no node"
    names = Counter(pod.object["metadata"]["name"] for pod in pods)
    yield from (f"{count} pods were called {name}" for name, count in names.items() if count > 1)


def _pod_ended(node: Node, name: str, own: list[PodRecord]) -> Iterator[str]:
    recorded = (node.get("outputs") or {}).get("exitCode")
    if not own:
        yield f"{node['displayName']} has no pod {name}"
    elif recorded is None:
        yield f"{node['displayName']} ({node['phase']}) records no exit code"
    elif _exit_code(own[-1], "main") != int(recorded):
        yield f"{node['displayName']} records exit code {recorded}, its container ended with {own[-1].ends.get('main')}"
    elif (recorded == "0") != (node["phase"] == "Succeeded") and not node.get("daemoned"):
        yield f"{node['displayName']} is {node['phase']} with exit code {recorded}"


def _set_ended(contained: list[Node], name: str, own: list[PodRecord]) -> Iterator[str]:
    """A container set records no exit code: the phase of each container's node says how it ended."""
    if not own:
        yield f"the container set has no pod {name}"
    for node in contained if own else ():
        code = _exit_code(own[-1], str(node["displayName"]))
        recorded = (node.get("outputs") or {}).get("exitCode", str(code))
        if code is None or str(code) != recorded or (code == 0) != (node["phase"] == "Succeeded"):
            yield f"container {node['displayName']} is {node['phase']}, it ended with {code}"


def _exit_code(pod: PodRecord, container: str) -> int | None:
    return pod.ends[container]["exitCode"] if container in pod.ends else None


def _still_running(pods: Iterable[PodRecord]) -> Iterator[str]:
    for pod in pods:
        if not pod.ended:
            yield f"pod {pod.object['metadata']['name']} still runs"
