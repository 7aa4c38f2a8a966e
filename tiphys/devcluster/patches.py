"""A patch and the stored object give the wished object, or a refusal in Kubernetes' words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import orjson

from runtime.api import PatchType, Refused
from runtime.objects import Object
from tiphys.devcluster import errors, gotext, strategic

MEDIA_TYPES: dict[str, PatchType] = {
    "application/json-patch+json": "json",
    "application/merge-patch+json": "merge",
    "application/strategic-merge-patch+json": "strategic",
    "application/apply-patch+yaml": "apply",
}
OPERATIONS_MAX = 10_000  # of one JSON patch


def merge(current: Any, patch: Any) -> Any:
    """RFC 7386; neither argument is changed, unchanged parts are shared."""
    if not isinstance(patch, dict):
        return patch
    result = {**current} if isinstance(current, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge(result.get(key), value)
    return result


def _json_patch(current: Object, operations: Any) -> Any:
    from jsonpatch import JsonPatch, JsonPatchException  # noqa: PLC0415 - its import is not free and few runs need it
    from jsonpointer import JsonPointerException  # noqa: PLC0415 - likewise

    if not isinstance(operations, list):
        raise errors.bad_request("error decoding patch: a JSON patch is a list of operations")
    if len(operations) > OPERATIONS_MAX:
        raise errors.failure(
            413, "RequestEntityTooLarge", f"The allowed maximum operations in a JSON patch is {OPERATIONS_MAX}"
        )
    try:
        return JsonPatch(operations).apply(current)
    except (JsonPatchException, JsonPointerException, TypeError) as e:
        raise errors.failure(
            422, "Invalid", "the server rejected our request due to an error in our request", {}
        ) from e


def apply_patch(kind: PatchType, current: Object, body: Any, *, custom: bool) -> Object:
    """The object after a json, merge or strategic patch. `current` must not be changed by whoever gets the result
    without copying: unchanged parts are shared."""
    if kind == "strategic" and custom:
        accepted = "application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml"
        raise errors.unsupported_media(
            f"the body of the request was in an unknown format - accepted media types include: {accepted}"
        )
    if kind == "json":
        result = _json_patch(current, body)
    elif not isinstance(body, dict):
        raise errors.bad_request("error decoding patch: the patch is not an object")
    elif kind == "merge":
        result = merge(current, body)
    else:
        kept = str(current.get("apiVersion", "")), str(current.get("kind", ""))
        result = strategic.merge(current, body, strategic.type_of(*kept))
    if not isinstance(result, dict):
        raise errors.bad_request("error decoding patch: the result is not an object")
    return result


@contextmanager
def judged(kind: PatchType, body: Any, patched: Object) -> Iterator[None]:
    """Around the decoding of a patched object: what is wrong with it is said of the patch (422), as a plain write's
    body was refused (400)."""
    try:
        yield
    except Refused as e:
        if e.code != 400:
            raise
        sent = (
            gotext.plain(body) if kind == "strategic" else orjson.dumps(patched, option=orjson.OPT_SORT_KEYS).decode()
        )
        why = e.message.partition(" cannot be handled as a ")[2].partition(": ")[2] or e.message
        message = f"Invalid value: {orjson.dumps(sent).decode()}: {why}"
        causes = [{"reason": "FieldValueInvalid", "message": message, "field": "patch"}]
        raise errors.failure(422, "Invalid", f' "" is invalid: patch: {message}', {"causes": causes}) from e
