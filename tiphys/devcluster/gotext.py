"""JSON values as Go's formatted printing shows them: error messages of Kubernetes quote them so. Pure."""

from __future__ import annotations

from typing import Any

import orjson

_TYPES: dict[type, str] = {
    str: "string",
    bool: "bool",
    int: "int64",
    float: "float64",
    dict: "map[string]interface {}",
    list: "[]interface {}",
    type(None): "<nil>",
}


def type_name(value: Any) -> str:
    """The type, as `%T` prints it."""
    return _TYPES[type(value)]


def plain(value: Any) -> str:
    """The value, as `%v` prints it: maps in the order of their keys, texts bare."""
    match value:
        case None:
            return "<nil>"
        case bool():
            return "true" if value else "false"
        case float():
            return f"{value:.0f}" if value.is_integer() and abs(value) < 1e21 else repr(value)
        case dict():
            return f"map[{' '.join(f'{key}:{plain(value[key])}' for key in sorted(value))}]"
        case list():
            return f"[{' '.join(plain(item) for item in value)}]"
    return str(value)


def syntax(value: Any) -> str:
    """The value, as `%#v` prints it: in Go's own syntax."""
    match value:
        case None:
            return "interface {}(nil)"
        case str():
            return orjson.dumps(value).decode()
        case dict():
            inside = ", ".join(f"{syntax(key)}:{syntax(value[key])}" for key in sorted(value))
            return f"{type_name(value)}{{{inside}}}"
        case list():
            return f"{type_name(value)}{{{', '.join(syntax(item) for item in value)}}}"
    return plain(value)
