"""Keys on analyses, experiments and what they make are upstream's: its plugin and people's selectors read them."""

from __future__ import annotations

from typing import Final

INSTANCE_ID: Final = "argo-rollouts.argoproj.io/controller-instance-id"
ROLLOUT_TYPE: Final = "rollout-type"  # of a run: Step, Background, PrePromotion or PostPromotion
STEP_INDEX: Final = "step-index"

EXPERIMENT_NAME: Final = "experiment.argoproj.io/name"
EXPERIMENT_TEMPLATE: Final = "experiment.argoproj.io/template-name"
SCALE_DOWN_DEADLINE: Final = "scale-down-deadline"

JOB_RUN_UID: Final = "analysisrun.argoproj.io/uid"  # a label of Jobs and of their pods
JOB_RUN_NAME: Final = "analysisrun.argoproj.io/name"
JOB_RUN_NAMESPACE: Final = "analysisrun.argoproj.io/namespace"
JOB_METRIC: Final = "analysisrun.argoproj.io/metric-name"
