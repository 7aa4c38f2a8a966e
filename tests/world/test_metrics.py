"""What workflows measure of themselves: each value once, when it is known, and never more series than allowed."""

from __future__ import annotations

import re
from typing import Any

import pytest

from actors.census.mind import CENSUS, CensusMind
from actors.upstream_metrics import PREFIX
from runtime.messages import Measure, Observed
from runtime.objects import PODS, Reference
from runtime.series import Modifier, SeriesSettings
from tests.world.flows import FAIL, flow, named, table
from tests.world.test_templates import library
from tests.world.world import Outcome, World, world
from tiphys.controllers import ControllerSettings

pytestmark = pytest.mark.virtual_time


LEAF = "- {name: main, container: {image: i, command: [c]}}\n"


def lines(here: World, name: str) -> dict[str, float]:
    """The series of a metric as they are scraped: labels -> value."""
    assert here.system is not None
    found = {}
    for line in here.system.exposition().decode().splitlines():
        match = re.fullmatch(rf"{PREFIX}{name}(\{{.*\}})? (\S+)", line)
        if match:
            found[match[1] or ""] = float(match[2])
    return found


def leaf(metric: str, *, name: str = "leaf2", more: str = "") -> str:
    return (
        f"  - name: {name}\n    metrics: {{prometheus: [{metric}]}}\n    {more}\n"
        "    inputs: {parameters: [{name: m, default: x}]}\n"
        "    container: {image: busybox, command: [echo]}\n"
    )


COUNTER = "{name: done, help: 'Done.', labels: [{key: status, value: '{{status}}'}], counter: {value: '1'}}"


@pytest.mark.spec("MET-1", "MET-2")
async def test_a_counter_counts_each_node_once_when_it_has_ended() -> None:
    a = "{name: a, template: leaf2, withSequence: {count: 5}, continueOn: {failed: true}}"
    loop = f"  - {{name: main, steps: [[{a}]]}}\n"
    outcomes = iter([0, 1, 0, 1, 0])
    async with world(lambda *_: Outcome(code=next(outcomes))) as here:
        await here.end_of(await here.submit(flow(loop + leaf(COUNTER))))

        assert lines(here, "done") == {'{status="Succeeded"}': 3, '{status="Failed"}': 2}
        text = here.system.exposition().decode() if here.system else ""
        assert f"# HELP {PREFIX}done Done.\n# TYPE {PREFIX}done counter\n" in text


@pytest.mark.spec("MET-1")
async def test_a_gauge_is_set_or_grows_or_shrinks_and_a_histogram_has_buckets() -> None:
    metrics = ", ".join(
        [
            "{name: level, help: h, gauge: {value: '{{inputs.parameters.m}}'}}",
            "{name: sum, help: h, gauge: {value: '{{inputs.parameters.m}}', operation: Add}}",
            "{name: rest, help: h, gauge: {value: '{{inputs.parameters.m}}', operation: Sub}}",
            "{name: spread, help: h, histogram: {value: '{{inputs.parameters.m}}', buckets: [2.01, 4.01]}}",
        ]
    )
    arguments = "arguments: {parameters: [{name: m, value: '{{item}}'}]}"
    steps = ", ".join(
        f"[{{name: s{i}, template: leaf2, withItems: [{n}], {arguments}}}]" for i, n in enumerate([1, 3, 5, 3])
    )
    async with world(table()) as here:
        ended = await here.end_of(await here.submit(flow(f"  - {{name: main, steps: [{steps}]}}\n" + leaf(metrics))))
        assert ended["status"]["phase"] == "Succeeded", ended["status"]

        assert lines(here, "level") == {"": 3}
        assert lines(here, "sum") == {"": 12}
        assert lines(here, "rest") == {"": -12}
        assert lines(here, "spread_bucket") == {'{le="2.01"}': 1, '{le="4.01"}': 3, '{le="+Inf"}': 4}
        assert (lines(here, "spread_sum"), lines(here, "spread_count")) == ({"": 12}, {"": 4})


