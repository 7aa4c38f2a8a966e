"""The verbs on WorkflowTemplates and ClusterWorkflowTemplates in a cluster, the same for both. (CLI-18.)"""

from __future__ import annotations

import copy
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

from runtime.api import ApiError, Selection
from runtime.objects import Object, Reference, Resource
from tiphys.cli import results, show, table
from tiphys.cli.connect import Connection
from tiphys.cli.documents import Document
from tiphys.cli.problems import EXIT_SUCCEEDED, InputError, Problem
from tiphys.cli.selection import age

CELLS = 20  # of a label


def chosen(documents: Sequence[Document], resource: Resource, labels: Mapping[str, str]) -> list[Document]:
    """The documents of this kind, with these labels too; others are said and left alone. Raises InputError for none."""
    found = []
    for document in documents:
        if document.resource != resource:
            print(f"warning: {document.problem(f'left alone: it is no {resource.kind}')}", file=sys.stderr)
            continue
        thing = copy.deepcopy(document.object)
        if labels:
            thing["metadata"]["labels"] = {**(thing["metadata"].get("labels") or {}), **labels}
        found.append(document._replace(object=thing))
    if not found:
        raise InputError(f"No {resource.kind} found in given files")
    return found


async def write(at: Connection, documents: Sequence[Document], form: str, *, update: bool) -> int:
    """Create them, or replace those that are there, and print each. Raises InputError naming the one refused."""
    for document in documents:
        thing = copy.deepcopy(document.object)
        if document.resource.namespaced:
            thing["metadata"].setdefault("namespace", at.namespace)
        try:
            if update:
                there = await at.api.get(_reference(at, document.resource, str(thing["metadata"].get("name") or "")))
                thing["metadata"]["resourceVersion"] = there["metadata"]["resourceVersion"]
                written = await at.api.replace(document.resource, thing)
            else:
                written = await at.api.create(document.resource, thing)
        except ApiError as e:
            raise InputError(Problem(e.message, document.source, document.line, document.title)) from e
        _show(written, form)
    return EXIT_SUCCEEDED


async def get(at: Connection, resource: Resource, names: Sequence[str], form: str) -> int:
    """Print them."""
    for name in names:
        _show(await at.api.get(_reference(at, resource, name)), form)
    return EXIT_SUCCEEDED


async def list_(at: Connection, resource: Resource, selector: str, form: str, *, everywhere: bool) -> int:
    """Print those of the namespace, or of all; of cluster templates always all."""
    space = at.namespace if resource.namespaced and not everywhere else None
    found = (await at.api.list(resource, Selection(space, selector))).items
    if form in ("json", "yaml", "name"):
        results.write(found, form, sys.stdout)
        return EXIT_SUCCEEDED
    if not found:
        print(f"No {resource.kind} found")
        return EXIT_SUCCEEDED
    spaced = everywhere and resource.namespaced
    rows = [["NAMESPACE", "NAME"] if spaced else ["NAME"]]
    for thing in found:
        meta = thing["metadata"]
        rows.append([meta.get("namespace", ""), meta["name"]] if spaced else [meta["name"]])
    print("\n".join(table.aligned(rows)), flush=True)
    return EXIT_SUCCEEDED


async def delete(at: Connection, resource: Resource, names: Sequence[str], *, everything: bool) -> int:
    """Delete them. Raises Gone for one that is not there."""
    wanted = list(names)
    if everything:
        space = at.namespace if resource.namespaced else None
        wanted += [thing["metadata"]["name"] for thing in (await at.api.list(resource, Selection(space))).items]
    if not wanted:
        print("No resources found")
    for name in wanted:
        await at.api.delete(_reference(at, resource, name))
        print(f"{resource.kind} '{name}' deleted", flush=True)
    return EXIT_SUCCEEDED


def lines(thing: Object, now: float) -> list[str]:
    """What there is to say of a template in a few lines."""
    meta, spec = thing["metadata"], thing.get("spec") or {}
    facts = [
        ("Name", meta.get("name", "")),
        ("Namespace", meta.get("namespace", "")),
        ("Created", f"{meta.get('creationTimestamp', '')} ({age(meta.get('creationTimestamp'), now)} ago)"),
        ("Entrypoint", spec.get("entrypoint", "")),
        ("Templates", ", ".join(_names(spec.get("templates")))),
    ]
    return [f"{label + ':':<{CELLS}} {value}" for label, value in facts if value] + show.parameters(spec)


def _names(templates: Any) -> list[str]:
    return [str(template.get("name", "")) for template in templates or ()]


def _show(thing: Object, form: str) -> None:
    if form in ("json", "yaml", "name"):
        results.write([thing], form, sys.stdout)
    else:
        print("\n".join(lines(thing, time.time())), flush=True)


def _reference(at: Connection, resource: Resource, name: str) -> Reference:
    return Reference(resource, at.namespace if resource.namespaced else "", name)
