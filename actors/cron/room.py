"""The cron room: its mind, and what of the cluster it is told."""

from __future__ import annotations

from actors.cron.child import CRON_WORKFLOWS, ROOM, WORKFLOWS, child_address, cron_address
from actors.cron.mind import CronMind
from actors.cron.state import CronSettings
from runtime.actor import Room, Watch


def cron_room(settings: CronSettings | None = None, labels: str = "") -> Room:
    """CronWorkflows wake their actors; Workflows are told to the CronWorkflow that controls them. Those that `labels`
    do not select are another controller's."""
    watches = (Watch(CRON_WORKFLOWS, cron_address, labels, wakes=True), Watch(WORKFLOWS, child_address, labels))
    return Room(ROOM, CronMind(settings), watches)
