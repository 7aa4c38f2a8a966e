"""What was written has only fields that exist, each holding what it may hold.

This is the question that `--strict` asks of a manifest, answered for every field at once and never by an exception:
whatever JSON comes in, a list of problems goes out, in the order of the document. Meaning (an entrypoint that exists,
arguments that are supplied) is asked elsewhere.
"""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import Any, Final

from crds.kinds import API_VERSION, KINDS
from crds.problems import Problem
from crds.shapes import Definition, Shape, load

Pending = tuple[Shape, Any, str]  # what a value must be, the value, its path

WORDS = {
    "string": "a string",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "an object",
}
TYPES: dict[type, str] = {
    bool: "boolean",
    int: "integer",
    float: "number",
    str: "string",
    list: "array",
    dict: "object",
    type(None): "null",
}
PARAMETER_VALUE = ["integer", "number", "boolean", "string"]
MISSING = "is required"
QUOTED_MAX = 60  # characters of a wrong value that a message repeats


def is_ours(thing: Any) -> bool:
    """Whether an object is of a kind that `check` knows."""
    return isinstance(thing, dict) and thing.get("apiVersion") == API_VERSION and _known(thing.get("kind"))


def check(thing: Any) -> list[Problem]:
    """Every unknown field, wrong type and missing name of an object, in document order; never raises.

    A field that does not exist has `unknown` set, so that a caller who is not strict can let it pass.
    """
    if not isinstance(thing, dict):
        return [Problem("", f"a manifest is an object, not {_named(thing)}")]
    if problems := _identity(thing):
        return problems
    return _judged(thing, thing["kind"]) + _nameless(thing)


def misshapen(part: Any, definition: str) -> list[Problem]:
    """What in a part of an object (a patch of it) has another type than it must have; fields that are missing there,
    or that do not exist, are no matter."""
    return [found for found in _judged(part, definition) if not found.unknown and found.message != MISSING]


def _judged(value: Any, definition: str) -> list[Problem]:
    problems: list[Problem] = []
    pending: list[Pending] = [({"ref": definition}, value, "")]
    while pending:  # a loop, since a document may nest deeper than Python's stack
        shape, value, path = pending.pop()
        children: list[Pending] = []
        problems += _judge(shape, value, path, children)
        pending.extend(reversed(children))
    return problems


def _known(kind: Any) -> bool:
    return isinstance(kind, str) and kind in KINDS


def _identity(thing: dict[Any, Any]) -> list[Problem]:
    """Whether the object says that it is one of ours."""
    version, kind = thing.get("apiVersion"), thing.get("kind")
    if version is None:
        return [Problem("apiVersion", "is missing", remedy=f"write apiVersion: {API_VERSION}")]
    if version != API_VERSION:
        return [Problem("apiVersion", f"{_shown(version)} is not known here", remedy=f"known is {API_VERSION}")]
    if kind is None:
        return [Problem("kind", "is missing", remedy="write for example kind: Workflow")]
    if not _known(kind):
        remedy = _near(str(kind), list(KINDS)) or f"known are {', '.join(KINDS)}"
        return [Problem("kind", f"{_shown(kind)} is no kind of {API_VERSION}", remedy=remedy)]
    return []


def _nameless(thing: dict[Any, Any]) -> list[Problem]:
    metadata = thing.get("metadata")
    if not isinstance(metadata, dict) or metadata.get("name") or metadata.get("generateName"):
        return []
    return [Problem("metadata", "has neither name nor generateName", remedy="an object needs one of them")]


def _judge(shape: Shape, value: Any, path: str, children: list[Pending]) -> list[Problem]:
    """Judge one value; its parts are left in `children`."""
    match shape:
        case {"any": True}:
            return []
        case {"ref": name}:
            if not isinstance(value, dict):
                return [_wrong_type("object", value, path)]
            return _fields(load()[name], value, path, children)
        case {"type": "array", "items": items}:
            if not isinstance(value, list):
                return [_wrong_type("array", value, path)]
            children.extend((items, item, f"{path}[{index}]") for index, item in enumerate(value))
            return []
        case {"type": "object"}:
            if not isinstance(value, dict):
                return [_wrong_type("object", value, path)]
            if "values" in shape:
                children.extend((shape["values"], item, f"{path}.{key}") for key, item in value.items())
            return []
        case {"scalar": scalars}:
            return _scalar(scalars, value, path)
        case _:
            return _plain(shape, value, path)


