"""The kinds of argoproj.io, as (group and version, kind, plural, namespaced)."""

from __future__ import annotations

from typing import Final

ARGO_API_VERSION: Final = "argoproj.io/v1alpha1"

WORKFLOW: Final = (ARGO_API_VERSION, "Workflow", "workflows", True)
WORKFLOW_TEMPLATE: Final = (ARGO_API_VERSION, "WorkflowTemplate", "workflowtemplates", True)
CLUSTER_WORKFLOW_TEMPLATE: Final = (ARGO_API_VERSION, "ClusterWorkflowTemplate", "clusterworkflowtemplates", False)
CRON_WORKFLOW: Final = (ARGO_API_VERSION, "CronWorkflow", "cronworkflows", True)
WORKFLOW_EVENT_BINDING: Final = (ARGO_API_VERSION, "WorkflowEventBinding", "workfloweventbindings", True)
WORKFLOW_TASK_SET: Final = (ARGO_API_VERSION, "WorkflowTaskSet", "workflowtasksets", True)
WORKFLOW_TASK_RESULT: Final = (ARGO_API_VERSION, "WorkflowTaskResult", "workflowtaskresults", True)
WORKFLOW_ARTIFACT_GC_TASK: Final = (ARGO_API_VERSION, "WorkflowArtifactGCTask", "workflowartifactgctasks", True)

ROLLOUT: Final = (ARGO_API_VERSION, "Rollout", "rollouts", True)
ANALYSIS_TEMPLATE: Final = (ARGO_API_VERSION, "AnalysisTemplate", "analysistemplates", True)
CLUSTER_ANALYSIS_TEMPLATE: Final = (ARGO_API_VERSION, "ClusterAnalysisTemplate", "clusteranalysistemplates", False)
ANALYSIS_RUN: Final = (ARGO_API_VERSION, "AnalysisRun", "analysisruns", True)
EXPERIMENT: Final = (ARGO_API_VERSION, "Experiment", "experiments", True)

ARGO_WORKFLOW_KINDS: Final = (
    WORKFLOW,
    WORKFLOW_TEMPLATE,
    CLUSTER_WORKFLOW_TEMPLATE,
    CRON_WORKFLOW,
    WORKFLOW_EVENT_BINDING,
    WORKFLOW_TASK_SET,
    WORKFLOW_TASK_RESULT,
    WORKFLOW_ARTIFACT_GC_TASK,
)
