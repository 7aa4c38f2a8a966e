"""Templates become runs: read with what they refer to, put together, given their arguments."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from actors.analysis_arguments import (
    ArgumentError,
    argument_values,
    experiment_arguments,
    field_text,
    resolved_metric,
    rollout_arguments,
    substituted,
)
from actors.analysis_templates import (
    RunRequest,
    TemplateAbsent,
    TemplateError,
    TemplateRef,
    blocking_problems,
    collided,
    flattened,
    gathered,
    is_same_run,
    is_worse,
    merged_arguments,
    new_run,
    references,
    run_labels,
    undeclared_arguments,
    unread,
    unsupplied_arguments,
)

OWNER = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "name": "r", "uid": "u", "controller": True}


def metric(name: str, **fields: Any) -> dict[str, Any]:
    return {"name": name, "provider": {"web": {"url": "http://x"}}, **fields}


def template(name: str, *metrics: str, **spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": name}, "spec": {"metrics": [metric(each) for each in metrics], **spec}}


def refs(*names: str, cluster: bool = False) -> list[dict[str, Any]]:
    return [{"templateName": name, "clusterScope": cluster} for name in names]


# ------------------------------------------------------------------------------------------------- reading


def test_what_is_to_be_read_grows_with_what_is_known():
    wanted = references(refs("a"))
    found: dict[TemplateRef, Any] = {}
    assert unread(wanted, found) == [TemplateRef("a")]

    found[TemplateRef("a")] = template("a", templates=[*refs("b"), *refs("c", cluster=True)])
    assert unread(wanted, found) == [TemplateRef("b"), TemplateRef("c", cluster=True)]

    found |= {TemplateRef("b"): None, TemplateRef("c", cluster=True): template("c", "m")}
    assert unread(wanted, found) == []


@pytest.mark.spec("RO-AN-3")
def test_templates_are_gathered_depth_first_each_once_those_of_the_cluster_last():
    found = {
        TemplateRef("a"): template("a", "1", templates=refs("b", "d")),
        TemplateRef("b"): template("b", "2", templates=[*refs("c", cluster=True), *refs("d")]),
        TemplateRef("c", cluster=True): template("c", "3"),
        TemplateRef("d"): template("d", "4"),
    }

    names = [each["metadata"]["name"] for each in gathered(references(refs("a", "a")), found)]

    assert names == ["a", "b", "d", "c"]


def test_a_template_that_refers_to_itself_is_there_once():
    found = {TemplateRef("a"): template("a", "1", templates=refs("a"))}

    assert len(gathered([TemplateRef("a")], found)) == 1
    assert unread([TemplateRef("a")], found) == []


@pytest.mark.parametrize(
    ("ref", "text"),
    [
        (TemplateRef("x"), 'analysistemplate.argoproj.io "x" not found'),
        (TemplateRef("x", cluster=True), 'clusteranalysistemplate.argoproj.io "x" not found'),
    ],
)
def test_a_template_that_is_not_there_is_named_as_upstream_names_it(ref, text):
    with pytest.raises(TemplateAbsent) as caught:
        gathered([ref], {ref: None})
    assert str(caught.value) == text
    assert caught.value.ref == ref


# ------------------------------------------------------------------------------------------ putting together


def test_metrics_of_all_templates_are_measured():
    assert [each["name"] for each in flattened([template("a", "1"), template("b", "2")])["metrics"]] == ["1", "2"]


@pytest.mark.spec("RO-AN-4")
def test_two_metrics_of_one_name_do_not_go_together():
    with pytest.raises(TemplateError, match="two metrics have the same name '1'"):
        flattened([template("a", "1"), template("b", "1")])


def test_a_value_in_one_template_wins_over_none_in_another():
    bare, given = {"name": "x"}, {"name": "x", "value": "1"}

    assert flattened([template("a", args=[bare]), template("b", args=[given])])["args"] == [given]
    assert flattened([template("a", args=[given]), template("b", args=[bare])])["args"] == [given]


def test_two_values_of_one_argument_do_not_go_together():
    templates = [template(name, args=[{"name": "x", "value": name}]) for name in "ab"]

    with pytest.raises(TemplateError, match="Argument `x` specified multiple times with different values: 'a', 'b'"):
        flattened(templates)


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("dryRun", "two Dry-Run metric rules have the same name 'm'"),
        ("measurementRetention", "two Measurement Retention metric rules have the same name 'm'"),
    ],
)
def test_two_rules_of_one_text_do_not_go_together(field, text):
    rules = {field: [{"metricName": "m", "limit": 2}]}
    with pytest.raises(TemplateError, match=text):
        flattened([template("a", **rules), template("b", **rules)])
    request = RunRequest("r", "n", **{"dry_run" if field == "dryRun" else "retention": rules[field]})
    with pytest.raises(TemplateError, match=text):
        new_run([template("a", **rules)], request)


@pytest.mark.spec("RO-AN-5")
def test_what_is_passed_overrides_and_what_nobody_declares_is_left_out():
    declared = [{"name": "a", "value": "1"}, {"name": "b"}]
    passed = [{"name": "a", "value": "2"}, {"name": "b", "value": ""}, {"name": "c", "value": "3"}]

    assert merged_arguments(passed, declared) == [{"name": "a", "value": "2"}, {"name": "b", "value": ""}]
    assert undeclared_arguments(passed, [template("t", args=declared)]) == ["c"]


def test_an_argument_without_a_value_is_an_error():
    with pytest.raises(ArgumentError, match=r"args\.a was not resolved"):
        merged_arguments([], [{"name": "a"}])


def test_a_run_has_all_that_it_was_asked_to_have():
    run = new_run(
        [template("a", "1", args=[{"name": "x"}], dryRun=[{"metricName": "1"}])],
        RunRequest(
            "r-abc-2", "ns", [{"name": "x", "value": "v"}], [{"metricName": "2"}], [{"metricName": "1", "limit": 3}],
            run_labels("Step", "abc", "me", 3), {"rollout.argoproj.io/revision": "2"}, OWNER,
        ),
    )  # fmt: skip

    assert run == {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "AnalysisRun",
        "metadata": {
            "name": "r-abc-2",
            "namespace": "ns",
            "labels": {
                "rollouts-pod-template-hash": "abc",
                "rollout-type": "Step",
                "step-index": "3",
                "argo-rollouts.argoproj.io/controller-instance-id": "me",
            },
            "annotations": {"rollout.argoproj.io/revision": "2"},
            "ownerReferences": [OWNER],
        },
        "spec": {
            "metrics": [metric("1")],
            "dryRun": [{"metricName": "2"}, {"metricName": "1"}],
            "measurementRetention": [{"metricName": "1", "limit": 3}],
            "args": [{"name": "x", "value": "v"}],
        },
    }


def test_a_run_made_before_is_taken_only_if_it_is_ours_equal_and_unfinished():
    wanted = new_run([template("a", "1")], RunRequest("r", "n", owner=OWNER))
    other = new_run([template("a", "2")], RunRequest("r", "n", owner=OWNER))
    foreign = new_run([template("a", "1")], RunRequest("r", "n", owner={**OWNER, "uid": "v"}))

    assert is_same_run(wanted, {**wanted, "status": {"phase": "Running"}})
    assert not is_same_run(wanted, {**wanted, "status": {"phase": "Successful"}})
    assert not is_same_run(wanted, other)
    assert not is_same_run(wanted, foreign)
    assert [collided("r", number) for number in range(3)] == ["r", "r.1", "r.2"]


def test_phases_have_an_order():
    ordered = ["Successful", "Running", "Pending", "Inconclusive", "Error", "Failed"]

    assert all(is_worse(b, a) for a, b in pairwise(ordered))
    assert not is_worse("", "Successful")
    assert not is_worse("Successful", "")


# ------------------------------------------------------------------------------------------------- judging


def test_a_metric_that_never_ends_may_not_block_a_rollout():
    endless = {"metadata": {"name": "t"}, "spec": {"metrics": [metric("m", interval="5s"), metric("n")]}}

    assert blocking_problems(endless) == [
        "AnalysisTemplate t has metric m which runs indefinitely. Invalid value for count: <nil>"
    ]


def test_the_count_of_a_metric_may_be_an_argument():
    counted = template("t", args=[{"name": "count", "value": "3"}])
    counted["spec"]["metrics"] = [metric("m", interval="5s", count="{{args.count}}")]

    assert blocking_problems(counted) == []


def test_a_template_with_a_wrong_tag_says_which():
    wrong = template("t")
    wrong["spec"]["metrics"] = [metric("m", successCondition="{{args.nope}}")]

    assert blocking_problems(wrong) == ["AnalysisTemplate t: failed to resolve {{args.nope}}"]


def test_arguments_that_nobody_gives_are_named():
    declared = [{"name": "a"}, {"name": "b", "value": "1"}, {"name": "c"}]

    assert unsupplied_arguments(template("t", args=declared), [{"name": "c", "value": "2"}]) == ["a"]


# ---------------------------------------------------------------------------------------------- arguments


def test_tags_are_replaced_everywhere_and_no_value_breaks_the_document():
    nasty = '"}, {{args.b}} \n\x00'
    found = substituted({"{{ args.a }}": ["x{{args.a}}y", 3, None]}, {"args.a": nasty})

    assert found == {nasty: [f"x{nasty}y", 3, None]}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{{args.b}}", "failed to resolve {{args.b}}"),
        ("{{ b }}", "failed to resolve {{ b }}"),
        ("a {{args.a", "cannot find the end of the tag"),
    ],
)
def test_a_tag_that_is_no_argument_is_an_error(text, message):
    with pytest.raises(ArgumentError) as caught:
        substituted(text, {"args.a": "1"})
    assert message in str(caught.value)


def test_every_argument_of_a_run_needs_a_value_used_or_not():
    with pytest.raises(ArgumentError, match='argument "a" was not supplied'):
        argument_values([{"name": "a"}], {})


@pytest.mark.spec("RO-AN-7")
def test_a_runs_argument_comes_from_a_value_a_secret_or_its_own_metadata():
    arguments = [
        {"name": "v", "value": "1"},
        {"name": "s", "valueFrom": {"secretKeyRef": {"name": "n", "key": "k"}}},
        {"name": "f", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}},
    ]
    run = {"metadata": {"namespace": "here"}}

    assert argument_values(arguments, run) == {"v": "1", "s": "temp-for-secret", "f": "here"}
    assert argument_values(arguments, run, lambda name, key: f"{name}/{key}")["s"] == "n/k"


def test_a_metric_is_resolved_whole():
    found = resolved_metric(metric("m", count="{{args.n}}"), {"n": "2"})
    assert found["count"] == "2"


ROLLOUT = {
    "metadata": {"name": "r", "labels": {"app": "x"}, "annotations": {"a/b": "c"}},
    "spec": {"replicas": 3, "template": {"spec": {"containers": [{"image": "i:1"}]}}},
    "status": {"abort": True, "big": 1234567},
}


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("metadata.name", "r"),
        ("metadata.labels['app']", "x"),
        ("metadata.labels['none']", ""),
        ("metadata.annotations['a/b']", "c"),
        ("metadata.labels", 'app="x"'),
        ("spec.replicas", "3"),
        ("spec.template.spec.containers[0].image", "i:1"),
        ("status.abort", "true"),
        ("status.big", "1.234567e+06"),
    ],
)
def test_a_field_of_a_rollout_is_an_argument(path, text):
    assert field_text(ROLLOUT, path, "rollout") == text


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("spec.nope", "invalid path spec.nope in rollout"),
        ("spec.replicas.x", "invalid path spec.replicas.x in rollout"),
        ("spec.template", "path spec.template in rollout must terminate in a primitive value"),
        ("spec.template.spec.containers[x]", "invalid index 'x'"),
        ("spec.template.spec.containers[7]", "index 7 out of range"),
        ("metadata.nope", "unsupported fieldPath: metadata.nope"),
    ],
)
def test_a_path_that_leads_nowhere_is_an_error(path, message):
    with pytest.raises(ArgumentError) as caught:
        field_text(ROLLOUT, path, "rollout")
    assert str(caught.value) == message


@pytest.mark.spec("RO-AN-6")
def test_a_rollout_passes_the_hashes_of_its_two_sides():
    arguments = [
        {"name": "old", "valueFrom": {"podTemplateHashValue": "Stable"}},
        {"name": "new", "valueFrom": {"podTemplateHashValue": "Latest"}},
        {"name": "plain", "value": "p"},
        {"name": "field", "valueFrom": {"fieldRef": {"fieldPath": "spec.replicas"}}},
    ]

    assert rollout_arguments(arguments, ROLLOUT, stable_hash="s", latest_hash="l") == [
        {"name": "old", "value": "s"},
        {"name": "new", "value": "l"},
        {"name": "plain", "value": "p"},
        {"name": "field", "value": "3"},
    ]


@pytest.mark.spec("RO-AN-9")
def test_an_experiment_passes_names_hashes_and_times_of_its_templates():
    experiment = {
        "spec": {"duration": "10m"},
        "status": {"availableAt": "2026-01-01T00:00:00Z"},
    }
    text = "{{templates.a.podTemplateHash}} {{ templates.a.replicaset.name }} {{experiment.finishedAt}}"
    secret = {"secretKeyRef": {"name": "n", "key": "k"}}
    arguments = [{"name": "x", "value": text}, {"name": "s", "valueFrom": secret}]

    assert experiment_arguments(arguments, experiment, {"a": ("e-a", "abc")}) == [
        {"name": "x", "value": "abc e-a 2026-01-01T00:10:00Z"},
        {"name": "s", "valueFrom": secret},
    ]
    with pytest.raises(ArgumentError, match="failed to resolve"):
        experiment_arguments([{"name": "x", "value": "{{templates.b.podTemplateHash}}"}], experiment, {})
