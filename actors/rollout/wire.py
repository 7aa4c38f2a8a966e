"""The kinds, labels and annotations of a Rollout's objects: upstream's, key by key, since its plugin reads them."""

from __future__ import annotations

from typing import Final

from actors.names.podhash import HASH_LABEL
from runtime.objects import Resource

ROOM: Final = "rollout"

ROLLOUTS: Final = Resource("argoproj.io/v1alpha1", "Rollout", "rollouts")
ANALYSIS_RUNS: Final = Resource("argoproj.io/v1alpha1", "AnalysisRun", "analysisruns")
EXPERIMENTS: Final = Resource("argoproj.io/v1alpha1", "Experiment", "experiments")
ANALYSIS_TEMPLATES: Final = Resource("argoproj.io/v1alpha1", "AnalysisTemplate", "analysistemplates")
CLUSTER_TEMPLATES: Final = Resource(
    "argoproj.io/v1alpha1", "ClusterAnalysisTemplate", "clusteranalysistemplates", namespaced=False
)
REPLICA_SETS: Final = Resource("apps/v1", "ReplicaSet", "replicasets")
DEPLOYMENTS: Final = Resource("apps/v1", "Deployment", "deployments")
POD_TEMPLATES: Final = Resource("v1", "PodTemplate", "podtemplates")

HASH: Final = HASH_LABEL
REVISION: Final = "rollout.argoproj.io/revision"
REVISION_HISTORY: Final = "rollout.argoproj.io/revision-history"
DESIRED_REPLICAS: Final = "rollout.argoproj.io/desired-replicas"
WORKLOAD_GENERATION: Final = "rollout.argoproj.io/workload-generation"
EPHEMERAL_METADATA: Final = "rollout.argoproj.io/ephemeral-metadata"
SCALE_DOWN_DEADLINE: Final = "scale-down-deadline"
MANAGED_BY: Final = "argo-rollouts.argoproj.io/managed-by-rollouts"
INSTANCE_ID: Final = "argo-rollouts.argoproj.io/controller-instance-id"
EXPERIMENT_NAME: Final = "experiment.argoproj.io/name"
RUN_TYPE: Final = "rollout-type"
STEP_INDEX: Final = "step-index"

NOT_COPIED: Final = frozenset(
    {
        "kubectl.kubernetes.io/last-applied-configuration",
        REVISION,
        REVISION_HISTORY,
        DESIRED_REPLICAS,
        "notified.notifications.argoproj.io",
    }
)
"""Annotations of a Rollout that its ReplicaSets do not get."""

COMPLETED_PHASES: Final = frozenset({"Successful", "Failed", "Error", "Inconclusive"})
"""Phases of AnalysisRuns and Experiments from which nothing follows any more."""
