"""A request that is not a stream gets one JSON document: here verbs meet paths, bodies and output forms."""

from __future__ import annotations

from typing import Any, NamedTuple

import orjson

from runtime.objects import Object
from tiphys.devcluster import errors, eviction, patches, query, reviews, subresources, table
from tiphys.devcluster.apply import apply
from tiphys.devcluster.kinds import Kind
from tiphys.devcluster.rest import Page, Written
from tiphys.devcluster.routes import Target
from tiphys.devcluster.server import ApiServer
from tiphys.devcluster.storage import Record

JSON = "application/json"
BUDGETS = ("policy/v1", "poddisruptionbudgets")
RETURNED = frozenset(  # of these a deletion answers with the object, of all others with a Status
    (
        "Namespace",
        "PersistentVolume",
        "PersistentVolumeClaim",
        "Pod",
        "PodTemplate",
        "ResourceQuota",
        "Service",
        "ServiceAccount",
        "StorageClass",
    )
)


class Call(NamedTuple):
    """One request, decoded."""

    method: str
    target: Target
    query: query.Query
    body: Any = None
    content_type: str = ""
    accept: str = ""
    agent: str = ""

    @property
    def form(self) -> str:
        """The output form asked for: Table, PartialObjectMetadata(List), or empty."""
        for part in self.accept.split(","):
            words = [word.strip() for word in part.split(";")]
            if words[0] not in (JSON, "*/*"):
                continue
            wanted = next((word.removeprefix("as=") for word in words if word.startswith("as=")), "")
            if wanted in ("", "Table", "PartialObjectMetadata", "PartialObjectMetadataList"):
                return wanted
        return ""


class Answer(NamedTuple):
    """Status code, JSON, and what to warn of."""

    code: int
    body: bytes
    warnings: tuple[str, ...] = ()


def answer(server: ApiServer, call: Call) -> Answer:
    """Do what the request asks. Raises runtime.api errors."""
    target = call.target
    if target.subresource and target.subresource not in ("status", "finalize"):
        return _subresource(server, call)
    if target.subresource == "status" and not target.kind.has_status:
        raise errors.no_such_path()
    if not target.name:
        return _collection(server, call)
    if call.method == "GET":
        return Answer(200, _one(server, call, server.rest.read(target.kind, *target.key)))
    if call.method in ("PUT", "PATCH"):
        return _write(server, call)
    if call.method == "DELETE":
        return _delete(server, call)
    raise _not_allowed()


def _not_allowed() -> Exception:
    message = "the server does not allow this method on the requested resource"
    return errors.failure(405, "MethodNotAllowed", message, {})


# ------------------------------------------------------------------------------------------------ output


def _one(server: ApiServer, call: Call, record: Record) -> bytes:
    if call.form == "Table":
        kind, thing = call.target.kind, record.object
        made = table.rows(kind, [thing], server.now(), call.query.get("includeObject", "Metadata"))
        version = thing["metadata"].get("resourceVersion", "")
        return orjson.dumps(table.table(kind, made, {"resourceVersion": version}))
    if call.form == "PartialObjectMetadata":
        return orjson.dumps(table.partial(record.object))
    return record.json


def _many(server: ApiServer, call: Call, page: Page) -> bytes:
    kind = call.target.kind
    meta: Object = {"resourceVersion": str(page.version)}
    if page.continue_:
        meta["continue"] = page.continue_
    if page.remaining is not None:
        meta["remainingItemCount"] = page.remaining
    if not call.form:
        return _plain_list(kind, page, meta)
    things = [record.object for record in page.records]
    if call.form == "Table":
        made = table.rows(kind, things, server.now(), call.query.get("includeObject", "Metadata"))
        return orjson.dumps(table.table(kind, made, meta))
    head = {"kind": "PartialObjectMetadataList", "apiVersion": table.META, "metadata": meta}
    return orjson.dumps({**head, "items": [table.partial(thing) for thing in things]})


def _plain_list(kind: Kind, page: Page, meta: Object) -> bytes:
    """The stored JSON of each, joined: built-in kinds without the type that the list says once."""
    if kind.custom:
        meta.setdefault("continue", "")
    head = {"kind": kind.list_kind_name, "apiVersion": kind.resource.api_version, "metadata": meta}
    text = orjson.dumps(head)[:-1]
    if kind.custom:
        return text + b',"items":[' + b",".join([record.json for record in page.records]) + b"]}"
    typed = orjson.dumps({"apiVersion": kind.resource.api_version, "kind": kind.resource.kind})[:-1] + b","
    return text + b',"items":[' + b",".join([_untyped(record, typed) for record in page.records]) + b"]}"


def _untyped(record: Record, typed: bytes) -> bytes:
    if record.json.startswith(typed):  # the usual order
        return b"{" + record.json[len(typed) :]
    bare = {name: value for name, value in record.object.items() if name not in ("apiVersion", "kind")}
    return orjson.dumps(bare)


