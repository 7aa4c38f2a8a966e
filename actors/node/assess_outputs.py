"""What a pod's containers reported of themselves: frames, read once, and the node outputs made of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from actors.contract import frame, paths
from actors.contract.repository import DRIVERS
from actors.node.assessment import Expectation, promised_parameters
from runtime.api import LogOptions

if TYPE_CHECKING:
    from actors.contract.documents import Content

_FRAME = "tiphys/"
SPILL_SLACK_LINES = 200  # that others of the container may write between and after the spilled ones


@dataclass(frozen=True, slots=True)
class Reports:
    """The frames of a pod by container. `needs_log`: one of them is continued in a log not read yet."""

    contents: Mapping[str, Content] = field(default_factory=dict)
    broken: frozenset[str] = frozenset()  # containers whose spilled outputs are not in their log
    needs_log: LogOptions | None = None

    @property
    def progress(self) -> str:
        """What main last said of its progress."""
        return self.contents.get(paths.MAIN, {}).get("progress", "")

    def message(self, container: str, raw: str) -> str:
        """What a container said to the user: inside its frame, or as it is when it has none."""
        content = self.contents.get(container)
        if content is not None:  # of main its outputs' error is no news: a command that failed need not have made them
            return content.get("message") or (content.get("error", "") if container != paths.MAIN else "")
        return "" if raw.startswith(_FRAME) else raw.strip()

    def problem(self, expect: Expectation) -> str:
        """Why a pod that succeeded did not bring what it had to; empty when all is there."""
        has_main = not expect.containers or paths.MAIN in expect.containers  # a set without main has no result
        wanted = (expect.include_result and has_main) or bool(promised_parameters(expect.outputs))
        for container in (paths.MAIN, paths.WAIT):
            content = self.contents.get(container)
            if container in self.broken:
                return f"{container}: the outputs do not fit the termination message, and the log's end has lost them"
            if content is not None and content.get("error"):
                return f"{container}: {content['error']}"
            if content is None and container == paths.MAIN and wanted:
                return f"{container}: outputs were not reported: the termination message holds no frame of this pod"
            if content is None and container == paths.WAIT and expect.outputs.get("artifacts"):
                return f"{container}: artifacts were not reported: the termination message holds no frame of this pod"
        return ""


def read_reports(pod: Mapping[str, Any], logs: Mapping[str, bytes]) -> Reports:
    """Decode every container's frame; `logs` continue those that were spilled."""
    nonce = str(((pod.get("metadata") or {}).get("annotations") or {}).get(paths.NONCE_ANNOTATION) or "")
    contents: dict[str, Content] = {}
    broken = set()
    for container, text in _messages(pod):
        content = frame.decode(text, nonce)
        if content is None:
            continue
        spilled = content.get("spilled")
        if spilled is not None and container not in logs:
            return Reports(needs_log=LogOptions(container, tail_lines=spilled["lines"] + SPILL_SLACK_LINES))
        whole = frame.decode_spill(logs.get(container, b""), content, nonce)
        if whole is None:
            broken.add(container)
        contents[container] = content if whole is None else whole
    return Reports(contents, frozenset(broken))


def outputs_of(pod: Mapping[str, Any], expect: Expectation, reports: Reports) -> dict[str, Any]:
    """NodeStatus.outputs: what was declared, with the values that arrived; exitCode always when main ended (SCR-5)."""
    outputs: dict[str, Any] = {}
    main = reports.contents.get(paths.MAIN, {})
    values = main.get("parameters", {})
    declared = expect.outputs.get("parameters") or ()
    parameters = [
        {**entry, "value": values[entry["name"]]} if entry["name"] in values else dict(entry) for entry in declared
    ]
    code = _exit_code(pod)
    nothing_to_report = code is not None and not promised_parameters(expect.outputs)
    if parameters and (paths.MAIN in reports.contents or nothing_to_report):
        outputs["parameters"] = parameters
    artifacts = _artifacts(expect, reports)
    if artifacts:
        outputs["artifacts"] = artifacts
    if expect.include_result and "result" in main:
        outputs["result"] = main["result"]
    if code is not None:
        outputs["exitCode"] = str(code)
    return outputs


def _artifacts(expect: Expectation, reports: Reports) -> list[dict[str, Any]]:
    saved = {entry["name"]: entry for entry in reports.contents.get(paths.WAIT, {}).get("artifacts", ())}
    declared = {entry["name"]: entry for entry in expect.outputs.get("artifacts") or ()}
    found = [
        {**{key: value for key, value in entry.items() if key not in DRIVERS}, **saved[name]}
        for name, entry in declared.items()
        if name in saved
    ]
    return found + [dict(entry) for name, entry in saved.items() if name not in declared]  # archived logs


def _messages(pod: Mapping[str, Any]) -> list[tuple[str, str]]:
    found = []
    for entry in (pod.get("status") or {}).get("containerStatuses") or ():
        ended = (entry.get("state") or {}).get("terminated") or {}
        if ended.get("message"):
            found.append((str(entry.get("name", "")), str(ended["message"])))
    return found


def _exit_code(pod: Mapping[str, Any]) -> int | None:
    for entry in (pod.get("status") or {}).get("containerStatuses") or ():
        ended = (entry.get("state") or {}).get("terminated")
        if entry.get("name") == paths.MAIN and ended:
            return int(ended.get("exitCode") or 0)
    return None
