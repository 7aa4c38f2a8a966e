"""A node-field-selector picks nodes: `displayName=approve,phase!=Succeeded`; what is none is a problem of the input."""

from __future__ import annotations

from actors.operations import selector
from actors.operations.refusal import Refusal
from actors.operations.selector import Term, matches
from tiphys.cli.problems import InputError

__all__ = ["Term", "matches", "parse"]


def parse(text: str) -> list[Term]:
    """The comparisons of a selector, all of which must hold. Raises InputError for what is none."""
    try:
        return selector.parse(text)
    except Refusal as e:
        raise InputError(str(e)) from e
