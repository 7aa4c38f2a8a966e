"""What the actions of a resource template do to the API server, one object at a time (RES-1..5)."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal, cast

import yaml

from runtime.api import AlreadyExists, Api, Gone, Propagation, Selection
from runtime.objects import Object, Reference, Resource
from tiphys.executor.resource_flags import Flags
from tiphys.executor.resource_kinds import Kinds

MANAGER = "tiphys-workflow"
GONE_POLL_S = 0.5
MERGE_STRATEGIES = ("strategic", "merge", "json")
_LETTERS, _PREFIX_MAX = "bcdfghjklmnpqrstvwxz2456789", 58
_CASCADES: dict[str, Propagation] = {"background": "Background", "foreground": "Foreground", "orphan": "Orphan"}


class BadManifest(ValueError):
    """The manifest cannot be acted upon; the message says what it lacks."""


@dataclass(frozen=True, slots=True)
class Target:
    """One object that is meant, with its manifest when there is one."""

    ref: Reference
    manifest: Object


@dataclass(frozen=True, slots=True)
class Order:
    """What the template asks for."""

    action: str
    namespace: str
    manifest: str
    flags: Flags
    merge_strategy: str = "strategic"
    owner: Mapping[str, Any] | None = None


async def targets(api: Api, kinds: Kinds, order: Order) -> list[Target]:
    """Which objects are meant: the manifest's, else those that the flags name or select.

    A generateName becomes a name here: a create that is repeated must mean the same object. Raises ApiError,
    BadManifest, UnknownKind."""
    if order.action == "patch" and order.merge_strategy not in MERGE_STRATEGIES:
        raise BadManifest(f'--type must be one of [json merge strategic], not "{order.merge_strategy}"')
    documents = [] if _manifest_is_patch(order) else documents_in(order.manifest)
    if documents:
        return [_of_document(kinds, order, document) for document in documents]
    found = []
    for word, name in order.flags.targets:
        resource = kinds.of_name(word)
        namespace = order.flags.namespace or order.namespace
        if name:
            found.append(Target(_reference(resource, namespace, name), {}))
        elif order.flags.selector or order.flags.fields or order.flags.all:
            chosen = Selection(namespace if resource.namespaced else None, order.flags.selector, order.flags.fields)
            listed = await api.list(resource, chosen)
            found += [Target(_reference(resource, namespace, item["metadata"]["name"]), {}) for item in listed.items]
        else:
            raise BadManifest(f"resource.flags: {word!r} needs a name, a --selector or --all")
    if not order.flags.targets:
        raise BadManifest("Must provide at least one of flags or manifest.")
    return found


def documents_in(text: str) -> list[Object]:
    """The objects of a manifest; the items of a List count one by one. Raises BadManifest."""
    try:
        documents = _loaded(text)
    except yaml.YAMLError as error:
        raise BadManifest(f"resource.manifest is not YAML: {' '.join(str(error).split())}") from error
    objects: list[Object] = []
    for document in documents:
        if not isinstance(document, dict) or not document.get("kind") or not document.get("apiVersion"):
            raise BadManifest("resource.manifest: an object with apiVersion and kind is needed")
        objects += document["items"] if document["kind"] == "List" else [document]
    return objects


def _loaded(text: str) -> list[Any]:
    if text.lstrip().startswith("{"):
        with suppress(ValueError):  # JSON escapes characters beyond 16 bits as pairs, which YAML does not put together
            return [json.loads(text)]
    return [document for document in yaml.safe_load_all(text) if document is not None]


# ------------------------------------------------------------------------------------------------ one object


async def perform(api: Api, order: Order, target: Target, again: bool) -> Object | None:
    """Do it to one object; the object as it is now, None after a delete. Raises ApiError, BadManifest.

    `again`: the outcome of an earlier try is unknown, so an object that is there already may be its work."""
    ref, thing = target.ref, _owned(target.manifest, order.owner)
    match order.action:
        case "get":
            return await _get(api, order, ref)
        case "create":
            return await _create(api, ref, thing, again=again)
        case "apply":
            return await api.patch(ref, thing, kind="apply", manager=order.flags.manager or MANAGER)
        case "replace":
            live = await api.get(ref)
            meta = {**thing["metadata"], "resourceVersion": live["metadata"]["resourceVersion"]}
            return await api.replace(ref.resource, {**thing, "metadata": meta})
        case "patch":
            body = yaml.safe_load(order.manifest) if _manifest_is_patch(order) else thing
            kind = cast(Literal["json", "merge", "strategic"], order.merge_strategy)
            return await api.patch(ref, body, kind=kind, manager=order.flags.manager)
        case _:
            await _delete(api, order, ref)
            return None


async def _create(api: Api, ref: Reference, thing: Object, *, again: bool) -> Object:
    try:
        return await api.create(ref.resource, thing)
    except AlreadyExists:
        if again:
            return await api.get(ref)
        raise


async def _get(api: Api, order: Order, ref: Reference) -> Object | None:
    try:
        return await api.get(ref)
    except Gone:
        if order.flags.ignore_absent:
            return None
        raise


async def _delete(api: Api, order: Order, ref: Reference) -> None:
    """Delete and, as kubectl does, wait until it is really gone. An absent object is what was wanted."""
    cascade = _CASCADES.get(order.flags.cascade.lower(), "Background")
    try:
        await api.delete(ref, grace_s=order.flags.grace_s, propagation=cascade)
        while order.flags.wait:
            await api.get(ref)
            await asyncio.sleep(GONE_POLL_S)
    except Gone:
        return


def _of_document(kinds: Kinds, order: Order, document: Object) -> Target:
    resource = kinds.of_kind(str(document["apiVersion"]), str(document["kind"]))
    meta = dict(document.get("metadata") or {})
    if resource.namespaced:
        meta["namespace"] = meta.get("namespace") or order.flags.namespace or order.namespace
    name = str(meta.get("name") or "")
    if not name and order.action == "create" and meta.get("generateName"):
        meta["name"] = name = _generated(str(meta["generateName"]))
    if not name:
        raise BadManifest(f"resource.manifest: {resource.kind} has no metadata.name")
    return Target(_reference(resource, meta.get("namespace", ""), name), {**document, "metadata": meta})


def _generated(prefix: str) -> str:
    """A name as the API server would make one."""
    return prefix[:_PREFIX_MAX] + "".join(secrets.choice(_LETTERS) for _ in range(5))


def _reference(resource: Resource, namespace: str, name: str) -> Reference:
    return Reference(resource, namespace if resource.namespaced else "", name)


def _owned(manifest: Object, owner: Mapping[str, Any] | None) -> Object:
    """The manifest with the workflow as its controller (RES-5)."""
    if owner is None or not manifest:
        return manifest
    meta = manifest["metadata"]
    reference = {**owner, "controller": True, "blockOwnerDeletion": True}
    return {**manifest, "metadata": {**meta, "ownerReferences": [*(meta.get("ownerReferences") or ()), reference]}}


def _manifest_is_patch(order: Order) -> bool:
    """Whether the manifest is a patch without an identity of its own: the flags say what it is for (RES-3)."""
    return order.action == "patch" and (order.merge_strategy == "json" or bool(order.flags.targets))