def _written(server: ApiServer, call: Call, written: Written) -> Answer:
    warnings = tuple(f'unknown field "{path}"' for path in written.dropped)
    if call.query.get("fieldValidation") == "Ignore":
        warnings = ()
    warnings += tuple(call.target.kind.remarks(written.record.object))
    return Answer(201 if written.created else 200, _one(server, call, written.record), warnings)


# ------------------------------------------------------------------------------------------------ verbs


def check_version(server: ApiServer, call: Call) -> None:
    """Refuse to answer as of a version that is not there yet (504), as a lagging replica would."""
    wanted = query.version(call.query)
    current = server.storage.version
    if wanted is not None and wanted > current:
        cause = {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
        message = f"Timeout: Too large resource version: {wanted}, current: {current}"
        raise errors.failure(504, "Timeout", message, {"causes": [cause], "retryAfterSeconds": 1})


def _collection(server: ApiServer, call: Call) -> Answer:
    target, q = call.target, call.query
    rest, kind = server.rest, target.kind
    if call.method == "POST":
        if kind.resource.namespaced and target.namespace is None:
            raise _not_allowed()
        options = query.write_options(q, call.agent, verb="Create")
        written = rest.create(kind, target.namespace or "", call.body, options)
        return _written(server, call, written)
    selection = target.selection(q.get("labelSelector", ""), q.get("fieldSelector", ""))
    if call.method == "GET":
        check_version(server, call)
        limit, token, at = query.number(q, "limit") or 0, q.get("continue", ""), query.exact_version(q)
        page = rest.list(kind, selection, limit=limit, continue_=token, at=at)
        return Answer(200, _many(server, call, page))
    if call.method == "DELETE":
        page = rest.delete_collection(kind, selection, query.delete_options(q, call.body))
        return Answer(200, _many(server, call, page))
    raise _not_allowed()


def _write(server: ApiServer, call: Call) -> Answer:
    target = call.target
    if target.subresource == "finalize":
        return Answer(200, subresources.finalize(server.rest, target.kind, target.key, call.body or {}).json)
    if call.method == "PUT":
        options = query.write_options(call.query, call.agent, target.subresource)
        return _written(server, call, server.rest.update(target.kind, target.key, call.body, options))
    return _written(server, call, _patched(server, call))


def _patched(server: ApiServer, call: Call) -> Written:
    target = call.target
    kind = patches.MEDIA_TYPES.get(call.content_type.partition(";")[0].strip())
    if kind is None:
        raise errors.unsupported_media("415: Unsupported Media Type", {})
    is_apply = kind == "apply"
    options = query.write_options(call.query, call.agent, target.subresource, verb="Patch", is_apply=is_apply)
    if is_apply:
        return apply(server.rest, target.kind, target.key, call.body, options)
    return server.rest.patch(target.kind, target.key, call.body, kind, options)


def _delete(server: ApiServer, call: Call) -> Answer:
    kind, key = call.target.kind, call.target.key
    uid = server.rest.read(kind, *key).object["metadata"]["uid"]
    record, gone = server.rest.delete(kind, key, query.delete_options(call.query, call.body))
    if not gone or (kind.resource.kind in RETURNED and not kind.custom):
        return Answer(200, _one(server, call, record))
    details: Object = {"name": key[1], "kind": kind.resource.plural, "uid": uid}
    if kind.resource.group:
        details["group"] = kind.resource.group
    return Answer(200, orjson.dumps(errors.success(details)))


def _subresource(server: ApiServer, call: Call) -> Answer:
    target, rest = call.target, server.rest
    kind, key, name = target.kind, target.key, target.subresource
    if name == "scale" and kind.scale is not None:
        return Answer(200, orjson.dumps(_scale(server, call)))
    body = call.body if isinstance(call.body, dict) else {}
    if name == "bindings" and not target.name and call.method == "POST":
        key, name = subresources.bound(target.namespace or "", body), "binding"
    if name not in kind.subresources or call.method != "POST":
        raise errors.no_such_path()
    if name == "binding":
        return Answer(201, orjson.dumps(subresources.bind(rest, kind, key, body)))
    if name == "eviction":
        budgets = server.catalog.find(*BUDGETS)
        assert budgets is not None
        eviction.check_name(key, body)
        options = query.delete_options(call.query, body.get("deleteOptions"))
        return Answer(201, orjson.dumps(eviction.evict(rest, key, options, kind, budgets)))
    if name == "token":
        return Answer(201, orjson.dumps(reviews.token(server, rest.read(kind, *key).object, body)))
    raise errors.no_such_path()


def _scale(server: ApiServer, call: Call) -> Object:
    kind, key, rest = call.target.kind, call.target.key, server.rest
    if call.method == "PUT":
        return subresources.write_scale(rest, kind, key, call.body if isinstance(call.body, dict) else {})
    if call.method == "PATCH":
        patch = patches.MEDIA_TYPES.get(call.content_type.partition(";")[0].strip(), "merge")
        return subresources.patch_scale(rest, kind, key, call.body, patch)
    return subresources.read_scale(rest, kind, key)
