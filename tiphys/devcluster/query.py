"""What a request says besides its path: query parameters and body, read with errors that name them."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any

import orjson

from runtime.api import LogOptions
from runtime.objects import Object
from tiphys.devcluster import errors, protobuf
from tiphys.devcluster.deletion import DeleteOptions
from tiphys.devcluster.rest import WriteOptions

BODY_MAX = 3 * 1024 * 1024  # bytes of a request, as upstream

MANAGER_MAX = 128  # characters of a field manager's name, as upstream

Query = Mapping[str, str]


def flag(query: Query, name: str) -> bool:
    """A boolean parameter."""
    return query.get(name, "").lower() in ("true", "1", "t")


def number(query: Query, name: str) -> int | None:
    """An integer parameter; None when absent. Raises Refused (400)."""
    text = query.get(name, "")
    if not text:
        return None
    try:
        return int(text)
    except ValueError as e:
        raise errors.bad_request(f"the query parameter {name} is not a number: {text!r}") from e


def version(query: Query) -> int | None:
    """The resourceVersion; None when absent or 0 (any)."""
    text = query.get("resourceVersion", "")
    if text in ("", "0"):
        return None
    if not text.isdigit():
        raise errors.bad_request(f"resourceVersion: Invalid value: {text!r}: strconv.ParseUint: invalid syntax")
    return int(text)


def exact_version(query: Query) -> int | None:
    """The version that a list must be of; None when a newer one will do. Raises Refused (422)."""
    match, asked = query.get("resourceVersionMatch", ""), query.get("resourceVersion", "")
    field, cause = "resourceVersionMatch", None
    if match and not asked:
        cause = errors.forbidden_value(field, "resourceVersionMatch is forbidden unless resourceVersion is provided")
    elif match and query.get("continue"):
        cause = errors.forbidden_value(field, "resourceVersionMatch is forbidden when continue is provided")
    elif match not in ("", "Exact", "NotOlderThan"):
        cause = errors.not_supported(field, match, ("Exact", "NotOlderThan", ""))
    elif match == "Exact" and asked == "0":
        why = 'resourceVersionMatch "Exact" is forbidden for resourceVersion "0"'
        cause = errors.forbidden_value(field, why)
    if cause is not None:
        raise errors.invalid("ListOptions", "meta.k8s.io", "", [cause])
    return version(query) if match == "Exact" else None


def is_dry(query: Query) -> bool:
    """True for dryRun=All."""
    return "All" in query.get("dryRun", "")


def _check_options(query: Query, verb: str, *, is_apply: bool) -> None:
    """Raise Refused (422) for options that do not go with a write."""
    manager = query.get("fieldManager", "")
    causes = []
    if is_apply and not manager:
        causes.append(errors.required("fieldManager", "is required for apply patch"))
    if len(manager) > MANAGER_MAX:
        why = f"Too long: may not be more than {MANAGER_MAX} bytes"
        causes.append(errors.Cause("fieldManager", why, "FieldValueTooLong"))
    if verb == "Patch" and not is_apply and "force" in query:
        causes.append(errors.forbidden_value("force", "may not be specified for non-apply patch"))
    if causes:
        raise errors.invalid(f"{verb}Options", "meta.k8s.io", "", causes)


def write_options(
    query: Query, agent: str, subresource: str = "", *, verb: str = "Update", is_apply: bool = False
) -> WriteOptions:
    """The options of a create, update or patch. Raises Refused (422) for those that do not go with it."""
    _check_options(query, verb, is_apply=is_apply)
    manager = query.get("fieldManager") or agent.partition("/")[0]
    return WriteOptions(
        is_dry(query), query.get("fieldValidation") == "Strict", manager, flag(query, "force"), subresource
    )


def delete_options(query: Query, body: Any) -> DeleteOptions:
    """The options of a delete: the body wins over the query."""
    said: Object = body if isinstance(body, dict) else {}
    preconditions = errors.part(said, "preconditions")
    grace = said.get("gracePeriodSeconds")
    return DeleteOptions(
        grace if grace is not None else number(query, "gracePeriodSeconds"),
        said.get("propagationPolicy") or query.get("propagationPolicy") or None,  # type: ignore[arg-type] # as sent
        preconditions.get("uid") or "",
        preconditions.get("resourceVersion") or "",
        is_dry(query) or "All" in (said.get("dryRun") or ()),
        said.get("orphanDependents"),
    )


def _age(query: Query, now: float) -> float | None:
    """How old a log's lines may be: `sinceSeconds`, or `sinceTime`, in seconds. Raises Refused (400, 422)."""
    seconds, text = number(query, "sinceSeconds"), query.get("sinceTime", "")
    if not text:
        return seconds
    if seconds is not None:
        cause = errors.forbidden_value("", "at most one of `sinceTime` or `sinceSeconds` may be specified")
        raise errors.invalid("PodLogOptions", "", "", [cause])
    try:
        return max(now - datetime.fromisoformat(text).timestamp(), 0.0)
    except ValueError as e:
        raise errors.bad_request(f"the query parameter sinceTime is not a time of RFC 3339: {text!r}") from e


def log_options(query: Query, now: float) -> LogOptions:
    """Which part of a container's log; `now` in seconds since 1970."""
    return LogOptions(
        query.get("container", ""),
        flag(query, "follow"),
        flag(query, "previous"),
        number(query, "tailLines"),
        number(query, "limitBytes"),
        _age(query, now),
        flag(query, "timestamps"),
    )


def _yaml(body: bytes) -> Any:
    """YAML as JSON has it: times stay text. What is JSON already (kubectl sends it so) is read as such."""
    import yaml  # noqa: PLC0415 - most clients send JSON

    with suppress(orjson.JSONDecodeError):
        return orjson.loads(body)

    class Loader(yaml.SafeLoader):
        yaml_implicit_resolvers = {  # noqa: RUF012 - PyYAML's own way to say it
            first: [(tag, pattern) for tag, pattern in known if tag != "tag:yaml.org,2002:timestamp"]
            for first, known in yaml.SafeLoader.yaml_implicit_resolvers.items()
        }

    try:
        return yaml.load(body, Loader=Loader)  # noqa: S506 - a SafeLoader that knows fewer tags
    except yaml.YAMLError as e:
        raise errors.bad_request(f"error decoding YAML: {e}") from e


def decode(body: bytes, content_type: str) -> Any:
    """The body as JSON. Raises Refused: 400 when it cannot be read, 415 for a form that is not understood."""
    if not body:
        return None
    media = content_type.partition(";")[0].strip().lower()
    if media.endswith("yaml"):
        return _yaml(body)
    if media == protobuf.MEDIA_TYPE:
        return protobuf.decode(body)
    if media == "application/cbor":
        raise errors.unsupported_media(f"{media} is not served: send application/json", {})
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as e:
        raise errors.bad_request(f"the object provided is unrecognized (must be of type Object): {e}") from e
