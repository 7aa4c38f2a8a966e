"""Documents become objects: what workflows refer to first, the workflows after it.

What exists already is replaced when it is a definition (a template, a ConfigMap), and is an error when it is a
workflow: nobody's run is touched by another one's file.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import NamedTuple

from runtime.api import AlreadyExists, Api, ApiError, Gone
from runtime.objects import NAMESPACES, Object, Reference
from tiphys.cli.documents import Document
from tiphys.cli.overrides import Overrides, applied
from tiphys.cli.problems import InputError, Problem


class Creation(NamedTuple):
    """Where objects go when their file does not say, and what the command line changes on workflows."""

    namespace: str
    overrides: Overrides = Overrides()
    dry_run: bool = False


def in_order(documents: Iterable[Document]) -> list[Document]:
    """Namespaces, then everything else, then the workflows; as given within each."""
    rank = {"Namespace": 0, "Workflow": 2}
    return sorted(documents, key=lambda document: rank.get(document.resource.kind, 1))


def prepared(document: Document, creation: Creation) -> Object:
    """The object as it is sent: in its namespace and, for a workflow, with the overrides."""
    thing = applied(document.object, creation.overrides) if document.is_workflow else copy.deepcopy(document.object)
    if document.resource.namespaced:
        thing["metadata"].setdefault("namespace", creation.namespace)
    return thing


async def create_namespaces(api: Api, documents: Iterable[Document], creation: Creation) -> None:
    """Create the namespaces that documents live in and that are neither there nor among them: for a cluster that is
    new, where nobody else could have made them."""
    documents = list(documents)
    wanted = {prepared(document, creation)["metadata"].get("namespace", "") for document in documents}
    given = {document.object["metadata"].get("name") for document in documents if document.resource == NAMESPACES}
    for name in sorted(wanted - given - {""}):
        try:
            await api.create(NAMESPACES, {"metadata": {"name": name}})
        except AlreadyExists:
            continue


async def create_all(api: Api, documents: Iterable[Document], creation: Creation) -> list[Object]:
    """Create every document; returns the workflows as created. Raises InputError naming the one that was refused."""
    workflows = []
    for document in in_order(documents):
        thing = prepared(document, creation)
        try:
            created = await _create(api, document, thing, dry_run=creation.dry_run)
        except ApiError as e:
            raise InputError(Problem(e.message, document.source, document.line, document.title)) from e
        if document.is_workflow:
            workflows.append(created)
    return workflows


async def _create(api: Api, document: Document, thing: Object, *, dry_run: bool) -> Object:
    try:
        return await api.create(document.resource, thing, dry_run=dry_run)
    except AlreadyExists:
        if document.is_workflow or dry_run:
            raise
    meta = thing["metadata"]
    ref = Reference(document.resource, meta.get("namespace", ""), meta["name"])
    try:
        current = await api.get(ref)
    except Gone:  # deleted since: the name is free again
        return await api.create(document.resource, thing)
    thing["metadata"]["resourceVersion"] = current["metadata"]["resourceVersion"]
    return await api.replace(document.resource, thing)
