"""What is shown of each Rollout and analysis is upstream's, and what requests are counted by."""

from __future__ import annotations

from typing import Any

import pytest

from runtime.api import Gone, Selection
from runtime.metric import Metric
from runtime.objects import CONFIGMAPS, PODS, Object, Reference
from runtime.series import Modifier, Series, SeriesSettings
from tests.observability.test_registry import exposition, system
from tiphys.devcluster.inprocess import InProcessApi
from tiphys.devcluster.server import ApiServer
from tiphys.observability import own
from tiphys.observability.gauges import is_stuck
from tiphys.observability.objects import rollout_phase, rows
from tiphys.observability.requests import Counted


def thing(name: str, spec: Object, status: Object | None = None) -> Object:
    return {"metadata": {"name": name, "namespace": "n"}, "spec": spec, "status": status or {}}


def values(found: dict[Metric, Any], metric: Metric) -> list[tuple[tuple[str, ...], float]]:
    return [(tuple(value for _, value in labels), number) for labels, number in found[metric].items()]


@pytest.mark.spec("RO-MET-1")
@pytest.mark.spec("RO-1.12-info")
def test_a_rollout_is_shown_with_its_strategy_router_phase_and_replicas() -> None:
    routed = {"canary": {"trafficRouting": {"nginx": {"stableIngress": "i"}}}}
    state = {"phase": "Healthy", "availableReplicas": 3, "updatedReplicas": 4}
    found = rows({"Rollout": [thing("r", {"replicas": 5, "strategy": routed}, state)]}, 10)

    assert values(found, own.ROLLOUT_INFO) == [(("n", "r", "canary", "nginx", "Completed"), 1.0)]
    assert values(found, own.ROLLOUT_PHASE) == [(("n", "r", "canary", "Completed"), 1.0)]
    numbers = {name: values(found, metric)[0][1] for name, metric in own.REPLICAS.items()}
    assert numbers == {"available": 3.0, "unavailable": 2.0, "desired": 5.0, "updated": 4.0}


@pytest.mark.parametrize(
    ("status", "phase"),
    [
        ({}, "Progressing"),
        ({"phase": "Paused"}, "Paused"),
        ({"phase": "Healthy"}, "Completed"),
        ({"phase": "Degraded"}, "Error"),
        ({"phase": "Degraded", "abort": True}, "Abort"),
        ({"conditions": [{"type": "InvalidSpec", "status": "True"}], "abort": True}, "InvalidSpec"),
        ({"conditions": [{"type": "Progressing", "reason": "ProgressDeadlineExceeded"}]}, "Timeout"),
    ],
)
def test_the_phases_are_upstreams(status: Object, phase: str) -> None:
    assert rollout_phase(thing("r", {}, status)) == phase


@pytest.mark.spec("RO-1.12-analysis")
@pytest.mark.spec("RO-MET-1")
def test_an_analysis_is_shown_with_its_metrics() -> None:
    metrics = [{"name": "m", "provider": {"prometheus": {}}}, {"name": "d", "provider": {"web": {}}}]
    results = [{"name": "m", "phase": "Failed"}, {"name": "d", "phase": "Running", "dryRun": True}]
    run = thing("a", {"metrics": metrics}, {"phase": "Running", "metricResults": results})
    found = rows({"AnalysisRun": [run], "AnalysisTemplate": [thing("t", {"metrics": metrics})]}, 10)

    assert values(found, own.RUN_INFO) == [(("n", "a", "Running"), 1.0)]
    assert [labels for labels, _ in values(found, own.RUN_METRIC_PHASE)] == [
        ("n", "a", "m", "prometheus", "false", "Failed"), ("n", "a", "d", "web", "true", "Running")
    ]  # fmt: skip
    assert [labels for labels, _ in values(found, own.TEMPLATE_METRIC_INFO)] == [
        ("n", "t", "prometheus", "m"), ("n", "t", "web", "d")
    ]  # fmt: skip


