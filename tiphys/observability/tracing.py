"""OpenTelemetry's traces, as an option: a workflow that has ended is told as spans, once in a controller's life.

Asked for by OpenTelemetry's own variables (OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_TRACES_EXPORTER, …). Nothing is measured
while a workflow runs: its status has all times, and the ids of spans are functions of uids, so what a pod has sent
meanwhile under its $TRACEPARENT finds its place.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

import anyio.to_thread

from actors.database_messages import DATABASE, LoadNodes
from actors.names import labels, resources
from actors.names.timestamps import seconds
from actors.packing import version_of
from runtime.actor import Room, Watch
from runtime.api import ApiError, Unavailable
from runtime.messages import (
    Address,
    Ask,
    Command,
    Done,
    Down,
    Failed,
    Gone,
    Message,
    Observed,
    Started,
    Told,
    WakeAt,
    Woke,
)
from runtime.objects import Object, Resource
from tiphys.configuration.problems import BadConfiguration
from tiphys.observability.spans import Span, spans

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

ROOM: Final = "tracing"
TRACER: Final = Address(ROOM, "", "all", "")
WORKFLOWS: Final = Resource(*resources.WORKFLOW)
EXPORT: Final = "spans"
READ_AGAIN_S, READS_MAX = 10.0, 30  # of nodes that a database keeps; then the workflow is told alone
LATE_S: Final = 60.0
"""A workflow that ended so long before the controller began was told by the one before it."""

ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")


def wanted(variables: Mapping[str, str]) -> bool:
    """Whether the environment asks for traces. Raises BadConfiguration when it cannot be done."""
    exporter = variables.get("OTEL_TRACES_EXPORTER", "").strip().lower()
    asked = any(variables.get(name) for name in ENDPOINTS) or exporter not in ("", "none")
    off = variables.get("OTEL_SDK_DISABLED", "").lower() == "true" or exporter == "none"
    if not asked or off:
        return False
    if find_spec("opentelemetry") is None:
        raise BadConfiguration(["OTEL_…: traces need OpenTelemetry's packages: pip install 'tiphys[otel]'"])
    if exporter not in ("", "otlp", "console"):
        raise BadConfiguration([f"OTEL_TRACES_EXPORTER: {exporter} is not known: use otlp, console or none"])
    return True


@dataclass
class TracingState:
    """Who was told of, and since when this life watches."""

    began: float = 0.0
    told: set[str] = field(default_factory=set)  # uids
    reading: dict[LoadNodes, Reading] = field(default_factory=dict)


@dataclass
class Reading:
    """A workflow whose nodes are being read from a database."""

    workflow: Object
    tries: int = 0


class TracingMind:
    """How the actor behaves that is shown every workflow."""

    def birth(self, address: Address, argument: Any) -> TracingState:
        """Nobody is known yet."""
        del address, argument
        return TracingState()

    def waiting(self, state: TracingState) -> str:
        """How many it has told of."""
        return f"for a workflow to end; {len(state.told)} were told"

    def receive(self, state: TracingState, message: Message, now: float) -> Iterable[Command]:
        """Take in one message."""
        match message:
            case Started():
                state.began = now
            case Observed(ref, thing):
                if ref.uid not in state.told and _has_ended(thing, state.began - LATE_S):
                    state.told.add(ref.uid)
                    return _told(state, ref.uid, thing)
            case Gone(ref, _):
                state.told.discard(ref.uid)
            case Woke(tag):
                return [Ask(DATABASE, query) for query in state.reading if query.uid == tag]
            case Done(Ask(query=LoadNodes() as query), nodes) if query in state.reading:
                return [Ask(EXPORT, _whole(state.reading.pop(query).workflow, nodes))]
            case Failed(Ask(query=LoadNodes() as query), error) if query in state.reading:
                return _unread(state, query, error, now)
            case Told() | Done() | Failed() | Down():
                pass
        return []


def _told(state: TracingState, uid: str, workflow: Object) -> list[Command]:
    """Tell of a workflow, once its nodes are there."""
    version = version_of(workflow)
    if not version:
        return [Ask(EXPORT, workflow)]
    query = LoadNodes(uid, version)
    state.reading[query] = Reading(workflow)
    return [Ask(DATABASE, query)]


def _unread(state: TracingState, query: LoadNodes, error: ApiError, now: float) -> list[Command]:
    """The database is away, and asked again; who has lost the nodes, or is away for long, leaves the workflow alone."""
    reading = state.reading[query]
    reading.tries += 1
    if isinstance(error, Unavailable) and reading.tries < READS_MAX:
        return [WakeAt(now + READ_AGAIN_S, query.uid)]
    del state.reading[query]
    return [Ask(EXPORT, reading.workflow)]


def _whole(workflow: Object, nodes: Object) -> Object:
    return {**workflow, "status": {**workflow["status"], "nodes": nodes}}


def _has_ended(workflow: Object, since: float) -> bool:
    completed = (workflow["metadata"].get("labels") or {}).get(labels.COMPLETED) == "true"
    finished = (workflow.get("status") or {}).get("finishedAt")
    return bool(completed and finished) and seconds(finished) >= since


def tracing_room(selector: str, services: Mapping[str, Callable[[Any], Awaitable[Any]]]) -> Room:
    """The room of the one who tells; `selector` says whose workflows, `services` has the database of their nodes."""
    watch = Watch(WORKFLOWS, lambda _: TRACER, selector, wakes=True)
    return Room(ROOM, TracingMind(), (watch,), services={EXPORT: Exporter().export, **services})


class _Ids:
    """OpenTelemetry asks for the ids of each new span: these are known beforehand."""

    def __init__(self) -> None:
        self.trace, self.span = 1, 1

    def generate_trace_id(self) -> int:
        return self.trace

    def generate_span_id(self) -> int:
        return self.span

    def is_trace_id_random(self) -> bool:
        return False


class Exporter:
    """Sends spans where OpenTelemetry's variables say. `provider` is for tests, which look at what is sent."""

    def __init__(self, provider: TracerProvider | None = None) -> None:
        self._ids = _Ids()
        self._provider = provider
        self._turn: anyio.Lock | None = None  # one workflow after the other: they share the ids

    async def export(self, workflow: Object) -> int:
        """Hand a workflow's spans over, in a thread: ten thousand nodes take a while. The number of spans."""
        self._turn = self._turn or anyio.Lock()
        async with self._turn:
            return await anyio.to_thread.run_sync(self.tell, workflow)

    def tell(self, workflow: Object) -> int:
        """The same, here and now."""
        if self._provider is None:
            self._provider = _provider()
        self._provider.id_generator = self._ids  # type: ignore[assignment]  # it has what is asked of one
        found = spans(workflow)
        for span in found:
            self._tell(span)
        return len(found)

    def _tell(self, span: Span) -> None:
        from opentelemetry import trace  # noqa: PLC0415  this whole package is an option
        from opentelemetry.trace.status import Status, StatusCode  # noqa: PLC0415

        assert self._provider is not None
        self._ids.trace, self._ids.span = int(span.trace_id, 16), int(span.span_id, 16)
        context = None
        if span.parent:
            flags = trace.TraceFlags(trace.TraceFlags.SAMPLED)
            parent = trace.SpanContext(self._ids.trace, int(span.parent, 16), is_remote=True, trace_flags=flags)
            context = trace.set_span_in_context(trace.NonRecordingSpan(parent))
        tracer = self._provider.get_tracer("tiphys")
        told = tracer.start_span(span.name, context, attributes=span.attributes, start_time=span.start)
        if span.error:
            told.set_status(Status(StatusCode.ERROR, span.error))
        told.end(span.end)


def _provider() -> TracerProvider:
    """As OpenTelemetry's variables have it; the service is called tiphys-controller unless they say otherwise."""
    import os  # noqa: PLC0415  with the others

    from opentelemetry.sdk.resources import Resource as About  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SpanExporter  # noqa: PLC0415

    name = os.environ.get("OTEL_SERVICE_NAME") or "tiphys-controller"
    provider = TracerProvider(resource=About.create({"service.name": name}))
    exporter: SpanExporter = ConsoleSpanExporter()
    if os.environ.get("OTEL_TRACES_EXPORTER", "otlp").lower() != "console":
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415

        exporter = OTLPSpanExporter()
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return provider
