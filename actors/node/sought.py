"""A node whose template nobody knows yet: it asks the workflow, and is then what the template says. (WFT-1.)

Until then it has no entry in the status, and what it hears is kept for the node that it will be.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from actors.messages import TemplateSought, WantsTemplate
from actors.node.behaviour import Behaviour
from actors.node.called import Called
from actors.run import Call
from actors.templates import template_type
from runtime.messages import Address, Command, Message, Tell


class SoughtNode(Called):
    """Waits for its template; one that cannot be had is an Error of its call."""

    def __init__(self, call: Call) -> None:
        super().__init__(call)
        self.found: Call | None = None  # once its template is known
        self.node: Behaviour | None = None  # what it then is
        self.heard: list[Message] = []  # before that

    def started(self, now: float) -> list[Command]:
        """Ask."""
        del now
        resolved = self.call.resolved
        return [Tell(self.run.address, WantsTemplate(self.id, resolved.scope, resolved.name))]

    def told(self, sender: Address, word: Any, now: float) -> list[Command]:
        """The answer is there."""
        del sender
        if not isinstance(word, TemplateSought) or self.status.ended:
            return []
        if word.error:
            return self.unable(word.error, now)
        call, sought = self.call, self.call.resolved
        named = self.run.library.resolve({"template": sought.name}, sought.scope)
        made = template_type(named.template) == "data" and not call.hooked  # its result is all that it makes
        self.found = replace(
            call, resolved=replace(named, reference=sought.reference), include_result=call.include_result or made
        )
        return []

    def waiting(self) -> str:
        """Whose template it waits for."""
        return f"for template {self.call.resolved.name} of {self.call.resolved.scope}"
