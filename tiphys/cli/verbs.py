"""The verbs on workflows that are in a cluster: submit, get, list, watch, logs, wait, delete, and the four that steer.

Each takes a connection and plain values, prints what upstream's client prints, and returns the exit code.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final, NamedTuple

from actors.names import timestamps
from runtime.api import ApiError, Gone
from runtime.objects import Object, Reference, reference
from tiphys.cli import control, listing, logs, results, selection, show
from tiphys.cli import nodes as status
from tiphys.cli.connect import Connection
from tiphys.cli.creation import Creation, create_all, prepared
from tiphys.cli.documents import Document
from tiphys.cli.execution import Execution
from tiphys.cli.kinds import WORKFLOWS
from tiphys.cli.live import Silent, display_on
from tiphys.cli.nodeselector import Term
from tiphys.cli.offloaded import plain
from tiphys.cli.problems import EXIT_FAILED, EXIT_SUCCEEDED, InputError
from tiphys.cli.screen import Screen
from tiphys.cli.selected import Selected
from tiphys.cli.selection import Filter

GO_TIME: Final = "%Y-%m-%d %H:%M:%S +0000 UTC"
"""How Go prints a time."""


class After(NamedTuple):
    """What `submit` does when the workflows are there."""

    output: str = ""
    wait: bool = False
    watch: bool = False
    log: bool = False
    terms: Sequence[Term] = ()  # which nodes are shown; of all of them without


async def submit(
    at: Connection, documents: Sequence[Document], creation: Creation, after: After, screen: Screen
) -> int:
    """Create the documents; then print, wait, watch or show logs."""
    workflows = await create_all(at.api, documents, creation)
    if after.output in ("json", "yaml", "name"):
        results.write(workflows, after.output, sys.stdout)
    elif not (after.watch or after.log or after.wait):
        for workflow in workflows:
            _print(show.workflow(workflow, time.time(), screen, after.output))
    return await follow(at, [reference(WORKFLOWS, workflow) for workflow in workflows], after, screen)


def would_submit(documents: Sequence[Document], creation: Creation, form: str) -> int:
    """Print the workflows as they would be sent, in YAML unless another form is asked for."""
    workflows = [prepared(document, creation) for document in documents if document.is_workflow]
    for workflow in workflows:
        if not workflow["metadata"].get("namespace"):
            workflow["metadata"].pop("namespace", None)
    results.write(workflows, form if form in ("json", "name") else "yaml", sys.stdout)
    return EXIT_SUCCEEDED


async def follow(at: Connection, refs: Sequence[Reference], after: After, screen: Screen) -> int:
    """Show logs, the tree, or wait, as asked for; 1 when one was awaited and did not succeed."""
    if after.log:
        for ref in refs:
            await show_logs(at, ref, logs.Wishes(), follow=True)
    if after.watch:
        return await watch(at, refs, screen, after.terms)
    if after.wait or after.log:
        return await wait(at, refs, ignore_missing=False)
    return EXIT_SUCCEEDED


async def get(at: Connection, ref: Reference, form: str, screen: Screen, terms: Sequence[Term] = ()) -> None:
    """Print one workflow; of its tree the nodes that `terms` pick."""
    workflow = await at.api.get(ref)
    if form in ("json", "yaml", "name"):
        results.write([workflow], form, sys.stdout)
    else:
        _print(show.workflow(workflow, time.time(), screen, form, terms))


async def list_(at: Connection, wanted: Filter, form: str, *, everywhere: bool, head: bool) -> int:
    """Print the workflows of the namespace, or of all."""
    now = time.time()
    found = await selection.listed(at.api, None if everywhere else at.namespace, wanted, now)
    if form in ("json", "yaml", "name"):
        results.write_list(found, form, sys.stdout)
    else:
        _print(listing.lines(found, now, wide=form == "wide", everywhere=everywhere, head=head))
    return EXIT_SUCCEEDED


async def watch(at: Connection, refs: Sequence[Reference], screen: Screen, terms: Sequence[Term] = ()) -> int:
    """Show workflows, or those of their nodes that `terms` pick, until they have ended; 1 when one did not succeed."""
    workflows = [await at.api.get(ref) for ref in refs]
    shown = display_on(sys.stdout, screen)
    display = Selected(shown, terms) if terms else shown
    with display:
        execution = Execution(at.api, workflows, display, hint=False)
        await execution.to_the_end()
    return EXIT_SUCCEEDED if execution.succeeded else EXIT_FAILED


async def wait(at: Connection, refs: Sequence[Reference], *, ignore_missing: bool) -> int:
    """Print how each ended when it has; 1 when one did not succeed."""
    code, api = EXIT_SUCCEEDED, plain(at.api)
    for ref in refs:
        try:
            workflow = await api.get(ref)
        except Gone:
            if ignore_missing:
                continue
            raise
        execution = Execution(api, [workflow], Silent(), hint=False)
        if not execution.finished:
            await execution.to_the_end()
        ended = next(iter(execution.latest.values()))
        stamp = status.text(status.status_of(ended), "finishedAt")
        at_time = timestamps.seconds(stamp) if stamp else time.time()
        print(f"{ref.name} {status.phase_of(ended)} at {datetime.fromtimestamp(at_time, UTC):{GO_TIME}}", flush=True)
        if not execution.succeeded:
            code = EXIT_FAILED
    return code


async def show_logs(at: Connection, ref: Reference, wishes: logs.Wishes, *, follow: bool) -> int:
    """Print the logs of a workflow's pods; of one that has ended there is nothing to follow, so they come by time."""

    def emit(line: logs.Line) -> None:
        stamp = f"{line.time} " if wishes.timestamps and line.time else ""
        print(f"{line.pod}: {stamp}{line.text}", flush=True)

    workflow = await at.api.get(ref)
    if follow and not status.is_finished(workflow):
        await logs.follow(at.api, ref, wishes, emit)
    else:
        for line in await logs.present(at.api, workflow, wishes):
            emit(line)
    return EXIT_SUCCEEDED


