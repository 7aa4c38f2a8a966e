"""Retry, resubmit and set: an operation decides what a workflow becomes, and this writes it.

A retry deletes the pods of the nodes that run again first: theirs have the same names. (CLI-7, CLI-8, CLI-12.)
"""

from __future__ import annotations

import secrets
import string
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, NamedTuple

import anyio

from actors.names import labels
from actors.operations.node_values import set_node
from actors.operations.refusal import Refusal
from actors.operations.resubmit import resubmit
from actors.operations.retry import retry
from actors.packing import BadPack
from runtime.api import Api, ApiError, Conflict, Gone
from runtime.objects import PODS, Object, Reference, reference
from tiphys.cli import control, nodeselector, overrides, results, show, verbs
from tiphys.cli.connect import Connection
from tiphys.cli.kinds import WORKFLOWS
from tiphys.cli.nodeselector import Term
from tiphys.cli.problems import EXIT_FAILED, EXIT_SUCCEEDED, InputError
from tiphys.cli.screen import Screen
from tiphys.cli.verbs import After

POD_GONE_S: Final = 60.0
"""How long a deleted pod may take to go before the retry is given up; nothing is written then."""
POLL_S: Final = 0.1
ALPHABET: Final = string.ascii_lowercase + string.digits


class Again(NamedTuple):
    """What is to be different the second time."""

    parameters: Mapping[str, str] = {}
    restart_successful: bool = False
    terms: Sequence[Term] = ()
    memoized: bool = False
    priority: int | None = None


def retry_wish(parameters: Sequence[str], restart_successful: bool, node_field_selector: str) -> Again:
    """What the flags of `retry` ask for.

    Raises InputError for flags that mean nothing together; a selector that alone has no effect is warned of."""
    terms = nodeselector.parse(node_field_selector)
    if restart_successful and not terms:
        raise InputError("--restart-successful needs --node-field-selector: which nodes are to run again?")
    if terms and not restart_successful:
        print("warning: --node-field-selector has no effect without --restart-successful", file=sys.stderr)
    return Again(overrides.parameters(parameters), restart_successful, terms)


Rerun = Callable[[Api, Reference], Awaitable[Object]]


def retrying(wish: Again) -> Rerun:
    """The verb `retry`."""

    async def again(api: Api, ref: Reference) -> Object:
        for _ in range(control.TRIES):
            thing, pods = retry(
                await api.get(ref), time.time(), parameters=wish.parameters,
                restart_successful=wish.restart_successful, selector=wish.terms,
            )  # fmt: skip
            for name in pods:
                await without_pod(api, Reference(PODS, ref.namespace, name), ref.name)
            try:
                return await api.replace(WORKFLOWS, thing)
            except Conflict:
                continue
        raise InputError(f"{ref.name} changes too fast to be retried: try again")

    return again


def resubmitting(wish: Again) -> Rerun:
    """The verb `resubmit`."""

    async def again(api: Api, ref: Reference) -> Object:
        suffix = "".join(secrets.choice(ALPHABET) for _ in range(5))
        made = resubmit(
            await api.get(ref), suffix, time.time(), memoized=wish.memoized, parameters=wish.parameters,
            priority=wish.priority,
        )  # fmt: skip
        return await api.create(WORKFLOWS, made)

    return again


async def rerun(at: Connection, refs: Sequence[Reference], again: Rerun, after: After, screen: Screen) -> int:
    """Begin each anew and show it; goes on after one that is refused, and ends with 1 then."""
    code, begun = EXIT_SUCCEEDED, []
    for ref in refs:
        try:
            begun.append(await again(at.api, ref))
        except (Refusal, BadPack, ApiError, InputError) as e:
            print(f"{ref.name}: {e}", file=sys.stderr)
            code = EXIT_FAILED
    if after.output in ("json", "yaml", "name"):
        results.write(begun, after.output, sys.stdout)
    elif not (after.watch or after.log or after.wait):
        for workflow in begun:
            print("\n".join(show.workflow(workflow, time.time(), screen)), flush=True)
    return max(code, await verbs.follow(at, [reference(WORKFLOWS, workflow) for workflow in begun], after, screen))


async def set_values(at: Connection, ref: Reference, change: control.Change) -> int:
    """Edit the suspended nodes of a workflow."""
    await control.change(at.api, ref, change)
    print("workflow values set")
    return EXIT_SUCCEEDED


def setting(terms: Sequence[Term], phase: str, message: str, outputs: Mapping[str, str]) -> control.Change:
    """The decision of `node set`."""

    def decide(workflow: Object) -> Object:
        try:
            return set_node(workflow, terms, time.time(), phase=phase, message=message, outputs=outputs)
        except (Refusal, BadPack) as e:
            raise InputError(str(e)) from e

    return decide


async def without_pod(api: Api, ref: Reference, workflow: str) -> None:
    """Delete a pod of the workflow and wait until its name is free. Raises InputError when it does not go."""
    with anyio.move_on_after(POD_GONE_S):
        try:
            pod = await api.get(ref)
            if (pod["metadata"].get("labels") or {}).get(labels.WORKFLOW) != workflow:
                raise InputError(
                    f"pod {ref.name} stands where a pod of {workflow} has to run, and belongs to somebody else"
                )
            if labels.FINALIZER_POD_STATUS in (pod["metadata"].get("finalizers") or ()):
                await api.patch(ref, {"metadata": {"finalizers": None}})
            await api.delete(ref, propagation="Background")
            while True:
                await api.get(ref)
                await anyio.sleep(POLL_S)
        except Gone:
            return
    raise InputError(f"pod {ref.name} was deleted and is still there after {POD_GONE_S:.0f} s; nothing was retried")
