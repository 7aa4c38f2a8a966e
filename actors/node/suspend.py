"""A suspended node waits for somebody to resume it, or for its duration to pass (SUS-1..7)."""

from __future__ import annotations

from typing import Any

import msgspec

from actors.language.jsontext import loads, parameter_text
from actors.messages import Edited, Phase
from actors.names.durations import parse_duration_or_seconds
from actors.names.timestamps import seconds
from actors.node.called import FAILED_FAST, Called
from runtime.messages import Command, Stop, WakeAt

DURATION = "suspend.duration"


class SuspendNode(Called):
    """Runs no pod: Running until told otherwise."""

    gated = False

    def begin(self, now: float) -> list[Command]:
        """Wait; a duration is counted from the recorded start, so a restart changes nothing."""
        refused = self.not_allowed(now)
        if refused:
            return refused
        self.status = msgspec.structs.replace(self.status, inputs=_with_choices(self.status.inputs))
        if self.status.phase != "Running":
            self.now_is("Running", now, outputs=self._supplied_outputs())
        commands = self.announce()
        duration = (self.instance.template.get("suspend") or {}).get("duration")
        if duration:
            try:
                length = parse_duration_or_seconds(str(duration))
            except ValueError as error:
                return self.erred(str(error), now)
            commands.append(WakeAt(seconds(self.status.started_at or "") + length, DURATION))
        return commands

    def denied(self, now: float) -> list[Command]:
        """Its boundary has failed: nobody needs to resume it any more."""
        return self.end("Failed", now, FAILED_FAST) if self.begun else super().denied(now)

    def _supplied_outputs(self) -> dict[str, Any] | None:
        declared = (self.instance.template.get("outputs") or {}).get("parameters") or ()
        inputs = (self.instance.template.get("inputs") or {}).get("parameters") or ()
        defaults = {entry["name"]: entry["default"] for entry in inputs if entry.get("default") is not None}
        return {"parameters": [_with_default(entry, defaults) for entry in declared]} if declared else None

    def woke(self, tag: str, now: float) -> list[Command]:
        """The duration has passed."""
        if tag == DURATION and not self.status.ended:
            missing = _missing(self.status.outputs)  # nobody can supply it any more
            return self.erred(missing, now) if missing else self._resume(now, self.status.outputs, self.status.message)
        return super().woke(tag, now)

    def edited(self, word: Edited, now: float) -> list[Command]:
        """Somebody resumed, failed, or set values on this node by writing its entry."""
        if self.status.ended:
            return self.announce()
        if word.status.phase == "Succeeded":
            return self._resume(now, word.status.outputs, word.status.message)
        if word.status.failed:
            phase: Phase = "Failed" if word.status.phase == "Failed" else "Error"
            return self.end(phase, now, word.status.message, outputs=word.status.outputs)
        self.status = msgspec.structs.replace(
            self.status, outputs=word.status.outputs or self.status.outputs, message=word.status.message
        )
        return self.announce()

    def _resume(self, now: float, outputs: dict[str, Any] | None, message: str) -> list[Command]:
        """Succeed, if every supplied output has a value or a default; else keep waiting and say for what (SUS-3)."""
        missing = _missing(outputs)
        if missing:
            self.now_is("Running", now, missing)
            return self.announce()
        declared = (outputs or {}).get("parameters") or ()
        parameters = [_filled(entry) for entry in declared]
        filled = {**(outputs or {}), "parameters": parameters} if parameters else outputs
        return self.end("Succeeded", now, message, outputs=filled)

    def waiting(self) -> str:
        """What would let it go on."""
        duration = (self.instance.template.get("suspend") or {}).get("duration")
        return f"for {duration} to pass, or to be resumed" if duration else "to be resumed"


def _with_default(entry: dict[str, Any], defaults: dict[str, Any]) -> dict[str, Any]:
    """A declared output; the input of its name lends its default to one that has none (SUS-3)."""
    source = entry.get("valueFrom") or {}
    if source.get("supplied") is None or source.get("default") is not None or entry["name"] not in defaults:
        return dict(entry)
    return {**entry, "valueFrom": {**source, "default": defaults[entry["name"]]}}


def _supplied(entry: dict[str, Any]) -> Any:
    """What somebody has set, or else the default."""
    value = entry.get("value")
    return (entry.get("valueFrom") or {}).get("default") if value is None else value


def _filled(entry: dict[str, Any]) -> dict[str, Any]:
    """An output with its value: whence it was to come is over, as upstream's clients leave it."""
    value = _supplied(entry)
    if value is None:  # nobody was to supply it
        return entry
    return {key: field for key, field in entry.items() if key != "valueFrom"} | {"value": parameter_text(value)}


def _missing(outputs: dict[str, Any] | None) -> str:
    """What is said of the first output that nobody has set and that has no default; nothing when there is none."""
    for entry in (outputs or {}).get("parameters") or ():
        if _supplied(entry) is None and (entry.get("valueFrom") or {}).get("supplied") is not None:
            return f"raw output parameter '{entry['name']}' has not been set and does not have a default value"
    return ""


def _with_choices(inputs: dict[str, Any] | None) -> dict[str, Any] | None:
    """An input whose value is a parameter written as JSON offers that one's choices (SUS-4)."""
    if not inputs or not inputs.get("parameters"):
        return inputs
    return {**inputs, "parameters": [_with_enum(entry) for entry in inputs["parameters"]]}


def _with_enum(entry: dict[str, Any]) -> dict[str, Any]:
    try:
        described = loads(str(entry.get("value") or ""))
    except ValueError:
        return entry
    if not isinstance(described, dict) or not isinstance(described.get("enum"), list) or not described["enum"]:
        return entry
    choices = [parameter_text(choice) for choice in described["enum"]]
    default = entry.get("default")  # what is described has none but its first choice
    return {**entry, "enum": choices, "default": choices[0] if default is None else parameter_text(default)}


class UnableNode(Called):
    """A template that cannot run: of no known type, or of one that is not supported; the status says which."""

    gated = False

    def begin(self, now: float) -> list[Command]:
        """End at once with the reason."""
        kind = self.status.type
        if kind == "Skipped":
            return self.unable(f"Template '{self.call.resolved.name}' missing specification", now)
        return self.end("Error", now, f"templates of type {kind.lower()} are not supported by this version")

    def found_ended(self, now: float) -> list[Command]:
        """Nothing more to do."""
        return [*super().found_ended(now), Stop()]