async def delete(at: Connection, refs: Sequence[Reference], *, dry_run: bool, force: bool) -> int:
    """Delete workflows; one that is not there is said and is no failure. A dry run asks nobody."""
    if not refs:
        print("No resources found")
    for ref in refs:
        try:
            if dry_run:
                print(f"Workflow '{ref.name}' deleted (dry-run)")
                continue
            if force:
                await at.api.patch(ref, {"metadata": {"finalizers": None}})
            await at.api.delete(ref, propagation="Background")
            print(f"Workflow '{ref.name}' deleted")
        except Gone:
            print(f"Workflow '{ref.name}' not found")
    return EXIT_SUCCEEDED


async def steer(
    at: Connection, refs: Sequence[Reference], decide: control.Change, done: str, called: Mapping[Reference, str]
) -> int:
    """Edit workflows by a decision and say what was done; goes on after one that cannot be, and ends with 1 then.

    `called`: what a person calls them, where that is to be said."""
    code = EXIT_SUCCEEDED
    for ref in refs:
        try:
            await control.change(at.api, ref, decide)
            print(f"workflow {called.get(ref, ref.name)} {done}")
        except (ApiError, InputError) as e:
            print(f"{ref.name}: {e}", file=sys.stderr)
            code = EXIT_FAILED
    return code


def would_steer(names: Iterable[str], done: str) -> int:
    """Say what would be done. Nobody is asked whether it could be, as upstream's client asks nobody."""
    for name in names:
        print(f"workflow {name} {done} (dry-run)")
    return EXIT_SUCCEEDED


def stopping(terms: list[Term], message: str) -> control.Change:
    """The decision of `stop`: the whole workflow, or the waiting nodes that a selector picks."""

    def decide(workflow: Object) -> Object:
        if terms:
            return control.failed(workflow, terms, message, time.time())
        return control.shut_down(workflow, "Stop")

    return decide


def _print(lines: Sequence[str]) -> None:
    for line in lines:
        print(line)
    sys.stdout.flush()
