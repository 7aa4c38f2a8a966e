"""A display that is told of some nodes alone: those that a node field selector picks, or that are in one phase."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType

from runtime.objects import Object
from tiphys.cli import nodes as status
from tiphys.cli import nodeselector
from tiphys.cli.live import Display
from tiphys.cli.nodeselector import Term
from tiphys.cli.problems import InputError


def terms_of(phase: str, selector: str) -> list[Term]:
    """What `--status` and `--node-field-selector` pick. Raises InputError for both at once, and for what is neither."""
    if phase and selector:
        raise InputError("cannot use both --status and --node-field-selector")
    return nodeselector.parse(f"phase={phase}" if phase else selector)


class Selected:
    """Passes on every workflow, with those of its nodes that the terms pick."""

    def __init__(self, display: Display, terms: Sequence[Term]) -> None:
        self._display = display
        self._terms = terms

    def __enter__(self) -> Selected:
        self._display.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._display.__exit__(kind, error, trace)

    def update(self, workflow: Object) -> None:
        """Take in the newest state of a workflow."""
        nodes = status.nodes_of(workflow).items()
        kept = {key: node for key, node in nodes if nodeselector.matches(node, self._terms)}
        state = {key: value for key, value in status.status_of(workflow).items() if key != "compressedNodes"}
        self._display.update({**workflow, "status": {**state, "nodes": kept}})

    def tick(self) -> None:
        """Let running durations move."""
        self._display.tick()

    def say(self, text: str) -> None:
        """Show a sentence beside the picture."""
        self._display.say(text)
