"""The verbs, as plain functions: a request that is right changes the store, one that is wrong raises its Status.

Nothing here waits. Bodies passed in belong to the server from then on; records returned are frozen.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any, NamedTuple, Protocol

import orjson

from runtime.api import PatchType, Selection
from runtime.objects import Object
from tiphys.devcluster import deletion, errors, fields, metadata, patches, shapes
from tiphys.devcluster.deletion import DeleteOptions
from tiphys.devcluster.fields import Owner
from tiphys.devcluster.granularity import parts_of
from tiphys.devcluster.kinds import Kind
from tiphys.devcluster.metadata import Source
from tiphys.devcluster.selectors import matcher
from tiphys.devcluster.storage import Bucket, Key, Record, Storage, Watcher

NAMESPACES = ("", "namespaces")
DEFINITIONS = ("apiextensions.k8s.io", "customresourcedefinitions")


class WriteOptions(NamedTuple):
    """What a write request says besides its body."""

    dry_run: bool = False
    strict: bool = False  # fieldValidation=Strict: unknown fields are an error, not dropped
    manager: str = ""
    force: bool = False  # of a server-side apply: take over what others own
    subresource: str = ""  # "status" or none
    managed: list[Object] | None = None  # metadata.managedFields as an apply computed them


class Written(NamedTuple):
    """The object as stored, whether this write created it, and the paths that were dropped as unknown."""

    record: Record
    created: bool = False
    dropped: tuple[str, ...] = ()


class Page(NamedTuple):
    """One page of a list."""

    records: list[Record]
    version: int
    continue_: str = ""
    remaining: int | None = None


class Admission(Protocol):
    """Who has a say in what is created, besides its kind."""

    def complete(self, kind: Kind, thing: Object) -> None:
        """Fill in, in place, what others say of a new object. Raises Refused."""
        ...

    def allow(self, kind: Kind, thing: Object) -> None:
        """Raise Refused when others leave no room for a new object that is right by itself."""
        ...


class Rest:
    """Create, read, update and delete on one store."""

    def __init__(self, storage: Storage, source: Source) -> None:
        self.storage = storage
        self.source = source
        self.admission: Admission | None = None

    # -------------------------------------------------------------------------------------------- reading

    def bucket(self, kind: Kind) -> Bucket:
        """Where objects of the kind (in any version) are stored."""
        return self.storage.bucket(kind.resource.group, kind.resource.plural)

    def read(self, kind: Kind, namespace: str, name: str) -> Record:
        """The stored object. Raises Gone."""
        key = (namespace if kind.resource.namespaced else "", name)
        record = self.bucket(kind).records.get(key)
        if record is None:
            raise errors.not_found(kind.resource, name)
        return in_version(kind, record)

    def list(
        self, kind: Kind, selection: Selection, *, limit: int = 0, continue_: str = "", at: int | None = None
    ) -> Page:
        """The objects of a selection, by namespace and name; with a limit, a page as of the first page's version.

        `at`: as they were at that version. Raises Expired when that is no longer known."""
        matches = matcher(selection.labels, selection.fields, kind.selectable, kind.found_at)
        namespace = selection.namespace if kind.resource.namespaced else None
        bucket = self.bucket(kind)
        version, after = self.storage.version, None
        if continue_:
            version, after = _read_token(continue_)
            found = bucket.as_of(version, namespace, after)
        elif at is not None:
            version, found = (
                at,
                bucket.as_of(at, namespace, why="The resourceVersion for the provided list is too old."),
            )
        else:
            found = list(bucket.in_order(namespace))
        if matches is not None:
            found = [record for record in found if matches(record.object)]
        token, remaining = "", None
        if limit and len(found) > limit:
            remaining = len(found) - limit if matches is None else None
            found = found[:limit]
            token = _token(version, found[-1].key)
        return Page([in_version(kind, record) for record in found], version, token, remaining)

    def watch(self, kind: Kind, selection: Selection, since: int | None) -> Watcher:
        """A queue of what changes after `since`; None: what is there first. Raises Expired."""
        matches = matcher(selection.labels, selection.fields, kind.selectable, kind.found_at)
        namespace = selection.namespace if kind.resource.namespaced else None
        return self.storage.watch(self.bucket(kind), namespace, matches, since)

    # -------------------------------------------------------------------------------------------- writing

    def create(self, kind: Kind, namespace: str, thing: Object, options: WriteOptions = WriteOptions()) -> Written:
        """Store a new object. Raises AlreadyExists, Refused (400, 403, 422), Gone when the namespace is not there."""
        if kind.is_ending:
            why = "create not allowed while custom resource definition is terminating"
            raise errors.failure(
                405, "MethodNotAllowed", why, {"group": kind.resource.group, "kind": kind.resource.plural}
            )
        metadata.check_type(kind, thing)
        metadata.check_namespace(kind, thing, namespace)
        self._check_room(kind, namespace, thing)
        dropped = self._prune(kind, thing, options)
        with shapes.checked(kind, thing):
            self._begin(kind, thing, options)
        bucket = self.bucket(kind)
        meta = thing["metadata"]
        if (meta.get("namespace", ""), meta["name"]) in bucket.records:
            raise errors.already_exists(kind.resource, meta["name"])
        if options.dry_run:
            return Written(Record(thing, 0), created=True, dropped=dropped)
        return Written(self.storage.put(bucket, thing), created=True, dropped=dropped)

    def _begin(self, kind: Kind, thing: Object, options: WriteOptions) -> None:
        """Make an object ready to be stored for the first time: in place, or Refused."""
        records, namespace = self.bucket(kind).records, thing["metadata"].get("namespace", "")
        metadata.begin(kind, thing, self.source, lambda name: (namespace, name) in records)
        if options.managed:
            thing["metadata"]["managedFields"] = options.managed
        if (kind.custom and kind.has_status) or (
            kind.has_status and kind.resource.kind not in ("Node", "Namespace", "PersistentVolumeClaim")
        ):
            thing.pop("status", None)
        if self.admission is None:
            self._settle(kind, thing, None)
            return
        self.admission.complete(kind, thing)
        self._settle(kind, thing, None)
        self.admission.allow(kind, thing)

    def update(self, kind: Kind, key: Key, thing: Object, options: WriteOptions = WriteOptions()) -> Written:
        """Replace the object at `key`. Raises Gone, Conflict, Refused."""
        namespace, name = key
        metadata.check_type(kind, thing)
        metadata.check_namespace(kind, thing, namespace)
        sent = thing["metadata"].get("name")
        if sent != name:
            raise errors.bad_request(
                f"the name of the object ({sent or ''}) does not match the name on the URL ({name})"
            )
        current = self.read(kind, namespace, name)
        if kind.custom and not thing["metadata"].get("resourceVersion"):
            cause = errors.invalid_value("metadata.resourceVersion", "0", "must be specified for an update")
            raise errors.invalid(kind.resource.plural, kind.resource.group, name, [cause])
        dropped = self._prune(kind, thing, options)
        return self._replace(kind, current, thing, options)._replace(dropped=dropped)

    def patch(
        self, kind: Kind, key: Key, body: Any, patch: PatchType, options: WriteOptions = WriteOptions()
    ) -> Written:
        """Patch the object at `key` (not apply). Raises Gone, Conflict, Refused."""
        current = self.read(kind, *key)
        thing = {**patches.apply_patch(patch, current.object, body, custom=kind.custom)}
        # the rest is shared with what is stored: nothing below changes there, as that is defaulted and pruned already
        thing["metadata"] = orjson.loads(orjson.dumps(thing.get("metadata")))
        metadata.check_type(kind, thing)
        if thing["metadata"].get("name") != key[1]:
            raise errors.bad_request("the name of the object does not match the name on the URL")
        metadata.check_namespace(kind, thing, key[0])
        with patches.judged(patch, body, thing):
            is_whole = kind.custom
            dropped = self._prune(kind, thing, options) if is_whole else self._prune_news(kind, thing, current, options)
        return self._replace(kind, current, thing, options)._replace(dropped=dropped)

    def delete(self, kind: Kind, key: Key, options: DeleteOptions = DeleteOptions()) -> tuple[Record, bool]:
        """Delete the object at `key`: its last state, and whether it is out of the store now. Raises Gone, Conflict."""
        current = self.read(kind, *key)
        deletion.check_preconditions(kind, current.object, options)
        thing = deletion.marked(kind, current.object, options, self.source.now())
        if self._has_objects(kind, thing) and "deletionTimestamp" not in current.object["metadata"]:
            thing = deletion.cleaning(thing, self.source.now())
        gone = deletion.may_go(kind, thing)
        if options.dry_run:
            return Record(thing, current.version), gone
        bucket = self.bucket(kind)
        if gone:
            if kind.resource.kind == "Pod" and thing != current.object:  # it ends gracefully, if only for a moment
                current = self.storage.put(bucket, thing)
            self.storage.remove(bucket, bucket.records[current.key])  # watchers see what was stored: others unmarked
            return Record(thing, current.version), True
        if thing == current.object:
            return current, False
        return self.storage.put(bucket, thing), False

    def delete_collection(self, kind: Kind, selection: Selection, options: DeleteOptions) -> Page:
        """Delete all of a selection; the list is as it was before."""
        page = self.list(kind, selection)
        for record in page.records:
            self.delete(kind, record.key, options)
        return page

    # -------------------------------------------------------------------------------------------- parts

    def _has_objects(self, kind: Kind, thing: Object) -> bool:
        """True for a definition of a kind of which there are objects."""
        if (kind.resource.group, kind.resource.plural) != DEFINITIONS:
            return False
        bucket = self.storage.buckets.get((thing["spec"]["group"], thing["spec"]["names"]["plural"]))
        return bucket is not None and bool(bucket.records)

    def _check_room(self, kind: Kind, namespace: str, thing: Object) -> None:
        if not kind.resource.namespaced:
            return
        found = self.storage.bucket(*NAMESPACES).records.get(("", namespace))
        if found is None:
            details = {"name": namespace, "kind": "namespaces"}
            raise errors.failure(404, "NotFound", f'namespaces "{namespace}" not found', details)
        if "deletionTimestamp" in found.object["metadata"]:
            why = f"unable to create new content in namespace {namespace} because it is being terminated"
            cause = {"reason": "NamespaceTerminating", "message": f"namespace {namespace} is being terminated"}
            name = thing["metadata"].get("name") or ""
            raise errors.forbidden(kind.resource, name, why, [{**cause, "field": "metadata.namespace"}])

    def _prune(self, kind: Kind, thing: Object, options: WriteOptions) -> tuple[str, ...]:
        dropped = tuple(kind.prune(thing))
        if dropped and options.strict:
            shown = ", ".join(f'unknown field "{path}"' for path in dropped)
            resource = kind.resource
            raise errors.bad_request(
                f'{resource.kind} in version "{resource.version}" cannot be handled as a {resource.kind}: '
                f"strict decoding error: {shown}"
            )
        return dropped

    def _prune_news(self, kind: Kind, thing: Object, current: Record, options: WriteOptions) -> tuple[str, ...]:
        """Prune what a patch has changed: the rest was pruned when it was stored, and built-in kinds do not change."""
        stored = current.object
        news = {name: part for name, part in thing.items() if part is not stored.get(name)}
        names = tuple(news)
        dropped = self._prune(kind, news, options)
        for name in names:
            if name not in news:
                del thing[name]
            else:
                thing[name] = news[name]
        return dropped

    def _settle(self, kind: Kind, thing: Object, old: Object | None) -> None:
        """Defaults and validation: in place, or Refused."""
        faults = metadata.faults(kind, thing) if old is None else _metadata_faults(kind, thing, old)
        if not faults or thing["metadata"].get("name"):
            kind.default(thing)
            faults += kind.validate(thing, old)
        if faults:
            name = str(thing["metadata"].get("name") or "")
            raise errors.invalid(kind.resource.kind, kind.resource.group, name, faults)

    def _own(self, kind: Kind, thing: Object, old: Object, options: WriteOptions) -> None:
        """Write down who owns which fields, if anybody has ever applied the object."""
        meta = thing["metadata"]
        sent, known = meta.pop("managedFields", None), old["metadata"].get("managedFields")
        if options.managed is not None:
            meta["managedFields"] = options.managed
        elif known and sent in ([], [{}]):
            return  # a client's way to forget all owners
        elif known and sent != known and fields.are_owners(sent):
            meta["managedFields"] = sent  # kubectl takes over what it has applied in its older way
        elif known:
            writer = Owner(options.manager or "unknown", "Update", options.subresource)
            owners = fields.owners_of(old)
            after = fields.after_update(owners, writer, thing, old, parts_of(kind))
            now = metadata.stamp(self.source.now())
            meta["managedFields"] = (
                old["metadata"]["managedFields"]
                if after == {writer: fields.EMPTY, **owners}
                else fields.managed_fields(after, kind.resource.api_version, now)
            )

    def _replace(self, kind: Kind, current: Record, thing: Object, options: WriteOptions) -> Written:
        old = current.object
        metadata.check_replacement(kind, thing, old)
        if options.subresource == "status":
            thing = _only_status(kind, thing, old)
        elif kind.has_status:
            _keep(thing, old, "status")
        with shapes.checked(kind, thing):
            faults = metadata.carry_over(kind, thing, old)
            if faults:
                raise errors.invalid(kind.resource.kind, kind.resource.group, current.key[1], faults)
            self._settle(kind, thing, old)
        metadata.count_generation(kind, thing, old)
        self._own(kind, thing, old, options)
        if thing == old:
            return Written(current)
        return self.store(kind, current, thing, dry_run=options.dry_run)

    def store(self, kind: Kind, current: Record, thing: Object, *, dry_run: bool = False) -> Written:
        """Store a finished successor of `current`; an object marked for deletion that nothing holds is taken out."""
        if dry_run:
            return Written(Record(thing, current.version))
        bucket = self.bucket(kind)
        if deletion.may_go(kind, thing):
            self.storage.remove(bucket, bucket.records[current.key])  # as upstream: this last change is not stored
            return Written(Record(thing, current.version))
        return Written(self.storage.put(bucket, thing))


def _metadata_faults(kind: Kind, thing: Object, old: Object) -> list[errors.Cause]:
    meta, stored = thing["metadata"], old["metadata"]
    changed = any(meta.get(f) != stored.get(f) for f in ("labels", "annotations", "ownerReferences"))
    return metadata.faults(kind, thing) if changed else []


def _keep(thing: Object, old: Object, field: str) -> None:
    if field in old:
        thing[field] = old[field]
    else:
        thing.pop(field, None)


def _only_status(kind: Kind, thing: Object, old: Object) -> Object:
    """The old object with the new status; built-in kinds let labels and annotations travel with it."""
    meta = {**old["metadata"]}
    if not kind.custom:
        meta = {**thing["metadata"], "finalizers": old["metadata"].get("finalizers")}
        meta["ownerReferences"] = old["metadata"].get("ownerReferences")
    result = {**old, "metadata": meta}
    _keep(result, thing, "status")
    if kind.resource.kind == "Pod" and isinstance(result.get("status"), dict):
        result["status"].setdefault("qosClass", (old.get("status") or {}).get("qosClass", "BestEffort"))
    return result


def in_version(kind: Kind, record: Record) -> Record:
    """The record as this version of the kind shows it."""
    if record.api_version == kind.resource.api_version:
        return record
    return Record(kind.in_version(record.object), record.version)


def _token(version: int, key: Key) -> str:
    return base64.urlsafe_b64encode(orjson.dumps({"v": version, "after": list(key)})).decode().rstrip("=")


def _read_token(token: str) -> tuple[int, Key]:
    raw = b""
    try:
        raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
        content = orjson.loads(raw)
        namespace, name = content["after"]
        return int(content["v"]), (str(namespace), str(name))
    except (binascii.Error, ValueError, KeyError, TypeError) as e:
        first = chr(raw[0]) if raw else ""
        quoted = first if first.isprintable() else f"\\u{ord(first):04x}"
        raise errors.bad_request(
            "invalid continue token: continue key is not valid: "
            f"invalid character '{quoted}' looking for beginning of value"
        ) from e
