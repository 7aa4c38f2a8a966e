"""Promises about every run, whatever its limits are and however its measurements end."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from actors.analysis.decide import is_completed
from actors.analysis.job import manifest
from actors.analysis.plan import Unmeasurable, run_plan
from actors.analysis_templates import COMPLETED
from tests.pure.analysis.walks import Walk, metric, run_of

ENDS = st.sampled_from("SSSFIE")
LIMIT = st.integers(0, 3)


@st.composite
def settings(draw: st.DrawFn, *, finite: bool = True) -> dict[str, Any]:
    """The limits of a metric that upstream takes."""
    found: dict[str, Any] = {
        "interval": "5s",
        "count": draw(st.integers(1, 6)) if finite else draw(st.integers(0, 6)),
        "failureLimit": draw(st.integers(-1, 3)),
        "inconclusiveLimit": draw(LIMIT),
        "consecutiveErrorLimit": draw(LIMIT),
        "consecutiveSuccessLimit": draw(LIMIT),
    }
    return {name: str(value) if draw(st.booleans()) and name != "interval" else value for name, value in found.items()}


def begun(*metrics: dict[str, Any], **spec: Any) -> Walk:
    try:
        return Walk(run_of(*metrics, **spec))
    except Unmeasurable:
        assume(False)
        raise


def oracle(given_: dict[str, Any], ends: str) -> str:
    """What one metric comes to, counted by hand."""
    count, failures, inconclusive, errors, successes = (
        int(given_[name])
        for name in ("count", "failureLimit", "inconclusiveLimit", "consecutiveErrorLimit", "consecutiveSuccessLimit")
    )
    for length in range(1, len(ends) + 1):
        so_far = ends[:length]
        taken = so_far.replace("E", "")
        if len(so_far) - len(so_far.rstrip("E")) > errors:
            return "Error"
        if taken.count("I") > inconclusive:
            return "Inconclusive"
        if failures >= 0 and taken.count("F") > failures:
            return "Failed"
        if successes and len(so_far) - len(so_far.rstrip("S")) >= successes:
            return "Successful"
        if count and len(taken) >= count:
            if not successes:
                return "Successful"
            return "Inconclusive" if failures >= 0 else "Failed"
    return "Running"


@pytest.mark.spec("RO-AN-15")
@given(settings(finite=False), st.lists(ENDS, min_size=1, max_size=14))
def test_one_metric_comes_to_what_counting_by_hand_gives(given_, ends):
    walk = begun(metric(**given_))

    assert walk.play(ends) == oracle(given_, "".join(ends))


@given(st.lists(settings(), min_size=1, max_size=3), st.data())
def test_every_run_of_finite_metrics_ends_and_its_books_are_in_order(all_settings, data):
    walk = begun(*(metric(f"m{n}", **each) for n, each in enumerate(all_settings)))
    for _ in range(200):
        if is_completed(walk.status):
            break
        due = walk.due()
        if not due:
            before = walk.now
            walk._look()
            if not is_completed(walk.status):
                walk.wait()
                assert walk.now >= before
            continue
        walk.measure({name: data.draw(ENDS) for name in due})
        for result in walk.status["metricResults"]:
            sums = sum(result.get(name, 0) for name in ("successful", "failed", "inconclusive"))
            assert result.get("count", 0) == sums
            plan = walk.plan.by_name[result["name"]]
            assert result.get("count", 0) <= (plan.count or 0)
            assert len(result["measurements"]) <= plan.kept
    assert is_completed(walk.status)
    assert walk.status["completedAt"]
    summary = walk.status["runSummary"]
    assert summary["count"] == len(all_settings)
    assert sum(value for name, value in summary.items() if name != "count") <= summary["count"]


@given(st.lists(settings(), min_size=2, max_size=3), st.data())
def test_dry_run_metrics_never_change_the_verdict(all_settings, data):
    own, *others = all_settings
    ends = data.draw(st.lists(ENDS, min_size=8, max_size=8))
    alone = begun(metric("own", **own))
    rules = [{"metricName": "^dry"}]
    along = begun(metric("own", **own), *(metric(f"dry{n}", **each) for n, each in enumerate(others)), dryRun=rules)

    verdict = alone.play(ends, "own")
    pending = iter(ends)
    for _ in range(100):
        due = along.due()
        if not due:
            along._look()
            if is_completed(along.status):
                break
            along.wait()
            continue
        given_ = {name: (next(pending, None) if name == "own" else data.draw(ENDS)) for name in due}
        if None in given_.values():
            break
        along.measure({name: end for name, end in given_.items() if end})
    own_result = next(each for each in along.status["metricResults"] if each["name"] == "own")
    if verdict in COMPLETED:
        assert own_result["phase"] == verdict
        assert along.status["phase"] in (verdict, "Running")


@given(settings(finite=False), st.lists(ENDS, max_size=10), st.lists(ENDS, max_size=4))
def test_a_verdict_is_for_good(given_, ends, more):
    walk = begun(metric(**given_))
    walk.play(ends)
    assume(is_completed(walk.status))
    before = walk.status
    walk.play(more)
    walk.terminate()

    assert walk.status == before


@given(settings(finite=False), st.lists(ENDS, max_size=10))
def test_a_run_that_is_told_to_end_has_a_verdict_at_once(given_, ends):
    walk = begun(metric(**given_))
    walk.play(ends)
    walk.terminate()

    assert is_completed(walk.status)
    assert walk.due() == []


WORDS = st.sampled_from(
    ["metrics", "name", "provider", "job", "spec", "template", "args", "interval", "x", "{{args.x}}"]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | WORDS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=12,
)
FIELDS = st.sampled_from(["count", "interval", "initialDelay", "failureLimit", "provider", "name", "successCondition"])


@given(
    st.dictionaries(FIELDS, JSON), st.dictionaries(st.sampled_from(["args", "dryRun", "measurementRetention"]), JSON)
)
def test_whatever_a_cluster_lets_pass_there_is_a_plan_or_a_reason(changed, spec):
    run = {"metadata": {"name": "r"}, "spec": {"metrics": [{**metric(), **changed}], **spec}}
    reason = ""
    try:
        run_plan(run)
    except Unmeasurable as error:
        reason = str(error)
    assert not reason or reason.startswith(("Analysis spec invalid: ", "Unable to resolve metric arguments: "))


@given(JSON)
def test_whatever_a_jobs_spec_is_there_is_a_job_for_the_api_server_to_judge(spec):
    run = {"metadata": {"name": "r", "namespace": "n", "uid": "u"}}
    job = {"name": "m", "provider": {"job": {"spec": spec if isinstance(spec, dict) else {"template": spec}}}}

    assert manifest(run, job, 1)["metadata"]["name"] == "u.m.1"
