"""A structural schema defaults, prunes and validates a custom object, with Kubernetes' messages."""

from __future__ import annotations

import json
from datetime import datetime
from functools import lru_cache
from typing import Any

from runtime.objects import Object
from tiphys.devcluster.errors import Cause
from tiphys.devcluster.rules import shown

_INT_OR_STRING = "x-kubernetes-int-or-string"
_PRESERVE = "x-kubernetes-preserve-unknown-fields"
_EMBEDDED = "x-kubernetes-embedded-resource"
FAULTS_MAX = 100  # causes of one refusal: enough to mend, not enough to drown in


def _child(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


# ------------------------------------------------------------------------------------------------ defaulting


def fill(value: Any, schema: Object) -> None:
    """Set, in place, every default of a property that is absent."""
    if isinstance(value, dict):
        for name, sub in (schema.get("properties") or {}).items():
            if "default" in sub and (name not in value or (value[name] is None and not sub.get("nullable"))):
                value[name] = json.loads(json.dumps(sub["default"]))
            if name in value:
                fill(value[name], sub)
        rest = schema.get("additionalProperties")
        if isinstance(rest, dict):
            known = schema.get("properties") or {}
            for name, item in value.items():
                if name not in known:
                    fill(item, rest)
    elif isinstance(value, list) and isinstance(schema.get("items"), dict):
        for item in value:
            fill(item, schema["items"])


# ------------------------------------------------------------------------------------------------ pruning


def prune(thing: Object, schema: Object) -> list[str]:
    """Drop, in place, what the schema does not know, below the top; returns the paths of what was dropped."""
    root = {**schema, "properties": {**(schema.get("properties") or {})}}
    for name in ("apiVersion", "kind", "metadata"):
        root["properties"][name] = {_PRESERVE: True}
    dropped: list[str] = []
    _prune(thing, root, "", dropped)
    return dropped


def _prune(value: Any, schema: Object, path: str, dropped: list[str]) -> None:
    if isinstance(value, list):
        items = schema.get("items")
        for index, item in enumerate(value):
            if isinstance(items, dict):
                _prune(item, items, f"{path}[{index}]", dropped)
        return
    if not isinstance(value, dict):
        return
    properties = schema.get("properties") or {}
    rest = schema.get("additionalProperties")
    keeps = schema.get(_PRESERVE) or rest is True or (schema.get("type") is None and not properties)
    embedded = ("apiVersion", "kind", "metadata") if schema.get(_EMBEDDED) else ()
    for name in list(value):
        if name in properties:
            _prune(value[name], properties[name], _child(path, name), dropped)
        elif isinstance(rest, dict):
            _prune(value[name], rest, _child(path, name), dropped)
        elif not keeps and name not in embedded:
            del value[name]
            dropped.append(_child(path, name))


# ------------------------------------------------------------------------------------------------ validation


def _type_of(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer"
    if isinstance(value, float):
        return "integer" if value.is_integer() else "number"
    if isinstance(value, str):
        return "string"
    return "array" if isinstance(value, list) else "object"


def _fits(have: str, want: str) -> bool:
    return have == want or (want == "number" and have == "integer")


def _body(path: str) -> str:
    return f"{path} in body"


def validate(value: Any, schema: Object, path: str = "", old: Any = None) -> list[Cause]:
    """What of the value does not follow the schema; of what is as it was in `old`, nothing is asked again."""
    if old is not None and value == old:
        return []
    if value is None:
        if schema.get("nullable") or not schema.get("type"):
            return []
        why = f'{_body(path)} must be of type {schema["type"]}: "null"'
        return [Cause(path, f'Invalid value: "null": {why}', "FieldValueTypeInvalid")]
    have = _type_of(value)
    if schema.get(_INT_OR_STRING):
        if have not in ("integer", "string"):
            why = f'{_body(path)} must be of type integer,string: "{have}"'
            return [Cause(path, f'Invalid value: "{have}": {why}', "FieldValueTypeInvalid")]
    elif schema.get("type") and not _fits(have, schema["type"]):
        why = f'{_body(path)} must be of type {schema["type"]}: "{have}"'
        return [Cause(path, f'Invalid value: "{have}": {why}', "FieldValueTypeInvalid")]
    faults = _enum(value, schema, path) + _combined(value, schema, path)
    if isinstance(value, dict):
        faults += _object(value, schema, path, old if isinstance(old, dict) else {})
    elif isinstance(value, list):
        faults += _array(value, schema, path, old)
    elif isinstance(value, str):
        faults += _string(value, schema, path)
    elif not isinstance(value, bool):
        faults += _number(value, schema, path)
    return faults[:FAULTS_MAX]


def _enum(value: Any, schema: Object, path: str) -> list[Cause]:
    allowed = schema.get("enum")
    if not allowed or value in allowed:
        return []
    supported = ", ".join(shown(item) for item in allowed)
    message = f"Unsupported value: {shown(value)}: supported values: {supported}"
    return [Cause(path, message, "FieldValueNotSupported")]


def _object(value: Object, schema: Object, path: str, old: Object) -> list[Cause]:
    faults = [
        Cause(_child(path, name), "Required value", "FieldValueRequired")
        for name in schema.get("required") or ()
        if name not in value
    ]
    properties = schema.get("properties") or {}
    rest = schema.get("additionalProperties")
    for name, item in value.items():
        if name in properties:
            faults += validate(item, properties[name], _child(path, name), old.get(name))
        elif isinstance(rest, dict):
            faults += validate(item, rest, _child(path, name), old.get(name))
    return faults + _count(len(value), schema, path, ("minProperties", "maxProperties"), "properties")


def predecessor(item: Any, schema: Object, old: Any) -> Any:
    """What an item of a list was before: the one of the same keys; None where the list's items have no keys."""
    keys = schema.get("x-kubernetes-list-map-keys")
    if not keys or not isinstance(old, list) or not isinstance(item, dict):
        return None
    identity = [item.get(key) for key in keys]
    return next((was for was in old if isinstance(was, dict) and [was.get(k) for k in keys] == identity), None)


def _array(value: list[Any], schema: Object, path: str, old: Any) -> list[Cause]:
    faults: list[Cause] = []
    items = schema.get("items")
    if isinstance(items, dict):
        for index, item in enumerate(value):
            faults += validate(item, items, f"{path}[{index}]", predecessor(item, schema, old))
    faults += _unique(value, schema, path)
    return faults + _count(len(value), schema, path, ("minItems", "maxItems"), "items")


def _unique(value: list[Any], schema: Object, path: str) -> list[Cause]:
    kind = schema.get("x-kubernetes-list-type")
    keys = schema.get("x-kubernetes-list-map-keys") or []
    if kind not in ("set", "map"):
        return []
    seen: list[Any] = []
    faults: list[Cause] = []
    for index, item in enumerate(value):
        identity = {key: item.get(key) for key in keys} if kind == "map" and isinstance(item, dict) else item
        if identity in seen:
            faults.append(Cause(f"{path}[{index}]", f"Duplicate value: {shown(identity)}", "FieldValueDuplicate"))
        seen.append(identity)
    return faults


def _count(count: int, schema: Object, path: str, names: tuple[str, str], noun: str) -> list[Cause]:
    least, most = schema.get(names[0]), schema.get(names[1])
    if least is not None and count < least:
        why = f"{_body(path)} should have at least {least} {noun}"
        return [Cause(path, f"Invalid value: {count}: {why}")]
    if most is not None and count > most:
        return [Cause(path, f"Too many: {count}: must have at most {most} {noun}", "FieldValueTooMany")]
    return []


def _string(value: str, schema: Object, path: str) -> list[Cause]:
    faults: list[Cause] = []
    least, most, pattern = schema.get("minLength"), schema.get("maxLength"), schema.get("pattern")
    if least is not None and len(value) < least:
        why = f"{_body(path)} should be at least {least} chars long"
        faults.append(Cause(path, f"Invalid value: {shown(value)}: {why}"))
    if most is not None and len(value) > most:
        faults.append(Cause(path, f"Too long: may not be more than {most} bytes", "FieldValueTooLong"))
    if pattern and _compiled(pattern).search(value) is None:
        faults.append(Cause(path, f"Invalid value: {shown(value)}: {_body(path)} should match '{pattern}'"))
    if schema.get("format") == "date-time" and not _is_time(value):
        why = f"{_body(path)} must be of type date-time: {shown(value)}"
        faults.append(Cause(path, f"Invalid value: {shown(value)}: {why}"))
    return faults


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> Any:
    """The pattern in Kubernetes' own syntax. Raises ValueError."""
    import re2  # noqa: PLC0415 - few schemas have patterns

    try:
        return re2.compile(pattern)
    except re2.error as e:
        raise ValueError(str(e)) from e


def is_pattern(text: str) -> bool:
    """True for a regular expression."""
    try:
        _compiled(text)
    except ValueError:
        return False
    return True


def _is_time(text: str) -> bool:
    try:
        return datetime.fromisoformat(text.replace("Z", "+00:00")).tzinfo is not None
    except ValueError:
        return False


def _number(value: float, schema: Object, path: str) -> list[Cause]:
    faults: list[Cause] = []
    least, most, step = schema.get("minimum"), schema.get("maximum"), schema.get("multipleOf")
    if least is not None and (value <= least if schema.get("exclusiveMinimum") else value < least):
        words = "greater than" if schema.get("exclusiveMinimum") else "greater than or equal to"
        faults.append(Cause(path, f"Invalid value: {shown(value)}: {_body(path)} should be {words} {least}"))
    if most is not None and (value >= most if schema.get("exclusiveMaximum") else value > most):
        words = "less than" if schema.get("exclusiveMaximum") else "less than or equal to"
        faults.append(Cause(path, f"Invalid value: {shown(value)}: {_body(path)} should be {words} {most}"))
    if step and value % step:
        faults.append(Cause(path, f"Invalid value: {shown(value)}: {_body(path)} should be a multiple of {step}"))
    return faults


def _combined(value: Any, schema: Object, path: str) -> list[Cause]:
    faults: list[Cause] = []
    for sub in schema.get("allOf") or ():
        faults += validate(value, sub, path)
    for name, words in (("anyOf", "at least one schema (anyOf)"), ("oneOf", "one and only one schema (oneOf)")):
        subs = schema.get(name)
        if not subs or schema.get(_INT_OR_STRING):
            continue
        passing = sum(1 for sub in subs if not validate(value, sub, path))
        if passing == 0 or (name == "oneOf" and passing > 1):
            faults.append(Cause(path, f'Invalid value: "": "{path}" must validate {words}'))
    negated = schema.get("not")
    if negated and not validate(value, negated, path):
        faults.append(Cause(path, f'Invalid value: "": "{path}" must not validate the schema (not)'))
    return faults