def _fields(definition: Definition, value: dict[Any, Any], path: str, children: list[Pending]) -> list[Problem]:
    """Judge which fields an object has."""
    fields: dict[str, Shape] = definition["fields"]
    prefix = f"{path}." if path else ""
    problems = [
        Problem(f"{prefix}{name}", MISSING) for name in definition.get("required", ()) if value.get(name) is None
    ]
    for key, item in value.items():
        if key in fields:
            if item is not None:
                children.append((fields[key], item, f"{prefix}{key}"))
        elif not definition.get("grows"):
            remedy = _near(str(key), list(fields)) or _belongs(str(key), fields, value)
            problems.append(Problem(f"{prefix}{key}", "is not a known field", remedy=remedy, unknown=True))
    return problems


def _plain(shape: Shape, value: Any, path: str) -> list[Problem]:
    """Judge a string, number or truth value."""
    if _type(value) != shape["type"] and (shape["type"], _type(value)) != ("number", "integer"):
        return [_wrong_type(shape["type"], value, path)]
    allowed: list[str] = shape.get("enum", [])
    if allowed and value not in allowed:
        remedy = _near(value, allowed)
        return [Problem(path, f"{_shown(value)} is none of {', '.join(filter(None, allowed))}", remedy=remedy)]
    return []


def _scalar(scalars: list[str], value: Any, path: str) -> list[Problem]:
    """Judge a value that may be of several types; a parameter loses lists and objects, as it does upstream."""
    if _type(value) in scalars:
        return []
    if scalars == PARAMETER_VALUE:
        remedy = "write it as a string of JSON"
        return [Problem(path, f"{_named(value)} as a value becomes the empty string", "warning", remedy)]
    return [Problem(path, f"must be {' or '.join(WORDS[scalar] for scalar in scalars)}, not {_named(value)}")]


_NEVER: Final = re.compile(r"(?!)")
_NUMBER: Final = re.compile(r"-?\d+(\.\d+)?")
_UNQUOTED: Final = {"boolean": re.compile("true|false"), "integer": re.compile(r"-?\d+"), "number": _NUMBER}


def _wrong_type(wanted: str, value: Any, path: str) -> Problem:
    remedy = ""
    if wanted == "string" and isinstance(value, (int, float)):
        remedy = f'quote it: "{str(value).lower() if isinstance(value, bool) else value}"'
    elif wanted == "array" and isinstance(value, dict):
        remedy = "begin each entry with a dash"
    elif isinstance(value, str) and _UNQUOTED.get(wanted, _NEVER).fullmatch(value):
        remedy = "write it without quotes"
    return Problem(path, f"must be {WORDS[wanted]}, not {_named(value)}", remedy=remedy)


def _belongs(key: str, fields: dict[str, Shape], value: dict[Any, Any]) -> str:
    """Where a field belongs that was written one level too high; empty when nowhere."""
    homes = [name for name, shape in fields.items() if "ref" in shape and key in load()[shape["ref"]]["fields"]]
    homes = [name for name in homes if name in value] or homes
    return f"it belongs in {homes[0]}" if len(homes) == 1 else ""


def _near(word: str, known: list[str]) -> str:
    """The field that was probably meant."""
    by_lower_case = {name.lower(): name for name in known if name}
    close = get_close_matches(word.lower(), by_lower_case, n=1, cutoff=0.7)
    return f"did you mean {by_lower_case[close[0]]}?" if close else ""


def _type(value: Any) -> str:
    return TYPES.get(type(value), type(value).__name__)


def _named(value: Any) -> str:
    kind = _type(value)
    if kind in ("array", "object", "null"):
        return WORDS.get(kind, kind)
    return {"boolean": "", "string": "the string ", "integer": "the number ", "number": "the number "}.get(
        kind, f"the {kind} "
    ) + _shown(value)


def _shown(value: Any) -> str:
    text = str(value).lower() if isinstance(value, bool) else repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= QUOTED_MAX else text[: QUOTED_MAX - 1] + "…"