@pytest.mark.spec("MET-2")
async def test_when_decides_and_values_may_be_outputs_durations_and_expressions() -> None:
    metrics = ", ".join(
        [
            "{name: only_good, help: h, when: '{{status}} == Succeeded', counter: {value: '1'}}",
            "{name: only_bad, help: h, when: '{{status}} == Failed', counter: {value: '{{exitCode}}'}}",
            "{name: took, help: h, gauge: {value: '{{duration}}'}}",
            "{name: twice, help: h, gauge: {value: '{{=asFloat(duration) * 2}}'}}",
            "{name: of_workflow, help: '{{workflow.name}}', labels: [{key: ns, value: '{{workflow.namespace}}'}],"
            " counter: {value: '2'}}",
        ]
    )
    async with world(table(a=Outcome(code=7, delay_s=20))) as here:
        await here.end_of(
            await here.submit(flow("  - {name: main, steps: [[{name: a, template: leaf2}]]}\n" + leaf(metrics)))
        )

        assert lines(here, "only_good") == {}
        assert lines(here, "only_bad") == {"": 7}
        assert lines(here, "took")[""] == pytest.approx(20, abs=2)
        assert lines(here, "twice")[""] == 2 * lines(here, "took")[""]
        assert lines(here, "of_workflow") == {'{ns="default"}': 2}


@pytest.mark.spec("MET-2")
async def test_steps_dags_and_the_workflow_itself_are_measured_too() -> None:
    metric = (
        "{name: ended, help: h, labels: [{key: of, value: %s}, {key: as, value: '{{status}}'}], counter: {value: '1'}}"
    )
    text = f"""
  - {{name: main, metrics: {{prometheus: [{metric % "steps"}]}}, steps: [[{{name: d, template: d}}]]}}
  - {{name: d, metrics: {{prometheus: [{metric % "dag"}]}}, dag: {{tasks: [{{name: a, template: leaf}}]}}}}
"""
    whole = metric.replace("{{status}}", "{{workflow.status}}") % "workflow"
    async with world(table(a=FAIL)) as here:
        await here.end_of(await here.submit(flow(text, metrics=f"{{prometheus: [{whole}]}}")))

        assert lines(here, "ended") == {
            '{as="Failed",of="dag"}': 1, '{as="Failed",of="steps"}': 1, '{as="Failed",of="workflow"}': 1,
        }  # fmt: skip


@pytest.mark.spec("MET-2")
async def test_each_attempt_is_measured_the_last_one_by_its_retry_node() -> None:
    codes = iter([1, 1, 0])
    retried = leaf(COUNTER, more="retryStrategy: {limit: 5}")
    async with world(lambda *_: Outcome(code=next(codes))) as here:
        await here.end_of(
            await here.submit(flow("  - {name: main, steps: [[{name: a, template: leaf2}]]}\n" + retried))
        )

        assert lines(here, "done") == {'{status="Failed"}': 2, '{status="Succeeded"}': 1}


@pytest.mark.spec("MET-5")
async def test_what_is_skipped_or_remembered_is_not_measured() -> None:
    memo = leaf(COUNTER, more="memoize: {key: k, cache: {configMap: {name: results}}}")
    steps = "[[{name: a, template: leaf2}], [{name: b, template: leaf2}], [{name: c, template: leaf2, when: 'false'}]]"
    async with world(table()) as here:
        thing = await here.end_of(await here.submit(flow(f"  - {{name: main, steps: {steps}}}\n" + memo)))

        assert named(thing)["w[1].b"]["memoizationStatus"]["hit"] is True
        assert lines(here, "done") == {'{status="Succeeded"}': 1}


