"""What is in force: the settings that follow from command line, environment and configuration, and the rooms they are
given to.

A process that has several systems has the same settings in all of them, and rooms of its own in each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from runtime.actor import Room
from runtime.system import System
from tiphys.configuration.environment import environment
from tiphys.configuration.notices import notices
from tiphys.configuration.problems import BadConfiguration
from tiphys.configuration.settings import settings
from tiphys.controller.recordings import about
from tiphys.controllers import CHANGED, ControllerSettings, renew, rooms
from tiphys.persistence.service import Databases
from tiphys.persistence.sync_service import LockDatabase
from tiphys.registry import Registry

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
        locks = LockDatabase(self.settings.synchronization)
        self.databases = Databases(self.settings.persistence, locks=locks)
        self.registry = Registry()
        self.rooms: list[Room] = self.more_rooms()
        self.system: System | None = None  # once it is built of the rooms
        self.beside: Callable[[], Iterable[tuple[Sequence[Room], System]]] = tuple  # further ones that run now
        self.problems_with: Callable[[ControllerSettings], list[str]] = lambda chosen: []
        self.notices = [*self._environment.notices, *(notices(read) if read is not None else ())]

    def use(self, read: Configuration) -> list[str]:
        """Put another configuration in force; what of it needs a restart. Raises BadConfiguration."""
        chosen = settings(read, self._base, self._environment)
        self.check(chosen)
        told = []
        if chosen.instance_id != self.settings.instance_id:
            told.append("instanceID: which objects are looked after changes with the next start")
        self.settings = chosen
        self.databases.use(chosen.persistence, chosen.synchronization)
        for running, system in ((self.rooms, self.system), *self.beside()):
            renew(running, chosen)
            if system is not None:
                system.series.settings = chosen.series
                system.changed(about(chosen))
                for address, word in CHANGED:
                    system.tell(address, word)
        return told

    def check(self, chosen: ControllerSettings) -> None:
        """Raises BadConfiguration for settings that this process cannot keep."""
        if wrong := self.problems_with(chosen):
            raise BadConfiguration(wrong)

    def more_rooms(self, part: str = "") -> list[Room]:
        """Rooms for a further system, with the settings in force; `part` says which one of the installation's."""
        return rooms(self.settings, self.databases.ask, part, self.registry)
