"""How the controllers of a run are installed: sizes beyond which nodes are compressed, windows of writing, defaults.

A function of the seed, and of the life where the plan says that settings change between two. Seeds before
`faults.FIRST_FURTHER` have the usual one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random
from typing import Any, Final

from actors.names import buckets, labels
from actors.workflow.mind import WorkflowMind
from runtime.actor import Room
from runtime.objects import Object
from tests.world import faults
from tiphys.controllers import ControllerSettings

DEFAULTS: Final[dict[str, Any]] = {
    "metadata": {"annotations": {"installed": "here"}}, "spec": {"activeDeadlineSeconds": 2_000_000}
}  # fmt: skip
"""What every workflow gets where an installation has defaults; it changes nothing of how a run goes."""
INLINE: Final = (128 << 10, 128 << 10, 128 << 10, 6000, 6000, 0)  # bytes of nodes while it runs
LAST: Final = (1 << 20, 1 << 20, 1 << 20, 20_000, 0)  # and with the last write
WINDOWS: Final = (0.2, 0.2, 0.2, 2.0)


@dataclass(frozen=True, slots=True)
class Installation:
    """Settings of one life."""

    inline_bytes: int = INLINE[0]
    last_bytes: int = LAST[0]
    window_s: float = WINDOWS[0]
    sharded: bool = False
    defaults: bool = False
    estimates: bool = False  # a run like this one is there, and workflows are told how long it took

    def settings(self, usual: ControllerSettings) -> ControllerSettings:
        """The controller's settings."""
        return replace(
            usual, write_window_s=self.window_s, workflow_bytes=self.last_bytes, sharded=self.sharded,
            workflow_defaults=DEFAULTS if self.defaults else {}, estimates=self.estimates,
        )  # fmt: skip

    def furnish(self, room: Room) -> Room:
        """A room with what only a test sets."""
        if isinstance(room.mind, WorkflowMind):
            room.mind.settings = replace(room.mind.settings, inline_bytes=self.inline_bytes)
        return room

    def like_the_past(self) -> dict[str, Any]:
        """Metadata of a workflow of which there was one before."""
        return {"labels": {labels.WORKFLOW_TEMPLATE: LIKE}} if self.estimates else {}

    @property
    def rooms(self) -> frozenset[str]:
        """Rooms that it needs beside the usual ones."""
        return frozenset({"history"} if self.estimates else ())

    def missing(self, workflow: Object, *, hurried: bool = False) -> list[str]:
        """What a finished workflow, which nobody has stopped, should have from its installation and has not.

        Nobody waits for an estimate: a life that is `hurried`, since all was done when it began, may end without."""
        meta, status = workflow["metadata"], workflow["status"]
        wrong = []
        if self.defaults and (meta.get("annotations") or {}).get("installed") != "here":
            wrong.append("it has not got the installation's metadata")
        if self.defaults and "activeDeadlineSeconds" not in workflow["spec"]:
            wrong.append("it has not got the installation's spec")
        if self.sharded and not buckets.mark(meta["namespace"]).items() <= meta["labels"].items():
            wrong.append("it has not got the mark of its bucket")
        told = status.get("estimatedDuration")
        if self.estimates and told != PAST_S and not (hurried and told is None):
            wrong.append(f"it was told that it takes {told} s, not {PAST_S}")
        return wrong


PAST_S: Final = 40
LIKE: Final = "library"  # the template that they are said to be of
PAST: Final[Object] = {
    "apiVersion": "argoproj.io/v1alpha1",
    "kind": "Workflow",
    "metadata": {
        "name": "past", "namespace": "default",
        "labels": {
            labels.WORKFLOW_TEMPLATE: LIKE, labels.COMPLETED: "true", labels.PHASE: "Succeeded",
        },
    },
    "spec": {"entrypoint": "a", "templates": [{"name": "a", "container": {"image": "busybox", "command": ["sh"]}}]},
    "status": {
        "phase": "Succeeded", "startedAt": "2025-01-01T00:00:00Z", "finishedAt": "2025-01-01T00:00:40Z",
        "nodes": {
            "past": {
                "id": "past", "name": "past", "displayName": "past", "type": "Pod", "phase": "Succeeded",
                "startedAt": "2025-01-01T00:00:00Z", "finishedAt": "2025-01-01T00:00:40Z",
            },
        },
    },
}  # fmt: skip
"""A run of the past, for estimates."""


def installed(seed: int, kinds: frozenset[str], life: int = 0) -> Installation:
    """The installation of a seed's workflows in one life of the controllers."""
    if seed < faults.FIRST_FURTHER:
        return Installation()
    dice = Random(f"{seed}/installation")
    usual = Installation(
        dice.choice(INLINE), dice.choice(LAST), dice.choice(WINDOWS), dice.random() < 0.15, dice.random() < 0.2,
        dice.random() < 0.3,
    )  # fmt: skip
    if not life or "reconfigured" not in kinds:
        return usual
    dice = Random(f"{seed}/installation/{life}")
    return replace(usual, inline_bytes=dice.choice(INLINE), last_bytes=dice.choice(LAST), window_s=dice.choice(WINDOWS))
