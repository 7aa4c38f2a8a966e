"""A result becomes text: a string as it is, everything else as JSON."""

from __future__ import annotations

from typing import Any

from actors.language.jsontext import dumps


def render(value: Any) -> str:
    """Write the result of an expression tag. Raises ValueError for what JSON cannot hold."""
    if isinstance(value, str):
        return value
    text = dumps(value)
    return text[1:-1] if text.startswith('"') else text  # a time or bytes: written as a string, shown without quotes
