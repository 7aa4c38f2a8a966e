"""The functions Argo adds to the language."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from actors.language.budget import Meter
from actors.language.builtin_numbers import as_float, as_int
from actors.language.jsonpath import query_text
from actors.language.jsontext import dumps
from actors.language.native import Native, plain


def _to_json(meter: Meter, value: Any) -> str:
    meter.weigh(value)
    return dumps(value)


ARGO_FUNCTIONS: dict[str, Native] = {
    "asInt": Native("asInt", "a", plain(as_int)),
    "asFloat": Native("asFloat", "a", plain(as_float)),
    "toJson": Native("toJson", "a", _to_json),
    "jsonpath": Native("jsonpath", "ss", plain(query_text)),
}


@lru_cache(maxsize=1)
def sprig_functions() -> dict[str, Native]:
    """Give the `sprig` map; loaded on first use, most workflows have none."""
    from actors.language.sprig_table import SPRIG  # noqa: PLC0415  a tenth of the load time of this package

    return SPRIG
