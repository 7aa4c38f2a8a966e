"""One event becomes workflows: each binding on its own, and what goes wrong with one is told as an Event about it."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from random import Random, SystemRandom
from typing import Any, Final

import anyio

from actors.eventbinding.submission import Occasion, TemplateRef, Undispatched, means, template_of, workflow
from actors.kube_events import Said, event
from actors.language.functions import Functions
from actors.names import labels
from actors.names.resources import CLUSTER_WORKFLOW_TEMPLATE, WORKFLOW, WORKFLOW_EVENT_BINDING, WORKFLOW_TEMPLATE
from actors.names.suffixes import suffix
from runtime.api import AlreadyExists, Api, ApiError, Selection, Throttled, Unavailable
from runtime.log import Log
from runtime.objects import EVENTS, Object, Reference, Resource, reference

BINDINGS: Final = Resource(*WORKFLOW_EVENT_BINDING)
WORKFLOWS: Final = Resource(*WORKFLOW)
TEMPLATES: Final = Resource(*WORKFLOW_TEMPLATE)
CLUSTER_TEMPLATES: Final = Resource(*CLUSTER_WORKFLOW_TEMPLATE)
COMPONENT: Final = "workflow-controller"  # what tools that read upstream's Events look for
REASON: Final = "WorkflowEventBindingError"
TRIES: Final = 5
PAUSE_S: Final = 0.01

log = Log()


class NotDispatched(Exception):
    """Some bindings have submitted nothing; the text has the reason of each."""


@dataclass(frozen=True, slots=True)
class Dispatch:
    """An event on its way, and the bindings that were there when it came."""

    namespace: str
    bindings: list[Object]
    variables: Mapping[str, Any]
    creator: Mapping[str, str]


async def bindings(api: Api, namespace: str, instance_id: str) -> list[Object]:
    """The bindings of a namespace that are this instance's. Raises ApiError, for who may not list them too."""
    key = labels.CONTROLLER_INSTANCE_ID
    chosen = Selection(namespace, f"{key}={instance_id}" if instance_id else f"!{key}")
    return (await api.list(BINDINGS, chosen)).items


@dataclass(frozen=True, slots=True)
class Dispatcher:
    """Submits what events mean, with their senders' rights."""

    own: Api  # writes Events
    instance_id: str = ""
    dice: Random = field(default_factory=SystemRandom)
    now: Callable[[], float] = time.time
    sleep: Callable[[float], Awaitable[None]] = anyio.sleep

    async def dispatch(self, api: Api, wanted: Dispatch) -> list[Object]:
        """Submit the workflows of an event; those that were created.

        Raises NotDispatched when a binding could not: the others have been served all the same."""
        created, wrong = [], []
        for binding in wanted.bindings:
            try:
                made = await self._serve(api, binding, wanted)
                created += [made] if made else []
            except (Undispatched, ApiError) as error:
                text = error.message if isinstance(error, ApiError) else str(error)
                await self._tell(binding, f"failed to dispatch event: {text}")
                wrong.append(text)
        if wrong:
            raise NotDispatched(f"failed to dispatch event: [{' '.join(wrong)}]")
        return created

    async def _serve(self, api: Api, binding: Object, wanted: Dispatch) -> Object | None:
        occasion = Occasion(
            wanted.variables, suffix(self.dice), wanted.creator, self.instance_id, Functions(self.now(), self.dice)
        )
        ref = template_of(binding)
        if not means(binding, occasion) or ref is None:
            return None
        found = reference_to(ref, wanted.namespace)
        template = await self._trying(lambda _: api.get(found), "failed to get workflow template")
        thing = workflow(binding, template, occasion)

        async def create(tried: bool) -> Object:
            try:
                return await api.create(WORKFLOWS, thing)
            except AlreadyExists:
                there = await api.get(reference(WORKFLOWS, thing)) if tried else {}
                if there.get("spec") != thing["spec"]:
                    raise
                return there  # the answer to an earlier try was lost, not the workflow

        return await self._trying(create, "failed to create workflow")

    async def _trying(self, act: Callable[[bool], Awaitable[Object]], what: str) -> Object:
        """Act, again after what passes; `act` is told whether the outcome of an earlier try is unknown."""
        unknown = False
        for left in reversed(range(TRIES)):
            try:
                return await act(unknown)
            except (Throttled, Unavailable) as error:
                unknown = unknown or isinstance(error, Unavailable)
                if not left:
                    raise Undispatched(f"{what}: {error.message}") from error
                await self.sleep(PAUSE_S)
            except ApiError as error:
                raise Undispatched(f"{what}: {error.message}") from error
        raise AssertionError("the last try returns or raises")

    async def _tell(self, binding: Object, text: str) -> None:
        """Say it where whoever wrote the binding looks; nobody waits for it."""
        about = reference(BINDINGS, binding)
        log.error("event.undispatched", namespace=about.namespace, binding=about.name, error=text)
        try:
            said = event(about, Said(REASON, text, warning=True), self.now(), COMPONENT)
            await self.own.create(EVENTS, said.object)
        except ApiError as error:
            log.warning("event.untold", namespace=about.namespace, binding=about.name, error=error.message)


def reference_to(ref: TemplateRef, namespace: str) -> Reference:
    """Where a template is."""
    return Reference(CLUSTER_TEMPLATES, "", ref.name) if ref.cluster else Reference(TEMPLATES, namespace, ref.name)