@pytest.mark.spec("MET-2")
async def test_an_inline_template_is_measured() -> None:
    inline = f"{{metrics: {{prometheus: [{COUNTER}]}}, container: {{image: i, command: [c]}}}}"
    text = f"  - {{name: main, steps: [[{{name: a, inline: {inline}, withItems: [1, 2]}}]]}}\n"
    async with world(table()) as here:
        await here.end_of(await here.submit(flow(text)))

        assert lines(here, "done") == {'{status="Succeeded"}': 2}


REALTIME = "{name: age, help: h, labels: [{key: of, value: %s}], gauge: {realtime: true, value: '{{%s}}'}}"


@pytest.mark.spec("MET-3")
async def test_a_realtime_gauge_grows_while_it_is_looked_at_and_stands_still_at_the_end() -> None:
    steps = "  - {name: main, steps: [[{name: a, template: leaf2}], [{name: b, template: leaf}]]}\n"
    text = flow(
        steps + leaf(REALTIME % ("leaf", "duration")),
        metrics=f"{{prometheus: [{REALTIME % ('workflow', 'workflow.duration')}]}}",
    )
    async with world(table(a=Outcome(delay_s=60), b=Outcome(delay_s=60))) as here:
        ref = await here.submit(text)
        await here.after(30)
        first = lines(here, "age")
        await here.after(20)
        second = lines(here, "age")
        await here.after(40)
        third = lines(here, "age")
        thing = await here.end_of(ref)
        await here.after(300)
        last = lines(here, "age")

    assert set(first) == {'{of="leaf"}', '{of="workflow"}'}
    assert all(second[of] == pytest.approx(first[of] + 20, abs=0.1) for of in first)
    assert third['{of="leaf"}'] == last['{of="leaf"}'] == pytest.approx(60, abs=2)
    assert last['{of="workflow"}'] == pytest.approx(121, abs=3)
    assert thing["status"]["phase"] == "Succeeded"


@pytest.mark.spec("MET-3")
async def test_a_realtime_gauge_of_a_workflow_that_is_deleted_while_it_runs_grows_no_more() -> None:
    text = flow("  - {name: main, suspend: {}}", metrics=f"{{prometheus: [{REALTIME % ('w', 'workflow.duration')}]}}")
    async with world(table()) as here:
        ref = await here.submit(text)
        await here.after(30)
        await here.api.delete(ref)
        await here.after(300)

        assert lines(here, "age")['{of="w"}'] == pytest.approx(30, abs=2)


@pytest.mark.spec("MET-3")
async def test_realtime_gauges_go_on_with_the_next_controller() -> None:
    text = flow(
        "  - {name: main, steps: [[{name: a, template: leaf2}]]}\n" + leaf(REALTIME % ("leaf", "duration")),
        metrics=f"{{prometheus: [{REALTIME % ('workflow', 'workflow.duration')}]}}",
    )
    async with world(table(a=Outcome(delay_s=100))) as here:
        await here.submit(text)
        await here.after(30)
        here.die()
        await here.after(10)

        assert lines(here, "age") == pytest.approx({'{of="leaf"}': 40, '{of="workflow"}': 40}, abs=2)


@pytest.mark.spec("MET-1")
@pytest.mark.parametrize(
    ("metric", "says"),
    [
        ("{name: a, counter: {value: '1'}, help: ''}", "must contain a help string under 'help: ' field"),
        ("{name: a, help: h, counter: {value: many}}", 'strconv.ParseFloat: parsing "many": invalid syntax'),
        ("{name: a, help: h, gauge: {realtime: true, value: '7'}}", "real time metrics can only be used with metric"),
        ("{name: a, help: h, gauge: {realtime: true, value: '{{status}}'}}", "is not available as a real time metric"),
        ("{name: '{{workflow.name}}-x', help: h, counter: {value: '1'}}", "metric name is invalid"),
        (
            "{name: a, help: h, when: '{{status}} <', counter: {value: '1'}}",
            "to compute 'when' clause for metric 'w': ",
        ),
        ("{name: a, help: h, when: '{{nobody}}', counter: {value: '1'}}", "substitute parameters for metric 'a'"),
    ],
)
async def test_a_metric_that_cannot_be_measured_is_a_condition_and_the_workflow_goes_on(metric: str, says: str) -> None:
    text = flow("  - {name: main, steps: [[{name: a, template: leaf2}]]}\n" + leaf(metric))
    async with world(table()) as here:
        thing = await here.end_of(await here.submit(text))

    if thing["status"]["phase"] == "Failed":  # found before it began
        assert "must contain a help string" in thing["status"]["message"]
        return
    conditions = {entry["type"]: entry for entry in thing["status"]["conditions"]}
    assert thing["status"]["phase"] == "Succeeded"
    assert says in conditions["MetricsError"]["message"]


