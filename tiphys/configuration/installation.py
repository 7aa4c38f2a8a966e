"""What is in force: the settings that follow from command line, environment and configuration, and the rooms they are
given to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from runtime.actor import Room
from runtime.system import System
from tiphys.configuration.environment import environment
from tiphys.configuration.notices import notices
from tiphys.configuration.settings import settings
from tiphys.controller.recordings import about
from tiphys.controllers import CHANGED, ControllerSettings, renew, rooms
from tiphys.persistence.service import Databases

if TYPE_CHECKING:
    from tiphys.configuration.keys import Configuration


class Installation:
    """The settings in force. `base` is what the command line says. Raises BadConfiguration for a bad environment."""

    def __init__(
        self, base: ControllerSettings, variables: Mapping[str, str], read: Configuration | None = None
    ) -> None:
        self._base = base
        self._environment = environment(variables)
        self.settings = settings(read, base, self._environment)
        self.databases = Databases(self.settings.persistence)
        self.rooms: list[Room] = rooms(self.settings, self.databases.ask)
        self.system: System | None = None  # once it is built of the rooms
        self.notices = [*self._environment.notices, *(notices(read) if read is not None else ())]

    def use(self, read: Configuration) -> list[str]:
        """Put another configuration in force; what of it needs a restart."""
        chosen = settings(read, self._base, self._environment)
        told = []
        if chosen.instance_id != self.settings.instance_id:
            told.append("instanceID: which objects are looked after changes with the next start")
        self.settings = chosen
        self.databases.use(chosen.persistence)
        renew(self.rooms, chosen)
        if self.system is not None:
            self.system.series.settings = chosen.series
            self.system.changed(about(chosen))
            for address, word in CHANGED:
                self.system.tell(address, word)
        return told
