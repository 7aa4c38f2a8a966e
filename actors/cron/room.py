"""The cron room: its mind, and what of the cluster it is told."""

from __future__ import annotations

from actors.cron.child import CRON_WORKFLOWS, ROOM, WORKFLOWS, child_address, cron_address
from actors.cron.mind import CronMind
from actors.cron.state import CronSettings
from runtime.actor import Room, Watch


def cron_room(settings: CronSettings | None = None) -> Room:
    """CronWorkflows wake their actors; Workflows are told to the CronWorkflow that controls them."""
    watches = (Watch(CRON_WORKFLOWS, cron_address, wakes=True), Watch(WORKFLOWS, child_address))
    return Room(ROOM, CronMind(settings), watches)
