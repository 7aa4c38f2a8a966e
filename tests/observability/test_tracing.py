"""A workflow that has ended is a trace, whose ids its pods knew before."""

from __future__ import annotations

from typing import Any

import pytest

from actors.database_messages import DATABASE, LoadNodes
from actors.names import tracing as ids
from runtime.api import ApiError, Unavailable
from runtime.api import Gone as Lost
from runtime.messages import Ask, Done, Failed, Observed, Started, WakeAt, Woke
from runtime.objects import Object, reference
from tiphys.configuration.problems import BadConfiguration
from tiphys.observability.spans import spans
from tiphys.observability.tracing import (
    EXPORT,
    READ_AGAIN_S,
    READS_MAX,
    TRACER,
    WORKFLOWS,
    Exporter,
    TracingMind,
    wanted,
)

UID = "5c1b5f0e-0000-4000-8000-000000000001"


def finished(**status: Any) -> Object:
    labels = {"workflows.argoproj.io/completed": "true"}
    times = {"phase": "Succeeded", "startedAt": "2026-01-01T00:00:00Z", "finishedAt": "2026-01-01T00:01:00Z"}
    return {"metadata": {"name": "w", "namespace": "n", "uid": UID, "labels": labels}, "status": {**times, **status}}


def node(name: str, kind: str = "Pod", boundary: str = "", **more: Any) -> Object:
    times = {"startedAt": "2026-01-01T00:00:10Z", "finishedAt": "2026-01-01T00:00:20Z", "phase": "Succeeded"}
    return {"name": name, "type": kind, **({"boundaryID": boundary} if boundary else {}), **times, **more}


NODES = {
    "w": node("w", "DAG"),
    "w-1": node("w.a", "Retry", "w", children=["w-2", "w-4"]),
    "w-2": node("w.a(0)", boundary="w", phase="Failed", message="exit code 1"),
    "w-4": node("w.b", boundary="w"),
    "w-5": node("w.c", boundary="w", finishedAt=None),
}


@pytest.mark.spec("OPS-11")
def test_a_nodes_span_is_under_the_node_that_called_it() -> None:
    found = {span.attributes.get("node_id", ""): span for span in spans(finished(nodes=NODES))}

    def parent(of: str) -> str:
        return next(key for key, span in found.items() if span.span_id == found[of].parent)

    assert found[""].name == "workflow"
    assert found[""].parent == ""
    assert {span.trace_id for span in found.values()} == {ids.trace_id(UID)}
    assert [parent(of) for of in ("w", "w-1", "w-2", "w-4")] == ["", "w", "w-1", "w"]
    assert "w-5" not in found  # it never ended
    assert found["w-2"].error == "exit code 1"
    assert found["w-1"].end - found["w-1"].start == 10_000_000_000


def test_ids_are_functions_of_uids_and_of_w3cs_form() -> None:
    assert ids.trace_id(UID) == ids.trace_id(UID)
    assert ids.span_id(UID, "a") != ids.span_id(UID, "b") != ids.span_id(UID)
    version, trace, span, flags = ids.traceparent(UID, "a").split("-")
    assert (version, trace, span, flags) == ("00", ids.trace_id(UID), ids.span_id(UID, "a"), "01")
    assert (len(trace), len(span)) == (32, 16)


@pytest.mark.spec("OPS-11")
def test_a_workflow_is_told_once_and_not_one_that_ended_long_before() -> None:
    mind = TracingMind()
    state = mind.birth(TRACER, None)
    list(mind.receive(state, Started(0), 1_767_225_660.0 + 30))  # half a minute after its end
    thing = finished()
    running = {**thing, "metadata": {**thing["metadata"], "labels": {}}}
    old = finished(finishedAt="2025-12-31T00:00:00Z")
    old["metadata"] = {**old["metadata"], "uid": "old"}

    def told(seen: Object) -> list[Any]:
        return list(mind.receive(state, Observed(reference(WORKFLOWS, seen), seen), 0.0))

    assert told(running) == []
    assert told(thing) == [Ask(EXPORT, thing)]
    assert told(thing) == told(old) == []


@pytest.mark.spec("OPS-11", "OFF-3")
@pytest.mark.parametrize("trouble", [None, Lost("no such version"), Unavailable("the database is away")])
def test_nodes_that_a_database_keeps_are_read_before_their_workflow_is_told(trouble: ApiError | None) -> None:
    mind = TracingMind()
    state = mind.birth(TRACER, None)
    list(mind.receive(state, Started(0), 1_767_225_660.0))
    thing = finished(offloadNodeStatusVersion="v1")
    asked = Ask(DATABASE, LoadNodes(UID, "v1"))
    assert list(mind.receive(state, Observed(reference(WORKFLOWS, thing), thing), 0.0)) == [asked]
    for _ in range(READS_MAX - 1 if isinstance(trouble, Unavailable) else 0):
        assert trouble is not None
        (again,) = mind.receive(state, Failed(asked, trouble), 0.0)
        assert isinstance(again, WakeAt)
        assert list(mind.receive(state, Woke(again.tag), READ_AGAIN_S)) == [asked]
    answer = Done(asked, NODES) if trouble is None else Failed(asked, trouble)

    (export,) = mind.receive(state, answer, 0.0)
    assert isinstance(export, Ask)
    assert len(spans(export.query)) == (5 if trouble is None else 1)
    assert list(mind.receive(state, answer, 0.0)) == []


@pytest.mark.spec("OPS-11")
async def test_opentelemetry_gets_every_span_with_its_ids_and_times() -> None:
    pytest.importorskip("opentelemetry.sdk", reason="the extra `otel` is not installed")
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor  # noqa: PLC0415
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter  # noqa: PLC0415

    memory, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(memory))

    assert await Exporter(provider).export(finished(nodes=NODES)) == 5
    sent = {span.context.span_id: span for span in memory.get_finished_spans() if span.context is not None}

    for span in spans(finished(nodes=NODES)):
        got = sent[int(span.span_id, 16)]
        assert (got.start_time, got.end_time) == (span.start, span.end)
        assert got.context is not None
        assert got.context.trace_id == int(span.trace_id, 16)
        assert (got.parent.span_id if got.parent else None) == (int(span.parent, 16) if span.parent else None)
        assert got.status.is_ok is not bool(span.error)


@pytest.mark.parametrize(
    ("variables", "yes"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318", "OTEL_TRACES_EXPORTER": "none"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318", "OTEL_SDK_DISABLED": "true"}, False),
        ({"OTEL_TRACES_EXPORTER": "console"}, True),
    ],
)
def test_opentelemetrys_own_variables_ask_for_traces(variables: dict[str, str], yes: bool) -> None:
    pytest.importorskip("opentelemetry", reason="the extra `otel` is not installed")

    assert wanted(variables) is yes


def test_an_exporter_that_is_not_spoken_is_a_sentence() -> None:
    pytest.importorskip("opentelemetry", reason="the extra `otel` is not installed")

    with pytest.raises(BadConfiguration, match="OTEL_TRACES_EXPORTER: zipkin"):
        wanted({"OTEL_TRACES_EXPORTER": "zipkin"})
