"""Every end-to-end case of upstream's suite, and the tests of ours that keep the same promise.

`python -m tests.rollouts --cases` prints the table; docs/rollouts.md has it.

Marks: K a plain cluster, I Ingress objects, C a router's kinds without its controller, P a plugin's binary, A AWS
itself, X the Internet. K, I and C run here, on the dev cluster's API and controllers, in virtual time. Of the others those
are named whose promise can be kept without what they need: the Internet is played by scripts, plugins by functions.
"""

# ruff: noqa: E501  a table has one line for each case

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]

TOLD = """
functional K RolloutAbortRetryPromote: canary::events_of_abort_retry_and_the_end_come_in_upstreams_order
functional K CanaryPromoteFull: upstream_analyses::CanaryPromoteFull
functional K BlueGreenPromoteFull: upstream_analyses::BlueGreenPromoteFull
functional K RolloutRestart: pods::a_restart_evicts_as_many_as_may_be_missing
functional K RolloutPDBRestart: upstream_cases::RolloutPDBRestart
functional K RolloutPodVolumesItemsSpec: upstream_cases::RolloutPodVolumesItemsSpec
functional K MalformedRollout: bad_input::malformed_quantities_are_dropped_and_equal_ones_are_equal
functional K MalformedRolloutEphemeralCtr: upstream_cases::MalformedRolloutEphemeralCtr
functional K ContainerResourceFormats: bad_input::malformed_quantities_are_dropped_and_equal_ones_are_equal
functional K RolloutGoodToBadUpdate: canary::a_second_bad_version_replaces_the_first_and_stable_stays
functional K RolloutBadToGoodUpdate: upstream_cases::RolloutBadToGoodUpdate
functional K RolloutBadToBadUpdate: upstream_cases::RolloutBadToBadUpdate
functional K RolloutBadToGoodSetWeightUpdate: upstream_cases::RolloutBadToGoodUpdate
functional K BlueGreenUpdate: blue_green::an_update_switches_and_the_old_version_lingers
functional K BlueGreenToCanary: blue_green::switching_to_a_canary_gives_the_service_its_plain_selector_back
functional K FixInvalidSpec: bad_input::what_is_missing_may_come_later
functional K BlueGreenScaleDownDelay: blue_green::the_revision_limit_of_the_delay
functional K BlueGreenExceedProgressDeadlineAbort: upstream_cases::BlueGreenExceedProgressDeadlineAbort
functional K BlueGreenScaleDownOnAbort: blue_green::an_aborted_preview_goes_after_its_delay
functional K KubectlWaitForPaused: upstream_cases::KubectlWaitForPausedAndCompleted
functional K KubectlWaitForCompleted: upstream_cases::KubectlWaitForPausedAndCompleted
functional K CompleteRolloutRestart: upstream_cases::CompleteRolloutRestart
functional K WorkloadRefTemplate: workload::a_template_beside_the_reference_is_refused
functional K WorkloadRef: workload::its_whole_life
functional K ControllerMetrics: e2e/controller::a_controller_runs_what_is_submitted_and_says_how_it_is
functional K RolloutPauseDurationGreaterThanProgressDeadlineSeconds: upstream_cases::RolloutPauseDurationGreaterThanProgressDeadlineSeconds
functional K ScaleDownOnSuccess: workload::how_the_deployment_is_scaled_down
functional K ScaleDownProgressively: workload::how_the_deployment_is_scaled_down
functional K NeverScaleDown: workload::how_the_deployment_is_scaled_down
functional K ScaleDownProgressivelyCompleted: workload::a_deployment_that_was_scaled_down_stays_so
functional K ScaleDownProgressivelyCompletedCanary: workload::a_deployment_that_was_scaled_down_stays_so
functional K SpecAndReplicaChangeSameTime: blue_green::scaling_and_a_new_template_at_once
functional K BlueGreenPreviewReplicaCountPromoteFull: upstream_cases::BlueGreenPreviewReplicaCountPromoteFull
canary I CanarySetCanaryScale: routed::set_canary_scale_decouples_pods_from_the_weight
canary K RolloutScalingWhenPaused: upstream_cases::RolloutScalingWhenPaused
canary K RolloutWithMaxSurgeScalingDuringUpdate: canary::a_surge_of_all_lets_scaling_through
canary K RolloutScalingDuringUpdate: canary::scaling_during_an_update_whose_canary_never_serves
canary K ReduceWeightAndHonorMaxUnavailable: upstream_cases::ReduceWeightAndHonorMaxUnavailable, upstream_cases::ReduceWeightByAbort
canary K EphemeralMetadata: pods::ephemeral_labels_follow_the_role_and_restart_no_pod
canary K CanaryProgressDeadlineExceededWithPause: upstream_cases::CanaryProgressDeadlineExceededWithPause
canary I CanaryScaleDownDelayWithProgressDeadline: upstream_delays::CanaryScaleDownDelayWithProgressDeadline
canary I CanaryScaleDownDelay: upstream_delays::CanaryScaleDownDelay
canary I CanaryScaleDownOnAbort: upstream_delays::CanaryScaleDownOnAbort
canary K CanaryScaleDownOnAbortNoTrafficRouting: canary::after_an_abort_both_services_select_stable
canary K CanaryWithPausedRollout: upstream_cases::CanaryWithPausedRollout
canary I CanaryUnScaleDownOnAbort: upstream_delays::CanaryUnScaleDownOnAbort
canary I CanaryDynamicStableScale: upstream_delays::CanaryDynamicStableScale
canary I CanaryDynamicStableScaleAbortScaleDownDelay: upstream_delays::CanaryDynamicStableScaleAbortScaleDownDelay
canary I CanaryDynamicStableScaleRollbackToStable: routed::going_back_to_stable_with_dynamic_scale_keeps_the_traffic_until_stable_is_back
canary K CanaryWithSpecPause: upstream_cases::CanaryWithSpecPause
bluegreen K EphemeralMetadata: pods::blue_green_labels
bluegreen K BlueGreenProgressDeadlineExceededWithPause: blue_green::a_deadline_without_abort_degrades_while_pods_are_slow_and_recovers
bluegreen K BlueGreenProgressDeadlineExceededWithoutPause: upstream_cases::BlueGreenProgressDeadlineExceededWithoutPause
bluegreen K BlueGreenPreviewReplicaCount: blue_green::manual_promotion_with_a_small_preview
analysis K CanaryBackgroundAnalysis: upstream_analyses::CanaryBackgroundAnalysis
analysis X CanaryInconclusiveBackgroundAnalysis: analysis::an_inconclusive_background_run_holds_even_a_timed_pause
analysis K CanaryInlineAnalysis: upstream_analyses::CanaryInlineAnalysis
analysis K CanaryInlineMultipleAnalysis: upstream_analyses::CanaryInlineMultipleAnalysis
analysis K CanaryFailInlineMultipleAnalysis: upstream_analyses::CanaryFailInlineMultipleAnalysis
analysis K BlueGreenAnalysis: upstream_analyses::BlueGreenAnalysis
analysis K BlueGreenPrePromotionFail: upstream_analyses::BlueGreenPrePromotionFail
analysis K BlueGreenPostPromotionFail: upstream_analyses::BlueGreenPostPromotionFail
analysis K BlueGreenAbortAndUpdate: upstream_analyses::BlueGreenAbortAndUpdate
analysis K BlueGreenKitchenSink: upstream_analyses::BlueGreenKitchenSink
analysis X MultipleAnalysis: pure/analysis/templates::templates_are_gathered_depth_first_each_once_those_of_the_cluster_last
analysis X AnalysisWithSecret: analysis/secrets::a_secret_reaches_the_provider_and_no_message
analysis X AnalysisWithArgs: pure/analysis/templates::what_is_passed_overrides_and_what_nobody_declares_is_left_out
analysis X BackgroundAnalysisWithArgs: pure/analysis/templates::what_is_passed_overrides_and_what_nobody_declares_is_left_out
analysis K CanaryInlineAnalysisLongRunningJobWithDeadline: upstream_analyses::LongRunningJobWithDeadline
analysis K CanaryBackgroundAnalysisLongRunningJobWithDeadline: upstream_analyses::LongRunningJobWithDeadline
analysis K CanaryBackgroundAnalysisLongRunningJob: upstream_analyses::CanaryBackgroundAnalysisLongRunningJob
analysis K CanaryInlineAnalysisInvalidImageJob: upstream_analyses::InvalidImageJob
analysis K CanaryBackgroundAnalysisInvalidImageJob: upstream_analyses::InvalidImageJob
duration K CanaryDuration_InitialRollout: durations::waiting_for_a_person_is_counted
duration K CanaryDuration_SpecPaused: durations::a_users_pause_is_counted
duration K CanaryDuration_PauseStep: durations::a_pause_that_ends_by_itself_is_not_counted
duration K CanaryDuration_IndefinitePauseStep: durations::waiting_for_a_person_is_counted
duration K CanaryDuration_FullyPromoted: durations::full_promotion_superseded_and_rolled_back
duration K CanaryDuration_Abort: durations::abort_and_retry
duration K CanaryDuration_Retry: durations::abort_and_retry
duration K CanaryDuration_SupersededRollout: durations::full_promotion_superseded_and_rolled_back
duration K CanaryDuration_SupersededRollback: durations::full_promotion_superseded_and_rolled_back
duration K CanaryDuration_RollbackOutsideWindow: durations::going_back_within_the_window_and_beyond_it
duration K CanaryDuration_RollbackInsideWindow: durations::going_back_within_the_window_and_beyond_it
duration K CanaryDuration_ScalingOnly: durations::scaling_alone_is_no_update
duration K BlueGreenDuration_InitialRollout: durations::waiting_for_a_person_is_counted
duration K BlueGreenDuration_SpecPaused: durations::a_users_pause_is_counted
duration K BlueGreenDuration_AutoPromotion: durations::a_pause_that_ends_by_itself_is_not_counted
duration K BlueGreenDuration_ManualPromotion: durations::waiting_for_a_person_is_counted
duration K BlueGreenDuration_FullyPromoted: durations::full_promotion_superseded_and_rolled_back
duration K BlueGreenDuration_Abort: durations::abort_and_retry
duration K BlueGreenDuration_Retry: durations::abort_and_retry
duration K BlueGreenDuration_SupersededRollout: durations::full_promotion_superseded_and_rolled_back
duration K BlueGreenDuration_SupersededRollback: durations::going_back_while_the_old_version_still_runs_is_fast
duration K BlueGreenDuration_SupersededRollbackToStable: durations::full_promotion_superseded_and_rolled_back
duration K BlueGreenDuration_RollbackOutsideWindow: durations::going_back_within_the_window_and_beyond_it
duration K BlueGreenDuration_RollbackInsideWindow: durations::going_back_within_the_window_and_beyond_it
duration K BlueGreenDuration_ScalingOnly: durations::scaling_alone_is_no_update
experiment K RolloutWithExperimentAndAnalysis: upstream_experiments::RolloutWithExperimentAndAnalysis
experiment K ExperimentWithServiceAndScaleDownDelay: analysis/experiments::a_service_is_there_as_long_as_pods_are
experiment K ExperimentWithServiceNameAndScaleDownDelay: analysis/experiments::a_service_is_there_as_long_as_pods_are
experiment K ExperimentWithMultiportServiceAndScaleDownDelay: analysis/experiments::a_service_has_every_port_of_the_pods, analysis/experiments::a_service_is_there_as_long_as_pods_are
experiment K ExperimentWithDryRunMetrics: upstream_experiments::ExperimentWithDryRunMetrics
experiment K ExperimentWithMeasurementRetentionMetrics: upstream_experiments::ExperimentWithMeasurementRetentionMetrics
rollback_window K RollbackAnalysisWithinWindow: upstream_analyses::RollbackAnalysisWindow
rollback_window K RollbackAnalysisOutsideWindow: upstream_analyses::RollbackAnalysisWindow
istio C IstioHostSplit: upstream_mesh::IstioHostSplit
istio C IstioHostSplitOnlyTls: upstream_mesh::IstioHostSplit
istio C IstioSubsetSplit: upstream_mesh::IstioSubsetSplit
istio C IstioSubsetSplitSingleRoute: upstream_mesh::IstioSubsetSplit
istio C IstioAbortUpdate: upstream_mesh::IstioAbortUpdate
istio C IstioUpdateInMiddleZeroCanaryReplicas: upstream_mesh::IstioUpdateInMiddleZeroCanaryReplicas
istio C IstioAbortUpdateDeleteAllCanaryPods: upstream_mesh::IstioAbortUpdateDeleteAllCanaryPods
istio C IstioHostSplitExperimentStep: upstream_mesh::IstioExperimentStep
istio C IstioSubsetSplitExperimentStep: upstream_mesh::IstioExperimentStep
istio C IstioPingPongUpdate: upstream_mesh::IstioPingPongUpdate
istio C IstioSubsetSplitInStableDownscaleAfterCanaryAbort: upstream_mesh::IstioSubsetSplitInStableDownscaleAfterCanaryAbort
header_route C IstioHostHeaderRoute: upstream_mesh::IstioHostHeaderRoute
mirror_route C IstioHostMirrorRoute: upstream_mesh::IstioHostMirrorRoute
smi C SMIExperimentStep: upstream_ingresses::SMIExperimentStep
smi_ingress C SMIIngressCanaryStep: upstream_ingresses::SMIIngressCanaryStep
apisix C APISIXCanaryStep: upstream_ingresses::APISIXCanaryStep
apisix C APISIXCanarySetHeaderStep: upstream_ingresses::APISIXCanarySetHeaderStep
appmesh C AppMeshCanaryRollout: appmesh::AppMeshCanaryRollout
aws A ALBCanaryUpdate: balancers::a_step_waits_until_every_load_balancer_has_its_weight
aws A ALBCanaryUpdateMultiIngress: balancers::a_step_waits_until_every_load_balancer_has_its_weight
aws A ALBBlueGreenUpdate: -
aws I ALBPingPongUpdate: upstream_ingresses::ALBPingPongUpdate
aws I ALBPingPongUpdateMultiIngress: upstream_ingresses::ALBPingPongUpdate
aws I+C ALBMesh_PingPong_StableCanary_Update: upstream_ingresses::ALBMesh_PingPong_StableCanary_Update
aws I ALBExperimentStep: upstream_ingresses::ALBExperimentStep
aws I ALBExperimentStepMultiIngress: upstream_ingresses::ALBExperimentStep
aws I ALBExperimentStepNoSetWeight: upstream_ingresses::ALBExperimentStep
aws I ALBExperimentStepNoSetWeightMultiIngress: upstream_ingresses::ALBExperimentStep
aws I AlbHeaderRoute: upstream_ingresses::AlbHeaderRoute
aws I AlbHeaderRouteMultiIngress: upstream_ingresses::AlbHeaderRoute
step_plugin P RolloutCompletesWhenStepSuccessful: plugins::steps_that_succeed
step_plugin P RolloutAbortWhenStepFails: plugins::a_step_that_fails_aborts_and_undoes_what_was_done
step_plugin P RolloutAbortStepsWhenAborted: plugins::an_abort_undoes_in_reverse_and_a_retry_begins_anew
step_plugin P RolloutRetryAbortedRollout: plugins::an_abort_undoes_in_reverse_and_a_retry_begins_anew
step_plugin P RolloutCompletesWhenPromotedAndStepRunning: plugins::full_promotion_terminates_what_runs
step_plugin P RolloutRetriesUntilDeadlineWhenRunning: plugins::a_running_step_is_asked_again_after_its_pause_until_the_deadline
step_plugin P RolloutRetriesUntilDeadlineWhenError: plugins::an_error_waits_half_a_minute_and_keeps_the_state
step_plugin P RolloutStatusIsNotUsedOnNewRollout: plugins::a_new_template_begins_without_the_state_of_the_one_before
step_plugin P RolloutErrorWhenStepPluginNotConfigured: plugins::an_unknown_plugin_is_told_and_the_deadline_ends_it
step_plugin P RolloutSkipPluginWhenDisabled: plugins::a_disabled_plugin_is_skipped
"""