@pytest.mark.spec("MET-1", "MET-2")
async def test_what_could_not_be_measured_of_the_workflow_is_told_with_its_end() -> None:
    text = flow(
        "  - {name: main, steps: [[{name: a, template: leaf}]]}\n",
        metrics="{prometheus: [{name: x, help: h, counter: {value: 'abc'}}]}",
    )
    async with world(table()) as here:
        thing = await here.end_of(await here.submit(text))

    conditions = {entry["type"]: entry.get("message") for entry in thing["status"]["conditions"]}
    assert conditions["MetricsError"] == (
        "could not construct metric 'x': strconv.ParseFloat: parsing \"abc\": invalid syntax"
    )


@pytest.mark.spec("MET-1")
async def test_a_name_means_one_kind_and_one_help_until_the_controller_ends() -> None:
    async with world(table()) as here:
        for number, metric in enumerate(
            [COUNTER, COUNTER.replace("Done.", "Other."), COUNTER.replace("counter", "gauge")]
        ):
            text = flow("  - {name: main, steps: [[{name: a, template: leaf2}]]}\n" + leaf(metric))
            thing = await here.end_of(await here.submit(text, f"w{number}"))
            conditions = {entry["type"]: entry.get("message") for entry in thing["status"]["conditions"]}
            if number:
                expected = ("already set to Done.", "found existing counter")[number - 1]
                assert expected in conditions["MetricsError"]

        assert lines(here, "done") == {'{status="Succeeded"}': 1}


@pytest.mark.spec("MET-4")
async def test_series_are_forgotten_after_their_time_and_never_more_than_allowed() -> None:
    series = SeriesSettings(PREFIX, ttl_s=600, series_max=3)
    metric = "{name: each, help: h, labels: [{key: item, value: '{{inputs.parameters.m}}'}], counter: {value: '1'}}"
    arguments = "arguments: {parameters: [{name: m, value: '{{item}}'}]}"
    steps = f"[[{{name: s, template: leaf2, withSequence: {{count: 8}}, {arguments}}}]]"
    async with world(table(), settings=ControllerSettings(series=series)) as here:
        await here.end_of(await here.submit(flow(f"  - {{name: main, steps: {steps}}}\n" + leaf(metric))))

        assert len(lines(here, "each")) == 3
        await here.after(700)
        assert lines(here, "each") == {}


@pytest.mark.spec("MET-4")
async def test_a_metric_may_be_disabled_or_lose_a_label() -> None:
    modifiers = {"total_count": Modifier(disabled=True), "done": Modifier(without=frozenset({"status"}))}
    series = SeriesSettings(PREFIX, modifiers=modifiers)
    async with world(table(), settings=ControllerSettings(series=series)) as here:
        text = flow("  - {name: main, steps: [[{name: a, template: leaf2}]]}\n" + leaf(COUNTER))
        await here.end_of(await here.submit(text))

        assert lines(here, "total_count") == {}
        assert lines(here, "done") == {"": 1}


