"""The harness sees what it claims to see: pods that are gone, how they ended, processes that still run."""

from __future__ import annotations

from collections.abc import Sequence

import anyio
import pytest

from actors.workflow.state import WORKFLOWS
from runtime.objects import PODS, Object, reference
from tests.conformance.cluster import processes_left, refusal, site
from tests.conformance.harness import run
from tests.conformance.table import Trial
from tests.conformance.verdict import problems
from tests.machine import skip_where_plain


def _workflow(name: str, command: Sequence[str]) -> Object:
    container = {"image": "busybox", "command": list(command)}
    spec = {"entrypoint": "main", "templates": [{"name": "main", "container": container}]}
    return {"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "metadata": {"name": name}, "spec": spec}


@pytest.fixture(autouse=True)
async def _namespaces() -> None:
    if reason := await refusal():
        skip_where_plain(reason)


async def test_a_process_of_a_running_pod_is_seen_and_is_gone_after_the_end() -> None:
    """Without this the check that nothing is left could never fail."""
    async with site() as here:
        await here.namespace("spaced")
        workflow = await here.apply("spaced", _workflow("long", ["sleep", "1000"]))
        pods = here.observer.pods

        def running() -> bool:
            records = pods.get("spaced", {}).values()
            return any((one.object.get("status") or {}).get("phase") == "Running" for one in records)

        with anyio.fail_after(20):
            await here.observer.until(running)
            assert set(processes_left(here.observer)) == {"long"}
            await here.api.delete(reference(WORKFLOWS, workflow))
            await here.observer.until(lambda: all(one.gone for one in pods["spaced"].values()))
        assert processes_left(here.observer) == {}


async def test_a_pod_that_is_deleted_is_remembered_with_its_end() -> None:
    async with site() as here:
        await here.namespace("spaced")
        await here.apply("spaced", _workflow("short", ["sh", "-c", "exit 7"]))
        pods = here.observer.pods
        with anyio.fail_after(20):
            await here.observer.until(lambda: any(one.ended for one in pods.get("spaced", {}).values()))
            (record,) = pods["spaced"].values()
            await here.api.delete(reference(PODS, record.object))
            await here.observer.until(lambda: record.gone)
        assert record.ends["main"]["exitCode"] == 7


async def test_a_trial_that_does_not_end_is_given_up_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.conformance.table.LIMIT_S", 0.5)
    expect = {"phase": "Succeeded"}
    endless = Trial("endless.yaml", False, [_workflow("endless", ["sleep", "1000"])], expect, [], 0.0)
    async with site() as here:
        outcome = await run(here, endless)
    assert "not finished after 0.5 s" in problems(outcome, expect)[0]


async def test_objects_without_a_namespace_cannot_silently_differ_between_trials() -> None:
    template = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "ClusterWorkflowTemplate",
        "metadata": {"name": "shared"},
        "spec": {"templates": [{"name": "main", "container": {"image": "busybox", "command": ["true"]}}]},
    }
    async with site() as here:
        await here.apply("", template)
        await here.apply("", template)
        with pytest.raises(ValueError, match="another trial has a different one"):
            await here.apply("", {**template, "spec": {"templates": []}})
