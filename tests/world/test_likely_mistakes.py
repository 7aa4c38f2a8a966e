"""What is most likely to be built wrongly of Argo Workflows: each has a test that is named after the promise.

The table names them all; those that no other file had a reason to make are here.
"""

from __future__ import annotations

import ast
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

from runtime.api import Api, Gone, Refused
from runtime.objects import PODS, Object, Resource
from tests.world.flows import flow, named, phases, run, table
from tests.world.world import Outcome, world

pytestmark = pytest.mark.virtual_time

ROOT = Path(__file__).parents[2]

FIELDS, OPERATIONS = "tests/pure/pods/test_manifest_fields.py", "tests/pure/operations/test_retry_and_resubmit.py"
HERE = "tests/world/test_likely_mistakes.py"
PROMISES = {
    1: ("tests/pure/names/test_names.py", "test_node_ids_and_pod_names_match_upstream"),
    2: ("tests/world/test_dag.py", "test_a_dag_keeps_an_error_an_error"),
    3: ("tests/world/test_dag.py", "test_a_later_success_on_the_branch_repairs_it"),
    4: ("tests/pure/language/test_depends.py", "test_a_bare_name_means_it_went_well_enough_and_omission_cascades"),
    5: ("tests/world/test_dag.py", "test_a_dag_that_fails_fast_kills_nothing"),
    6: ("tests/pure/language/test_vectors.py", "test_when_gives_what_govaluate_gives_down_to_the_message"),
    7: ("tests/pure/language/test_tags.py", "test_a_value_that_looks_like_a_tag_is_not_read_again"),
    8: ("tests/world/test_absent.py", "test_a_pure_reference_leaves_the_consumers_default"),
    9: ("tests/world/test_parameters.py", "test_output_is_captured_only_when_somebody_refers_to_it"),
    10: ("tests/world/test_retries.py", "test_a_limit_counts_what_comes_after_the_first_attempt"),
    11: ("tests/pure/engine/test_retry_policy.py", "test_waiting_needs_a_limit"),
    12: ("tests/world/test_retries.py", "test_the_workflows_strategy_is_that_of_every_template_without_one"),
    13: ("tests/world/test_hooks.py", "test_an_exit_handlers_end_counts_only_after_a_success"),
    14: ("tests/world/test_hooks.py", "test_a_stop_lets_the_exit_handlers_of_steps_run_and_a_terminate_does_not"),
    15: ("tests/world/test_timeouts.py", "test_exit_handlers_of_steps_and_workflow_ignore_the_deadline"),
    16: ("tests/world/test_daemons.py", "test_a_daemon_that_ends_by_itself_before_it_is_ready_fails"),
    17: (HERE, "test_a_node_succeeds_with_its_outputs_and_no_object_beside_its_pod"),
    18: ("tests/pure/pods/test_assess.py", "test_the_node_follows_the_pod"),
    19: ("tests/world/test_loops.py", "test_skipped_and_failed_items_leave_no_hole_in_the_list"),
    20: (HERE, "test_an_artifact_argument_takes_the_place_of_all_but_where_the_file_goes"),
    21: ("tests/world/test_memo.py", "test_what_was_done_while_it_waited_for_its_lock_is_not_done_again"),
    22: (HERE, "test_an_error_is_kept_for_completions_time_alone"),
    23: ("tests/world/test_cron.py", "test_forbid_lets_one_skipped_run_begin_late_within_the_deadline"),
    24: ("tests/world/test_templates.py", "test_what_was_referred_to_first_is_what_runs_whatever_becomes_of_it"),
    25: ("tests/world/test_runs.py", "test_an_unfit_workflow_fails_with_a_sentence_and_runs_nothing"),
    26: (HERE, "test_a_list_of_no_items_is_no_loop"),
    27: ("tests/world/test_parameters.py", "test_failures_are_encoded_twice_and_null_when_there_are_none"),
    28: ("tests/world/test_retries.py", "test_an_attempt_knows_the_one_before_it"),
    29: (FIELDS, "test_the_patch_has_the_last_word_the_templates_after_the_workflows"),
    30: ("tests/world/test_runs.py", "test_a_pod_that_vanishes_is_an_error"),
    31: ("tests/world/test_parameters.py", "test_a_value_is_kept_as_text_and_a_list_or_map_is_nothing"),
    32: ("tests/pure/language/test_paths.py", "test_a_failure_condition_fails_on_its_first_match"),
    33: ("tests/world/test_dag.py", "test_a_looped_task_is_a_task_group_that_ignores_continue_on"),
    34: (HERE, "test_a_quota_that_is_used_up_is_waited_for"),
    35: ("tests/world/test_absent.py", "test_a_template_output_that_points_at_it_has_its_own_default_or_is_an_error"),
    36: ("tests/world/test_artifact_gc.py", "test_each_artifact_goes_at_its_own_time_and_the_workflow_after_them"),
    37: (OPERATIONS, "test_a_retry_takes_away_what_failed_and_opens_what_is_around_it"),
    38: ("tests/world/test_cron.py", "test_schedules_that_name_the_same_minute_run_once"),
    39: ("tests/world/test_loops.py", "test_a_sequence_counts_either_way"),
    40: ("tests/world/test_runs.py", "test_a_template_may_name_its_nodes"),
}  # fmt: skip


@lru_cache
def known_in(file: str) -> frozenset[str]:
    tree = ast.parse((ROOT / file).read_text())
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


@pytest.mark.parametrize("number", PROMISES)
def test_every_likely_mistake_has_a_test(number: int) -> None:
    file, name = PROMISES[number]
    assert name in known_in(file)