async def test_upstreams_own_counters_follow_the_workflows() -> None:
    async with world(table(bad=FAIL)) as here:
        for number, name in enumerate(["a", "bad", "b"]):
            text = flow(f"  - {{name: main, steps: [[{{name: {name}, template: leaf}}]]}}")
            await here.end_of(await here.submit(text, f"w{number}"))
        await here.after(5)

        assert lines(here, "total_count") == {
            '{namespace="default",phase="Running"}': 3,
            '{namespace="default",phase="Succeeded"}': 2,
            '{namespace="default",phase="Failed"}': 1,
        }
        none = {'{phase="Pending"}': 0, '{phase="Running"}': 0, '{phase="Error"}': 0}
        assert lines(here, "gauge") == {'{phase="Succeeded"}': 2, '{phase="Failed"}': 1, **none}
        assert lines(here, "pods_gauge")['{phase="Succeeded"}'] == 2
        assert lines(here, "pods_total_count")['{namespace="default",phase="Running"}'] == 3


async def test_phases_that_nothing_is_in_are_shown_as_none() -> None:
    async with world(table()) as here:
        await here.submit(flow("  - {name: main, suspend: {}}"))
        await here.after(1)

        phases = ("Pending", "Running", "Succeeded", "Failed")
        assert lines(here, "gauge") == {f'{{phase="{phase}"}}': phase == "Running" for phase in (*phases, "Error")}
        assert lines(here, "pods_gauge") == {f'{{phase="{phase}"}}': 0 for phase in phases}


async def test_workflows_made_of_a_template_are_counted_as_new_and_in_every_phase() -> None:
    async with world(table()) as here:
        for cluster in (False, True):
            await library(here, "lib", f"entrypoint: main\ntemplates:\n{LEAF}", cluster=cluster)
            scope = "clusterScope: true, " if cluster else ""
            text = f"spec: {{workflowTemplateRef: {{{scope}name: lib}}}}"
            await here.end_of(await here.submit(text, f"w{cluster:d}"))
        found = lines(here, "workflowtemplate_triggered_total")

        assert found == {
            f'{{cluster_scope="{scope}",name="lib",namespace="default",phase="{phase}"}}': 1
            for scope in ("false", "true")
            for phase in ("New", "Running", "Succeeded")
        }
        buckets = lines(here, "workflowtemplate_runtime_bucket")
        of_one = '{cluster_scope="true",name="lib",namespace="default",le="%s"}'
        assert (buckets[of_one % "0"], buckets[of_one % "10000"]) == (0, 1)


@pytest.mark.parametrize(
    ("status", "counted"),
    [
        ({"containerStatuses": [{"state": {"waiting": {"reason": "PodInitializing"}}}]}, []),
        ({"containerStatuses": [{"state": {"waiting": {"reason": "ErrImagePull"}}}]}, ["ErrImagePull"]),
        ({"conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}]}, ["Unschedulable"]),
        ({"conditions": [{"type": "Initialized", "status": "False", "reason": "ContainersNotInitialized"}]}, []),
    ],
)
def test_a_pod_that_waits_is_counted_for_what_keeps_it_and_not_for_being_prepared(
    status: dict[str, Any], counted: list[str]
) -> None:
    mind = CensusMind()
    state = mind.birth(CENSUS, None)
    pod = {"status": {"phase": "Pending", **status}}
    told = mind.receive(state, Observed(Reference(PODS, "default", "p", "u"), pod), 0.0)

    waits = [dict(one.labels)["reason"] for one in told if isinstance(one, Measure) and one.name == "pod_pending_count"]
    assert waits == counted


async def test_who_is_given_a_lock_is_counted() -> None:
    text = flow(
        "  - name: main\n    steps: [[{name: a, template: in, withSequence: {count: 3}}]]\n"
        "  - name: in\n    synchronization: {mutexes: [{name: door}]}\n    container: {image: i, command: [c]}\n"
    )
    async with world(table()) as here:
        await here.end_of(await here.submit(text))

        labels = '{lock_name="door",namespace="default",storage="configmap",type="mutex"}'
        assert lines(here, "locks_taken_total") == {labels: 3}
