"""Messages and commands as plain JSON: what a flight recorder writes down, and how a message is read back from it.

Only what comes from outside all actors is read back (objects, results, wake-ups). What actors say to each other is not:
a replay runs their minds, so it has the very values, and compares them with what is written here.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any

from runtime import api, messages
from runtime.api import ApiError, Throttled
from runtime.messages import (
    Address,
    Command,
    Done,
    Down,
    Failed,
    Gone,
    Measure,
    Message,
    Observed,
    Spawn,
    Started,
    Woke,
)
from runtime.objects import Reference, Resource

_NOTHING = object()
_USER = re.compile(r"(?<=://)[^/\s'\"]+@")  # and password, in a URL

DEPTH_MAX = 40
"""Values nested deeper than this are named, not written out."""


OWN_VARIABLES = ("ARGO_", "TIPHYS_")
"""What begins so is written out: controllers made it of what is in the recording anyhow."""


class Unreadable(ValueError):
    """A recording that cannot be read back. The message says where."""


def plain(value: Any, depth: int = 0) -> Any:
    """A value as JSON: records as maps with their type under "is", what is no value at all by its type's name."""
    if isinstance(value, str):
        return _USER.sub("*****@", value) if "@" in value else value
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Enum):
        return plain(value.value, depth)
    if isinstance(value, bytes):
        return {"is": "bytes", "base64": base64.b64encode(value).decode()}
    if isinstance(value, ApiError):
        return _error(value)
    if depth >= DEPTH_MAX:
        return _name(value)
    if isinstance(value, Mapping):
        entries = _veiled(value) if value.get("kind") == "Secret" else value
        return {
            str(key): plain(_without_values(entry) if key == "env" else entry, depth + 1)
            for key, entry in entries.items()
        }
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return {"is": type(value).__name__, **{key: plain(getattr(value, key), depth + 1) for key in value._fields}}
    if isinstance(value, list | tuple):
        return [plain(entry, depth + 1) for entry in value]
    if isinstance(value, set | frozenset):
        return sorted((plain(entry, depth + 1) for entry in value), key=_text)
    kept = _fields_of(value)
    if kept is not None:
        return {"is": type(value).__name__, **{key: plain(entry, depth + 1) for key, entry in kept.items()}}
    return _name(value)  # a mutable thing is somebody's state: its content is not part of what was said


def _without_values(env: Any) -> Any:
    """A container's environment without the values that stand in it; both sides of a replay have the same stars."""
    if not isinstance(env, list):
        return env
    return [{**entry, "value": "*****"} if _is_users(entry) else entry for entry in env]


def _is_users(variable: Any) -> bool:
    """Whether a variable has a value that somebody else than a controller may have chosen."""
    if not isinstance(variable, Mapping) or "value" not in variable:
        return False
    return not str(variable.get("name")).startswith(OWN_VARIABLES)


def _veiled(secret: Mapping[str, Any]) -> dict[str, Any]:
    """A Secret without what it keeps: stars in its place, so that a replay finds every key."""
    veil = {"data": base64.b64encode(b"*****").decode(), "stringData": "*****"}
    shown = {key: dict.fromkeys(value, veil[key]) for key, value in secret.items() if key in veil and value}
    notes = {key: value for key, value in secret.items() if key != "metadata"}
    meta = {key: value for key, value in (secret.get("metadata") or {}).items() if key != "annotations"}
    return {**notes, "metadata": meta, **shown}  # without annotations: kubectl keeps a copy of the object in one


def written(command: Command) -> Any:
    """A command as JSON; a child is named, not its argument, which is a part of its parent."""
    if isinstance(command, Spawn):
        return {"is": "Spawn", "address": list(command.address), "argument": _name(command.argument)}
    return plain(command)


def decisions(commands: Iterable[Command]) -> list[Any]:
    """Commands as JSON; what is only counted (Measure) decides nothing."""
    return [written(command) for command in commands if not isinstance(command, Measure)]


def digest(command: Command) -> str:
    """A short name of a command: equal for equal ones."""
    return f"{type(command).__name__}:{hashlib.sha256(_text(written(command)).encode()).hexdigest()[:12]}"


