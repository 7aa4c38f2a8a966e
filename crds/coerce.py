"""`value: 3` where text belongs is the text 3, and a field without a value is no field: upstream's CLI reads so too.

Only for what people write in files. An object that came over the API says what it means, and is judged as it is.
"""

from __future__ import annotations

from typing import Any

from crds.check import is_ours
from crds.shapes import Shape, load

NESTING_MAX = 200  # deeper, nothing is changed any more: Python's stack has an end


def coerced(thing: Any) -> Any:
    """The object with numbers and truth values as text wherever a field holds text, and without fields that are null.

    Objects that are not ours come back as they are. The argument is not changed.
    """
    return _value({"ref": thing["kind"]}, thing, 0) if is_ours(thing) else thing


def _value(shape: Shape, value: Any, depth: int) -> Any:
    if depth > NESTING_MAX:
        return value
    match shape:
        case {"ref": name} if isinstance(value, dict):
            fields = load()[name]["fields"]
            return {
                key: _value(fields[key], item, depth + 1) if key in fields else item
                for key, item in value.items()
                if item is not None or key not in fields
            }
        case {"type": "array", "items": items} if isinstance(value, list):
            return [_value(items, item, depth + 1) for item in value]
        case {"type": "object", "values": values} if isinstance(value, dict):
            return {key: _value(values, item, depth + 1) for key, item in value.items()}
        case {"type": "string"} if isinstance(value, bool):
            return "true" if value else "false"
        case {"type": "string"} if isinstance(value, int | float):
            return _number(value)
    return value


def _number(value: float) -> str:
    """A number's text, without a fraction that says nothing."""
    return str(int(value)) if float(value).is_integer() and abs(value) < 1e15 else repr(value)
