"""After a loop its outputs are lists, written as JSON text: of whole sets, of each parameter, of the results.

Positions follow the children handed in, so a caller passes the succeeded ones in the order of their index.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from actors.language.jsontext import dumps, loads, loads_raw, parameter_text


class AggregateError(ValueError):
    """A child's result that is not JSON: the loop has no `outputs.result`, and its parent errors."""


@dataclass(frozen=True, slots=True)
class Aggregates:
    """What `X.outputs.parameters`, `X.outputs.parameters.<name>` and `X.outputs.result` are after a loop."""

    parameters: str
    by_name: dict[str, str]
    result: str

    def variables(self, prefix: str) -> dict[str, str]:
        """Name them for substitution; the prefix is `steps.X` or `tasks.X`."""
        outputs = f"{prefix}.outputs"
        named = {f"{outputs}.parameters.{name}": text for name, text in self.by_name.items()}
        return {f"{outputs}.parameters": self.parameters, f"{outputs}.result": self.result, **named}


def aggregate(children: Iterable[tuple[Iterable[Mapping[str, Any]] | None, str | None]]) -> Aggregates:
    """Gather the (outputs.parameters, outputs.result) of a loop's succeeded children.

    Raises AggregateError when a result is not JSON.
    """
    sets: list[dict[str, str]] = []
    columns: dict[str, list[str]] = {}
    results: list[Any] = []
    for parameters, result in children:
        row = {entry["name"]: parameter_text(entry.get("value")) for entry in parameters or ()}
        if row:
            sets.append(row)
        for name, value in row.items():
            columns.setdefault(name, []).append(value)
        if result is not None:
            results.append(_result(result))
    return Aggregates(
        dumps(sets), {name: _column(values) for name, values in columns.items()}, dumps(results, sort=False)
    )


def _result(text: str) -> Any:
    try:
        return loads_raw(text)
    except ValueError as error:
        raise AggregateError(str(error)) from None


def _column(values: list[str]) -> str:
    """Embed the values when every one of them is a JSON object or array; else they are strings."""
    embedded: list[Any] = []
    for value in values:
        try:
            parsed = loads(value)
        except ValueError:
            return dumps(values)
        if not isinstance(parsed, (dict, list)):
            return dumps(values)
        embedded.append(parsed)
    return dumps(embedded)