def told(message: Message) -> Any:
    """A message as JSON; results name their command by its digest."""
    match message:
        case Done(command, result):
            return {"is": "Done", "command": digest(command), "result": plain(result)}
        case Failed(command, error):
            return {"is": "Failed", "command": digest(command), "error": _error(error)}
        case _:
            return plain(message)


def heard(entry: Mapping[str, Any], asked: Mapping[str, Command]) -> Message:
    """A message from outside, read back; `asked`: the commands that wait for a result, by digest. Raises Unreadable."""
    match entry:
        case {"is": "Started", "attempt": attempt}:
            return Started(attempt)
        case {"is": "Woke", "tag": tag}:
            return Woke(tag)
        case {"is": "Observed", "ref": ref, "object": thing}:
            return Observed(_reference(ref), thing)
        case {"is": "Gone", "ref": ref, "last": last}:
            return Gone(_reference(ref), last)
        case {"is": "Down", "child": child, "reason": reason, "detail": detail}:
            return Down(address_of(child), reason, detail)
        case {"is": "Done", "command": name, "result": result} if name in asked:
            return Done(asked[name], _result(result))
        case {"is": "Failed", "command": name, "error": error} if name in asked:
            return Failed(asked[name], _read_error(error))
        case {"is": "Done" | "Failed", "command": name}:
            raise Unreadable(f"a result of {name} came, which was not asked for")
        case _:
            raise Unreadable(f"a message of an unknown kind: {entry.get('is')}")


def address_of(entry: Any) -> Address:
    """An address, read back from its list or map. Raises Unreadable."""
    try:
        if isinstance(entry, Mapping):
            return Address(*(str(entry[name]) for name in Address._fields))
        return Address(*map(str, entry))
    except (KeyError, TypeError) as e:
        raise Unreadable(f"{entry!r} is no address") from e


def _result(entry: Any) -> Any:
    if isinstance(entry, Mapping) and entry.get("is") == "bytes":
        return base64.b64decode(entry["base64"])
    return entry


def _reference(entry: Mapping[str, Any]) -> Reference:
    where = entry["resource"]
    resource = Resource(where["api_version"], where["kind"], where["plural"], where["namespaced"])
    return Reference(resource, entry["namespace"], entry["name"], entry["uid"])


def _error(error: ApiError) -> Any:
    shown = {"is": type(error).__name__, "message": error.message, "code": error.code, "reason": error.reason}
    if isinstance(error, Throttled):
        shown["after_s"] = error.after_s
    return {**shown, "status": plain(error.status)}


def _read_error(entry: Mapping[str, Any]) -> ApiError:
    kind = getattr(api, str(entry.get("is")), None)
    if not (isinstance(kind, type) and issubclass(kind, ApiError)):
        raise Unreadable(f"an error of an unknown kind: {entry.get('is')}")
    rest = {"after_s": entry["after_s"]} if "after_s" in entry else {}
    return kind(entry["message"], code=entry["code"], reason=entry["reason"], status=entry["status"], **rest)


def _fields_of(value: Any) -> dict[str, Any] | None:
    """The fields of a record that say something; None for what is no record.

    A word's field at its default is left out: one that is added to a word later makes no old recording differ."""
    whole = type(value).__module__ == messages.__name__  # those are read back
    names = getattr(value, "__struct_fields__", None)
    if names is not None and type(value).__struct_config__.frozen:
        if whole:
            return {name: getattr(value, name) for name in names}
        defaults = dict(zip(reversed(names), reversed(value.__struct_defaults__), strict=False))
        return {name: found for name in names if (found := getattr(value, name)) != defaults.get(name, _NOTHING)}
    if not is_dataclass(value) or isinstance(value, type) or not _is_frozen(type(value)):
        return None
    found = {f.name: getattr(value, f.name) for f in fields(value)}
    return {f.name: found[f.name] for f in fields(value) if found[f.name] != f.default}


def _is_frozen(kind: Any) -> bool:
    return bool(kind.__dataclass_params__.frozen)


def _name(value: Any) -> str:
    return f"<{type(value).__name__}>"


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True)