EXCEPTED = {
    "ALBBlueGreenUpdate": "needs load balancers of AWS",
}
"""Cases without a test of ours, and why."""


class Case(NamedTuple):
    """One of upstream's cases."""

    suite: str
    mark: str
    name: str
    tests: tuple[str, ...]  # `canary::x` is test_x of tests/rollouts/test_canary.py


def cases() -> Iterator[Case]:
    """All of them, in upstream's order."""
    for line in TOLD.strip().splitlines():
        head, _, tests = line.partition(": ")
        suite, mark, name = head.split()
        yield Case(suite, mark, name, () if tests == "-" else tuple(tests.split(", ")))


def place(test: str) -> tuple[Path, str]:
    """The file and the function of a test."""
    module, _, name = test.partition("::")
    folder, _, file = module.rpartition("/")
    return ROOT / "tests" / (folder or "rollouts") / f"test_{file}.py", f"test_{name}"


def functions(path: Path) -> set[str]:
    """The test functions of a file."""
    found = ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if path.exists() else ()
    return {node.name for node in found if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def table() -> Iterator[str]:
    """The table, in Markdown."""
    yield "| upstream | mark | case | here |"
    yield "|---|---|---|---|"
    for case in cases():
        here = ", ".join(f"`{test}`" for test in case.tests) or f"none: {EXCEPTED[case.name]}"
        yield f"| {case.suite} | {case.mark} | {case.name} | {here} |"
