"""Judges an outcome against the table: what is not as it must be, in sentences. Pure.

Whatever the table says, every workflow must keep to the formulas: node ids, pod names, and a pod behind every Pod node
whose main container really ended with the exit code that the node records.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from actors.names.ids import node_id, pod_name
from runtime.objects import Object
from tests.conformance.cluster import PodRecord
from tests.conformance.harness import Outcome, template_of
from tiphys.cli import nodes as status

Node = Mapping[str, Any]
_ID = re.compile(r"\{id ([^}]*)\}")


def problems(outcome: Outcome, expect: Mapping[str, Any]) -> list[str]:
    """Everything that is wrong; empty when the trial ended as the table says and kept to the formulas."""
    if outcome.problem:
        return [f"{outcome.problem} (phase {outcome.phase})", *_blockers(outcome.workflow)]
    name = outcome.workflow["metadata"]["name"]
    found = list(status.nodes_of(outcome.workflow).values())
    return [
        *_the_end(outcome.workflow, expect),
        *_nodes(found, expect, outcome.logs, name),
        *identities(name, found),
        *pods_behind(name, found, outcome.pods),
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
        if exported.get(key) != value:
            yield f"the workflow's output {key} is {exported.get(key)!r}, must be {value!r}"


def _nodes(found: list[Node], expect: Mapping[str, Any], logs: Mapping[str, str], name: str) -> Iterator[str]:
    types = Counter(str(node["type"]) for node in found)
    for kind, count in expect.get("types", {}).items():
        if types[kind] != count:
            yield f"{types[kind]} nodes are of type {kind}, must be {count}"
    for display_name in expect.get("absent", []):
        if any(node["displayName"] == display_name for node in found):
            yield f"there is a node {display_name}, must not be"
    for display_name, wish in expect.get("nodes", {}).items():
        meant = [node for node in found if node["displayName"] == display_name]
        if not meant:
            yield f"there is no node {display_name}"
        for node in meant:
            yield from _node(node, wish if isinstance(wish, dict) else {"phase": wish}, logs, name)
        if isinstance(wish, dict) and len(meant) != wish.get("count", len(meant)):
            yield f"{len(meant)} nodes are called {display_name}, must be {wish['count']}"
    if "failed" in expect:
        yield from _broken_command(found, expect["failed"])


def _broken_command(found: list[Node], expected: list[str]) -> Iterator[str]:
    """Of a twin: the nodes that ran the broken command, by display name; each must say how it ended."""
    ran = [node for node in found if node["type"] == "Pod" and (node.get("outputs") or {}).get("exitCode") == "3"]
    if sorted(str(node["displayName"]) for node in ran) != sorted(expected):
        yield f"exit code 3 is recorded by {sorted(str(n['displayName']) for n in ran)}, must be by {sorted(expected)}"
    for node in ran:
        if node["phase"] != "Failed" or not str(node.get("message", "")).startswith("main: Error (exit code 3)"):
            yield f"{node['displayName']} is {node['phase']}: {node.get('message', '')!r}, must be Failed with exit code 3"


def _node(node: Node, wish: Mapping[str, Any], logs: Mapping[str, str], name: str) -> Iterator[str]:
    title, message = node["displayName"], str(node.get("message", ""))
    outputs = node.get("outputs") or {}
    if "phase" in wish and node["phase"] not in _some(wish["phase"]):
        yield f"{title} is {node['phase']}, must be {wish['phase']} ({message})"
    if "type" in wish and node["type"] != wish["type"]:
        yield f"{title} is a {node['type']}, must be a {wish['type']}"
    if "message" in wish and message != _filled(wish["message"], name):
        yield f"{title}: the message is {message!r}, must be {_filled(wish['message'], name)!r}"
    if "message_has" in wish and wish["message_has"] not in message:
        yield f"{title}: the message is {message!r}, must contain {wish['message_has']!r}"
    if "result" in wish and outputs.get("result") not in _some(wish["result"]):
        yield f"{title}: the result is {outputs.get('result')!r}, must be {wish['result']!r}"
    if "exit" in wish and outputs.get("exitCode") != wish["exit"]:
        yield f"{title}: the exit code is {outputs.get('exitCode')!r}, must be {wish['exit']!r}"
    yield from _parameters(title, "output", outputs, wish.get("outputs", {}))
    yield from _parameters(title, "input", node.get("inputs") or {}, wish.get("inputs", {}))
    log = logs.get(str(node["id"]), "")
    for wanted in _some(wish.get("log", [])):
        if node["type"] == "Pod" and _filled(wanted, name) not in log:
            yield f"{title}: the log is {log[:200]!r}, must contain {wanted!r}"


def _parameters(title: str, side: str, holder: Mapping[str, Any], wanted: Mapping[str, Any]) -> Iterator[str]:
    values = {p["name"]: p.get("value") for p in holder.get("parameters") or ()}
    for key, value in wanted.items():
        if values.get(key) not in _some(value):
            yield f"{title}: {side} {key} is {values.get(key)!r}, must be {value!r}"


def _some(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _filled(text: str, workflow: str) -> str:
    """A text with `{id SUFFIX}` replaced by the id of the node whose name is the workflow's and the suffix."""
    return _ID.sub(lambda match: node_id(workflow, workflow + match[1]), text)


# ------------------------------------------------------------------------------------------------ the formulas


def identities(workflow: str, found: Iterable[Node]) -> Iterator[str]:
    """Nodes whose id is not the formula's."""
    for node in found:
        if node["id"] != node_id(workflow, str(node["name"])):
            yield f"the id of node {node['name']} is {node['id']}, must be {node_id(workflow, str(node['name']))}"


def pods_behind(workflow: str, found: list[Node], pods: list[PodRecord]) -> Iterator[str]:
    """Pod nodes without a pod of the formula's name, or whose container did not end as the node records."""
    for node in found:
        if node["type"] == "Pod":
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
    elif str(own[-1].exits.get("main")) != recorded:
        yield f"{node['displayName']} records exit code {recorded}, its container ended with {own[-1].exits.get('main')}"
    elif (recorded == "0") != (node["phase"] == "Succeeded") and not node.get("daemoned"):
        yield f"{node['displayName']} is {node['phase']} with exit code {recorded}"


def _set_ended(contained: list[Node], name: str, own: list[PodRecord]) -> Iterator[str]:
    """A container set records no exit code: the phase of each container's node says how it ended."""
    if not own:
        yield f"the container set has no pod {name}"
    for node in contained if own else ():
        code = own[-1].exits.get(str(node["displayName"]))
        if code is None or (code == 0) != (node["phase"] == "Succeeded"):
            yield f"container {node['displayName']} is {node['phase']}, it ended with {code}"


def _still_running(pods: Iterable[PodRecord]) -> Iterator[str]:
    for pod in pods:
        if not pod.ended:
            yield f"pod {pod.object['metadata']['name']} still runs"
