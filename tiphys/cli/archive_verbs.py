"""The verbs on archived workflows: list, get, delete, retry, resubmit, and the labels they bear. (CLI-19)

A workflow is named by its uid or by its name; a name that several have is answered with their uids.
"""

from __future__ import annotations

import re
import secrets
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from actors.operations.resubmit import resubmit
from actors.operations.retry import retry
from runtime.api import Api, Gone
from runtime.objects import PODS, Object, Reference, reference
from tiphys.cli import nodes as status
from tiphys.cli import rerun, results, table, tree
from tiphys.cli.archive_place import Asked
from tiphys.cli.kinds import WORKFLOWS
from tiphys.cli.listing import lines
from tiphys.cli.problems import InputError
from tiphys.cli.rerun import Again, Rerun

if TYPE_CHECKING:
    from tiphys.cli.screen import Screen
    from tiphys.cli.verbs import After
    from tiphys.persistence.archive import Archive

NamedBy = Literal["", "name", "uid"]
"""How an argument is meant; empty: as it looks."""

UID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
CHUNK = 500
CELLS = 20


async def listed(archive: Archive, namespace: str, labels: str = "", chunk: int = 0) -> list[Object]:
    """All that a selector picks, newest first, read in chunks."""
    from tiphys.persistence.archive import Query  # noqa: PLC0415  (SQLAlchemy)

    found: list[Object] = []
    query, after = Query(namespace=namespace, labels=labels), None
    while True:
        page = await archive.page(query, chunk or CHUNK, after)
        found += page.items
        after = page.after
        if after is None:
            return found


async def list_(asked: Asked, labels: str, form: str, chunk: int) -> int:
    """Print the table, with namespaces and uids, or the workflows themselves."""
    found = await listed(asked.archive, asked.namespace, labels, chunk)
    if form in ("json", "yaml", "name"):
        results.write_list(found, form, sys.stdout)
        return 0
    shown = lines(found, time.time(), wide=True, everywhere=True)
    uids = ["UID", *(thing["metadata"]["uid"] for thing in found)]
    rows = [[line, uid] for line, uid in zip(shown, uids, strict=True)] if found else [shown]
    print("\n".join(table.aligned(rows)))
    return 0


async def get(asked: Asked, name: str, named_by: NamedBy, form: str) -> int:
    """Print one workflow."""
    thing = await asked.archive.get(await uid_of(asked, name, named_by))
    if form in ("json", "yaml"):
        results.write([thing], form, sys.stdout)
    else:
        print("\n".join(header(thing)))
    return 0


def header(thing: Object) -> list[str]:
    """The facts of an archived workflow, one a line; what is absent has no line."""
    meta, state = thing["metadata"], status.status_of(thing)
    spec = state.get("storedWorkflowTemplateSpec") or thing.get("spec") or {}
    facts = [
        ("Name", meta.get("name", "")),
        ("Namespace", meta.get("namespace", "")),
        ("ServiceAccount", spec.get("serviceAccountName") or "unset (will run with the default ServiceAccount)"),
        ("Status", status.phase_of(thing)),
        ("Message", status.text(state, "message")),
        ("Created", meta.get("creationTimestamp", "")),
        ("Started", status.text(state, "startedAt")),
        ("Finished", status.text(state, "finishedAt")),
        ("Duration", tree.took(state, time.time())),
    ]
    return [f"{label + ':':<{CELLS}} {tree.one_line(str(value))}" for label, value in facts if value]


async def delete(asked: Asked, names: Sequence[str], named_by: NamedBy) -> int:
    """Forget workflows; what is not there is refused."""
    for name in names:
        uid = await uid_of(asked, name, named_by)
        if not await asked.archive.delete(uid):
            raise InputError(f"archived workflow '{name}' not found")
        print(f"Archived workflow '{name}' deleted")
    return 0


async def label_keys(asked: Asked) -> int:
    """Print every label that an archived workflow bears."""
    for key in await asked.archive.label_keys():
        print(key)
    return 0


async def label_values(asked: Asked, key: str) -> int:
    """Print every value of a label."""
    for value in await asked.archive.label_values(key):
        print(value)
    return 0


async def uid_of(asked: Asked, name: str, named_by: NamedBy) -> str:
    """The uid that an argument means. Raises InputError for a name that none or several have."""
    if named_by == "uid" or (not named_by and UID.fullmatch(name)):
        return name
    from tiphys.persistence.archive import Query  # noqa: PLC0415  (SQLAlchemy)

    found = (await asked.archive.page(Query(namespace=asked.namespace, name=name), CHUNK)).items
    if not found:
        raise InputError(f"archived workflow '{name}' not found")
    if len(found) > 1:
        each = [
            f"  {thing['metadata']['uid']} (Created: {thing['metadata']['creationTimestamp']}, "
            f"Finished: {thing['status']['finishedAt']})"
            for thing in found
        ]
        told = [f"Multiple archived workflows found with name '{name}':", *each, "Please specify the UID."]
        raise InputError("\n".join(told))
    uid: str = found[0]["metadata"]["uid"]
    return uid


# --------------------------------------------------------------------------------------------- begun again


def retrying(archive: Archive, wish: Again) -> Rerun:
    """The verb `retry`: the workflow is made anew, and begins where it failed."""

    async def again(api: Api, ref: Reference) -> Object:
        try:
            await api.get(ref._replace(uid=""))
        except Gone:
            thing, pods = retry(
                await archive.get(ref.uid), time.time(), parameters=wish.parameters,
                restart_successful=wish.restart_successful, selector=wish.terms,
            )  # fmt: skip
            for name in pods:
                await rerun.without_pod(api, Reference(PODS, ref.namespace, name), ref.name)
            return await api.create(WORKFLOWS, _anew(thing))
        raise InputError(f"workflow {ref.name} is in the cluster still: tiphys retry {ref.name}")

    return again


def resubmitting(archive: Archive, wish: Again) -> Rerun:
    """The verb `resubmit`."""

    async def again(api: Api, ref: Reference) -> Object:
        suffix = "".join(secrets.choice(rerun.ALPHABET) for _ in range(5))
        made = resubmit(
            await archive.get(ref.uid), suffix, time.time(), memoized=wish.memoized, parameters=wish.parameters,
            priority=wish.priority,
        )  # fmt: skip
        return await api.create(WORKFLOWS, made)

    return again


def _anew(thing: Object) -> Object:
    """The object as it can be created: without what its server gave it."""
    given = ("uid", "resourceVersion", "generation", "creationTimestamp", "managedFields", "selfLink")
    meta = {key: value for key, value in thing["metadata"].items() if key not in given}
    return {**thing, "metadata": meta}


async def begun_again(
    asked: Asked, which: tuple[Sequence[str], NamedBy, str], again: Rerun, after: After, screen: Screen
) -> int:
    """Begin each anew that is named or that the selector picks, once."""
    assert asked.at is not None
    names, named_by, labels = which
    uids = [await uid_of(asked, name, named_by) for name in names]
    refs = [reference(WORKFLOWS, await asked.archive.get(uid)) for uid in uids]
    if labels:
        refs += [reference(WORKFLOWS, thing) for thing in await listed(asked.archive, asked.namespace, labels)]
    return await rerun.rerun(asked.at, list(dict.fromkeys(refs)), again, after, screen)
