"""The kinds of `argoproj.io/v1alpha1` that users and controllers write, and how a cluster lists them."""

from __future__ import annotations

from typing import NamedTuple

GROUP = "argoproj.io"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"


class Column(NamedTuple):
    """A column of `kubectl get`."""

    name: str
    path: str
    type: str = "string"
    description: str = ""


class Scale(NamedTuple):
    """Where autoscalers read and write: JSON paths."""

    replicas: str
    status: str
    selector: str


class Kind(NamedTuple):
    """One kind: its names, its scope, and the module that describes it."""

    name: str
    plural: str
    short_names: tuple[str, ...]
    module: str
    namespaced: bool = True
    status_subresource: bool = False
    columns: tuple[Column, ...] = ()
    scale: Scale | None = None


WORKFLOW_COLUMNS = (
    Column("Status", ".status.phase", description="Phase of the workflow"),
    Column("Age", ".status.startedAt", "date", "When the workflow started"),
    Column("Message", ".status.message", description="Why the workflow is in this phase"),
)

AGE = Column("Age", ".metadata.creationTimestamp", "date", "Time since resource was created")
ANALYSIS_COLUMNS = (Column("Status", ".status.phase", description="AnalysisRun status"), AGE)
EXPERIMENT_COLUMNS = (Column("Status", ".status.phase", description="Experiment status"), AGE)

ROLLOUT_COLUMNS = (
    Column("Desired", ".spec.replicas", "integer", "Pods that are wished"),
    Column("Current", ".status.replicas", "integer", "Pods of all versions that have not ended"),
    Column("Up-to-date", ".status.updatedReplicas", "integer", "Pods of the present template"),
    Column("Available", ".status.availableReplicas", "integer", "Pods that have been ready for minReadySeconds"),
    AGE,
)
ROLLOUT_SCALE = Scale(".spec.replicas", ".status.HPAReplicas", ".status.selector")

# Workflow and CronWorkflow have no status subresource: upstream's clients write `status` by PUT of the whole object.
KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("Workflow", "workflows", ("wf",), "crds.workflow", columns=WORKFLOW_COLUMNS),
        Kind("WorkflowTemplate", "workflowtemplates", ("wftmpl",), "crds.workflow"),
        Kind(
            "ClusterWorkflowTemplate",
            "clusterworkflowtemplates",
            ("clusterwftmpl", "cwft"),
            "crds.workflow",
            namespaced=False,
        ),
        Kind("CronWorkflow", "cronworkflows", ("cwf", "cronwf"), "crds.workflow"),
        Kind("WorkflowEventBinding", "workfloweventbindings", ("wfeb",), "crds.internal"),
        Kind("WorkflowTaskSet", "workflowtasksets", ("wfts",), "crds.internal", status_subresource=True),
        Kind("WorkflowTaskResult", "workflowtaskresults", (), "crds.internal"),
        Kind("WorkflowArtifactGCTask", "workflowartifactgctasks", ("wfat",), "crds.internal", status_subresource=True),
        Kind(
            "Rollout",
            "rollouts",
            ("ro",),
            "crds.rollout",
            status_subresource=True,
            columns=ROLLOUT_COLUMNS,
            scale=ROLLOUT_SCALE,
        ),
        Kind("AnalysisTemplate", "analysistemplates", ("at",), "crds.analysis", columns=(AGE,)),
        Kind(
            "ClusterAnalysisTemplate",
            "clusteranalysistemplates",
            ("cat",),
            "crds.analysis",
            namespaced=False,
            columns=(AGE,),
        ),
        Kind("AnalysisRun", "analysisruns", ("ar",), "crds.analysis", columns=ANALYSIS_COLUMNS),
        Kind("Experiment", "experiments", ("exp",), "crds.experiment", columns=EXPERIMENT_COLUMNS),
    )
}
