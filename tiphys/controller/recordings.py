"""What a recording says of the controller that made it, so that a replay runs the same minds with the same settings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import fields, replace
from typing import Any, get_type_hints

import msgspec

from runtime.actor import Room
from runtime.messages import Address
from runtime.recorder import Recorder
from runtime.replay import Change
from tiphys.controllers import CHANGED, ControllerSettings, renew, rooms

KNOWN = "known_entrypoints"
"""Says that the entrypoints were those of a dev cluster's node: code, not a table."""


def recorder(entries: int, settings: ControllerSettings) -> Recorder | None:
    """A flight recorder of so many entries; None for none."""
    return Recorder(about(settings), entries_max=entries) if entries > 0 else None


def about(settings: ControllerSettings) -> dict[str, Any]:
    """The settings that decisions depend on, as JSON: those that are values. What is code is the replay's own."""
    is_table = type(settings.pods.image_entrypoints) is dict
    pods = settings.pods if is_table else replace(settings.pods, image_entrypoints={})
    chosen, usual = replace(settings, pods=pods), ControllerSettings()
    written: dict[str, Any] = {} if is_table else {KNOWN: True}
    for field in fields(chosen):
        value = getattr(chosen, field.name)
        if value != getattr(usual, field.name):
            with suppress(TypeError):
                written[field.name] = msgspec.to_builtins(value)
    return written


def settings_of(told: Mapping[str, Any]) -> ControllerSettings:
    """The settings that were written so. Raises msgspec.ValidationError for those of another version."""
    kinds = get_type_hints(ControllerSettings)
    found = {name: msgspec.convert(value, kinds[name]) for name, value in told.items() if name in kinds}
    settings = ControllerSettings(**found)
    if told.get(KNOWN):
        from tiphys.devcluster.node.entrypoints import KnownEntrypoints  # only where there was a node

        settings = replace(settings, pods=replace(settings.pods, image_entrypoints=KnownEntrypoints()))
    return settings


def rooms_of(told: Mapping[str, Any]) -> list[Room]:
    """The rooms of a controller with these settings. Raises msgspec.ValidationError as `settings_of` does."""
    return rooms(settings_of(told))


def changing(running: Sequence[Room]) -> Change:
    """For a replay: how the settings of these rooms are changed, and who is told of it."""

    def change(told: Mapping[str, Any]) -> Iterable[tuple[Address, Any]]:
        renew(running, settings_of(told))
        return CHANGED

    return change
