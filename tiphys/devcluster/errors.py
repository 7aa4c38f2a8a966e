"""Every refusal is a Status object with Kubernetes' own message, reason and details.

Clients branch on `reason` and `details`, and people search the web for the message: so both are built here only.
"""

from __future__ import annotations

from typing import NamedTuple

import orjson

from runtime.api import ApiError
from runtime.client_errors import error_of
from runtime.objects import Object, Resource


class Cause(NamedTuple):
    """One field that is wrong: its path, what is wrong with it, and the machine-readable kind of wrong."""

    field: str
    message: str
    reason: str = "FieldValueInvalid"


def required(field: str, why: str = "") -> Cause:
    """The field is missing."""
    return Cause(field, f"Required value: {why}" if why else "Required value", "FieldValueRequired")


def invalid_value(field: str, shown: str, why: str) -> Cause:
    """The field has a value it may not have; `shown` is the value as JSON."""
    return Cause(field, f"Invalid value: {shown}: {why}", "FieldValueInvalid")


def forbidden_value(field: str, why: str) -> Cause:
    """The field may not be set or changed."""
    return Cause(field, f"Forbidden: {why}", "FieldValueForbidden")


def not_supported(field: str, value: object, known: tuple[str, ...]) -> Cause:
    """The field has a value that is not one of those known."""
    shown, supported = orjson.dumps(value).decode(), ", ".join(f'"{word}"' for word in known)
    return Cause(field, f"Unsupported value: {shown}: supported values: {supported}", "FieldValueNotSupported")


def duplicate(field: str, value: str) -> Cause:
    """Another item has this value already."""
    return Cause(field, f"Duplicate value: {orjson.dumps(value).decode()}", "FieldValueDuplicate")


def failure(code: int, reason: str, message: str, details: Object | None = None) -> ApiError:
    """The error of that Status, of the class that says what to do next."""
    status: Object = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message}
    if reason:
        status["reason"] = reason
    if details is not None:
        status["details"] = details
    status["code"] = code
    return error_of(status)


def _qualified(name: str, group: str) -> str:
    return f"{name}.{group}" if group else name


def _named(kind: str, group: str, name: str) -> Object:
    details: Object = {"name": name} if name else {}
    if group:
        details["group"] = group
    details["kind"] = kind
    return details


def not_found(resource: Resource, name: str) -> ApiError:
    """404 of one object."""
    shown = _qualified(resource.plural, resource.group)
    details = _named(resource.plural, resource.group, name)
    return failure(404, "NotFound", f'{shown} "{name}" not found', details)


def no_such_path() -> ApiError:
    """404 of a path below a group that is served."""
    return failure(404, "NotFound", "the server could not find the requested resource", {})


def already_exists(resource: Resource, name: str) -> ApiError:
    """409 of a create."""
    shown = _qualified(resource.plural, resource.group)
    details = _named(resource.plural, resource.group, name)
    return failure(409, "AlreadyExists", f'{shown} "{name}" already exists', details)


MODIFIED = "the object has been modified; please apply your changes to the latest version and try again"


def conflict(resource: Resource, name: str, why: str = MODIFIED, *, kind: str = "") -> ApiError:
    """409 of a write that was computed from something else than what is stored."""
    noun = kind or resource.plural
    shown = _qualified(noun, resource.group)
    message = f'Operation cannot be fulfilled on {shown} "{name}": {why}'
    return failure(409, "Conflict", message, _named(noun, resource.group, name))


def invalid(kind: str, group: str, name: str, causes: list[Cause]) -> ApiError:
    """422 that names every wrong field."""
    texts = [f"{cause.field}: {cause.message}" for cause in causes]
    whole = texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
    details = _named(kind, group, name)
    details["causes"] = [{"reason": c.reason, "message": c.message, "field": c.field} for c in causes]
    return failure(422, "Invalid", f'{_qualified(kind, group)} "{name}" is invalid: {whole}', details)


def forbidden(resource: Resource, name: str, why: str, causes: list[Object] | None = None) -> ApiError:
    """403: understood, and not allowed."""
    details = _named(resource.plural, resource.group, name)
    if causes:
        details["causes"] = causes
    shown = (
        f'{_qualified(resource.plural, resource.group)} "{name}"'
        if name
        else _qualified(resource.plural, resource.group)
    )
    return failure(403, "Forbidden", f"{shown} is forbidden: {why}", details)


def bad_request(message: str) -> ApiError:
    """400: not understood."""
    return failure(400, "BadRequest", message)


def part(body: Object, name: str) -> Object:
    """The object of that name in a body; empty when absent. Raises Refused (400) for anything else."""
    value = body.get(name)
    if value is not None and not isinstance(value, dict):
        raise bad_request(f"{body.get('kind') or 'the body'}: {name} must be an object")
    return value or {}


def expired(message: str) -> ApiError:
    """410: that version is no longer kept."""
    return failure(410, "Expired", message)


def unsupported_media(message: str, details: Object | None = None) -> ApiError:
    """415: a body of a kind that this resource does not take."""
    return failure(415, "UnsupportedMediaType", message, details)


def internal(message: str) -> ApiError:
    """500 with the cause in words."""
    details = {"causes": [{"message": message}]}
    return failure(500, "InternalError", f"Internal error occurred: {message}", details)


def too_large() -> ApiError:
    """500 in etcd's words, as clients know to look for them."""
    return failure(500, "", "etcdserver: request is too large")


def success(details: Object, code: int = 0) -> Object:
    """The Status of a deed that returns no object."""
    status: Object = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}
    if details:
        status["details"] = details
    if code:
        status["code"] = code
    return status