# -------------------------------------------------------------------------------------------------- 17


@pytest.mark.spec("KIND-7")
async def test_a_node_succeeds_with_its_outputs_and_no_object_beside_its_pod() -> None:
    results = Resource("argoproj.io/v1alpha1", "WorkflowTaskResult", "workflowtaskresults")
    steps = (
        "[[{name: a, template: make}], [{name: b, template: leaf, arguments: {parameters: [{name: m, value: %s}]}}]]"
    )
    text = flow("  - {name: main, steps: " + steps % "'{{steps.a.outputs.parameters.p}}'" + "}")
    async with world(table(a=Outcome(parameters={"p": "made"}))) as here:
        seen = []
        async with here.api.watch(here.workflows, resource_version="0") as events:
            ref = await here.submit(text)
            async for event in events:
                node = next((n for n in nodes_of(event.object) if n["name"] == "w[0].a"), None)
                if node is not None and node["phase"] == "Succeeded":
                    seen.append((node.get("outputs") or {}).get("parameters"))
                if event.object.get("status", {}).get("finishedAt"):
                    break
        await here.end_of(ref)

        assert seen
        assert all(parameters and parameters[0]["value"] == "made" for parameters in seen)
        assert (await here.api.list(results)).items == []


def nodes_of(workflow: Object) -> list[dict[str, Any]]:
    return list(((workflow.get("status") or {}).get("nodes") or {}).values())


# ------------------------------------------------------------------------------------------------------ 20


@pytest.mark.spec("ART-2")
async def test_an_artifact_argument_takes_the_place_of_all_but_where_the_file_goes() -> None:
    text = """
  - name: main
    steps:
    - - name: a
        template: take
        arguments: {artifacts: [{name: code, raw: {data: hello}, archive: {none: {}}}]}
  - name: take
    inputs:
      artifacts:
      - {name: code, path: /code, mode: 493, optional: true, archive: {zip: {}}, git: {repo: "https://example.com/r"}}
    container: {image: busybox, command: [cat, /code]}
"""
    thing = await run(flow(text))
    (artifact,) = named(thing)["w[0].a"]["inputs"]["artifacts"]

    assert artifact["raw"] == {"data": "hello"}
    assert (artifact["path"], artifact["mode"], artifact["archive"]) == ("/code", 493, {"none": {}})
    assert "git" not in artifact


# ------------------------------------------------------------------------------------------------------ 22


@pytest.mark.spec("TTL-1")
async def test_an_error_is_kept_for_completions_time_alone() -> None:
    text = flow("  - {name: main, container: {image: busybox, command: [x]}}", ttlStrategy="{secondsAfterFailure: 5}")
    text = text.replace("  entrypoint: main", "  entrypoint: main\n  artifactRepositoryRef: {configMap: nowhere}")
    async with world(table()) as here:
        ref = await here.submit(text)
        assert (await here.end_of(ref))["status"]["phase"] == "Error"
        await here.after(120)
        await here.api.get(ref)
        other = text.replace("secondsAfterFailure: 5", "secondsAfterFailure: 500, secondsAfterCompletion: 10")
        gone = await here.submit(other, "gone")
        await here.end_of(gone)
        await here.after(15)
        with pytest.raises(Gone):
            await here.api.get(gone)


@pytest.mark.spec("TTL-2")
async def test_what_is_being_archived_stays_until_that_is_done() -> None:
    label = "workflows.argoproj.io/workflow-archiving-status"
    text = flow(
        "  - {name: main, container: {image: busybox, command: [x]}}", ttlStrategy="{secondsAfterCompletion: 10}"
    )
    async with world(table()) as here:
        ref = await here.submit(f"metadata: {{labels: {{{label}: Pending}}}}\n{text}")
        await here.end_of(ref)
        await here.after(60)
        await here.api.patch(ref, {"metadata": {"labels": {label: "Archived"}}})
        await here.after(1)
        with pytest.raises(Gone):
            await here.api.get(ref)


# ------------------------------------------------------------------------------------------------- 26 and 34


@pytest.mark.spec("LOOP-1")
async def test_a_list_of_no_items_is_no_loop() -> None:
    thing = await run(flow("  - {name: main, steps: [[{name: a, template: leaf, withItems: []}]]}"))

    assert phases(thing) == {"w": "Succeeded", "w[0]": "Succeeded", "w[0].a": "Succeeded"}
    assert named(thing)["w[0].a"]["type"] == "Pod"


@pytest.mark.spec("OPS-7")
async def test_a_quota_that_is_used_up_is_waited_for() -> None:
    refusals = iter([True, True, False, False])

    class Full:
        """An API server whose quota is used up for a while."""

        def __init__(self, api: Api) -> None:
            self._api = api

        def __getattr__(self, name: str) -> Any:
            return getattr(self._api, name)

        async def create(self, resource: Resource, thing: Object, *, dry_run: bool = False) -> Object:
            if resource == PODS and next(refusals):
                raise Refused('pods "w" is forbidden: exceeded quota: few, requested: pods=1', code=403)
            return await self._api.create(resource, thing, dry_run=dry_run)

    async with world(table(), coat=Full) as here:
        ref = await here.submit(flow("  - {name: main, container: {image: busybox, command: [x]}}"))
        await here.after(0.5)
        (node,) = nodes_of(await here.api.get(ref))
        assert node["phase"] == "Pending"
        assert "exceeded quota" in node["message"]
        assert (await here.end_of(ref))["status"]["phase"] == "Succeeded"