def test_no_more_objects_are_shown_than_an_installation_allows_and_odd_ones_harm_nobody() -> None:
    odd: list[Any] = [thing("x", {"strategy": 1, "replicas": None}, {"conditions": "none"}), thing("y", {})]
    many = [thing(str(at), {}) for at in range(20)]

    assert len(rows({"Rollout": [*odd, *many]}, 10)[own.ROLLOUT_INFO]) == 10


@pytest.mark.spec("RO-1.12-deleted")
def test_a_deleted_objects_series_are_gone_with_the_next_scrape() -> None:
    made = system()
    made.metrics.replace(own.ROLLOUT_INFO.name, {tuple((label, "x") for label in own.ROLLOUT_INFO.labels): 1.0})

    assert "rollout_info{" not in exposition(made, 0.0).decode()


def kept(deleted: str, *finalizers: str) -> Object:
    return {"metadata": {"name": "p", "deletionTimestamp": deleted, "finalizers": list(finalizers)}}


def test_only_what_our_finalizer_has_kept_for_ten_minutes_is_stuck() -> None:
    now = 1_767_225_600.0  # 2026-01-01T00:00:00Z
    ours = "workflows.argoproj.io/status"

    assert is_stuck(kept("2025-12-31T23:49:00Z", ours), now)
    assert not is_stuck(kept("2025-12-31T23:51:00Z", ours), now)
    assert not is_stuck(kept("2025-12-31T20:00:00Z", "example.com/other"), now)
    assert not is_stuck({"metadata": {"name": "p", "finalizers": [ours]}}, now)


@pytest.mark.spec("RO-1.12-requests")
async def test_requests_are_counted_by_resource_verb_and_answer() -> None:
    server = ApiServer()
    server.start()
    series = Series(wall=lambda: 0.0)
    api = Counted(InProcessApi(server), clock=lambda: 0.0)
    series.sources.append(api.put_into)
    ref = Reference(CONFIGMAPS, "default", "c")

    await api.create(CONFIGMAPS, {"metadata": {"name": "c", "namespace": "default"}})
    await api.patch(ref, {"data": {"a": "b"}})
    await api.list(CONFIGMAPS, Selection("default"))
    await api.delete(ref)
    with pytest.raises(Gone):
        await api.get(ref)

    await api.list(CONFIGMAPS)
    text = series.text()
    asked = {("Create", "201"): 1, ("Patch", "200"): 1, ("List", "200"): 2, ("Delete", "200"): 1, ("Get", "404"): 1}
    for (verb, code), number in asked.items():
        labels = f'kind="configmaps",status_code="{code}",verb="{verb}"'
        assert f"k8s_request_total{{{labels}}} {number}\n" in text
        assert f"k8s_request_duration_count{{{labels}}} {number}\n" in text
        assert f'k8s_request_duration_bucket{{{labels},le="0.005"}} {number}\n' in text


async def test_a_part_of_an_object_is_counted_by_its_own_name() -> None:
    server = ApiServer()
    server.start()
    series = Series(wall=lambda: 0.0)
    api = Counted(InProcessApi(server), clock=lambda: 0.0)
    series.sources.append(api.put_into)

    with pytest.raises(Gone):
        await api.patch(Reference(PODS, "default", "p"), {"status": {"phase": "Running"}}, subresource="status")
    with pytest.raises(Gone):
        async with api.log(Reference(PODS, "default", "p")):
            pass

    text = series.text()
    assert 'k8s_request_total{kind="pods/status",status_code="404",verb="Patch"} 1\n' in text
    assert 'k8s_request_total{kind="pods/log",status_code="200",verb="List"} 1\n' in text


def test_other_buckets_do_not_break_what_is_counted_elsewhere() -> None:
    modifiers = {own.REQUEST_DURATION.name: Modifier(buckets=(1.0,)), own.REQUESTS.name: Modifier(disabled=True)}
    series = Series(SeriesSettings(modifiers=modifiers), wall=lambda: 0.0)
    labels = (("kind", "Pod"), ("verb", "Get"), ("status_code", "200"))
    series.put(own.REQUEST_DURATION, labels, 1.5, [1] * (len(own.REQUEST_DURATION.buckets) + 1))
    series.put(own.REQUESTS, labels, 1.0)

    assert 'le="60"' in series.text()
    assert "k8s_request_total" not in series.text()
