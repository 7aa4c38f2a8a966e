"""Labels, annotations and finalizers are upstream's, key by key.

The `argo` CLI, its server, Hera and people's own selectors read them; a spelling of our own would be invisible to all.
"""

from __future__ import annotations

_WORKFLOWS = "workflows.argoproj.io/"

# Labels of workflows and of their pods.
WORKFLOW = _WORKFLOWS + "workflow"
COMPLETED = _WORKFLOWS + "completed"
PHASE = _WORKFLOWS + "phase"
ON_EXIT = _WORKFLOWS + "on-exit"
COMPONENT = _WORKFLOWS + "component"
CONTROLLER_INSTANCE_ID = _WORKFLOWS + "controller-instanceid"
ARCHIVING_STATUS = _WORKFLOWS + "workflow-archiving-status"
RESUBMITTED_FROM = _WORKFLOWS + "resubmitted-from-workflow"
CRON_WORKFLOW = _WORKFLOWS + "cron-workflow"
CRON_BACKFILL = _WORKFLOWS + "backfill"
CRON_COMPLETED = "cronworkflows.argoproj.io/completed"
WORKFLOW_TEMPLATE = _WORKFLOWS + "workflow-template"
CLUSTER_WORKFLOW_TEMPLATE = _WORKFLOWS + "cluster-workflow-template"
WORKFLOW_EVENT_BINDING = _WORKFLOWS + "workflow-event-binding"
CREATOR = _WORKFLOWS + "creator"
CREATOR_EMAIL = _WORKFLOWS + "creator-email"
CREATOR_PREFERRED_USERNAME = _WORKFLOWS + "creator-preferred-username"
ACTION = _WORKFLOWS + "action"
ARTIFACT_GC_POD = _WORKFLOWS + "artifact-gc-pod"
REPORT_OUTPUTS_COMPLETED = _WORKFLOWS + "report-outputs-completed"
PARALLELISM_LIMIT = _WORKFLOWS + "parallelism-limit"  # on namespaces
BUCKET = "workflows.tiphys.dev/bucket"  # ours: which of the shards looks after it (actors/names/buckets.py)

# ConfigMaps carry their purpose in a label; without it the controller does not read them.
CONFIGMAP_TYPE = _WORKFLOWS + "configmap-type"
CONFIGMAP_TYPE_CACHE = "Cache"
CONFIGMAP_TYPE_PARAMETER = "Parameter"
CONFIGMAP_TYPE_EXECUTOR_PLUGIN = "ExecutorPlugin"

# Annotations.
NODE_ID = _WORKFLOWS + "node-id"
NODE_NAME = _WORKFLOWS + "node-name"
NODE_TYPE = _WORKFLOWS + "node-type"
NODE_START_TIME = _WORKFLOWS + "node-start-time"
WORKFLOW_NAME = _WORKFLOWS + "workflow-name"
WORKFLOW_UID = _WORKFLOWS + "workflow-uid"
POD_NAME_FORMAT = _WORKFLOWS + "pod-name-format"
SCHEDULED_TIME = _WORKFLOWS + "scheduled-time"
PROGRESS = _WORKFLOWS + "progress"
ARTIFACT_GC_STRATEGY = _WORKFLOWS + "artifact-gc-strategy"
POD_GC_STRATEGY = _WORKFLOWS + "pod-gc-strategy"
SERVICE_ACCOUNT_TOKEN_NAME = _WORKFLOWS + "service-account-token.name"
RBAC_RULE = _WORKFLOWS + "rbac-rule"
RBAC_RULE_PRECEDENCE = _WORKFLOWS + "rbac-rule-precedence"
TRACE_ID = _WORKFLOWS + "trace-id"
SPAN_ID = _WORKFLOWS + "span-id"
TITLE = _WORKFLOWS + "title"
DESCRIPTION = _WORKFLOWS + "description"
TAGS = _WORKFLOWS + "tags"
DISPLAY_NAME = _WORKFLOWS + "display-name"
CRON_LAST_USED_SCHEDULE = "cronworkflows.argoproj.io/last-used-schedule"
CRON_CATCH_UP = "workflows.tiphys.dev/catch-up"  # ours: how many missed runs of a CronWorkflow are made up for
CRON_CAUGHT_UP_TO = "workflows.tiphys.dev/caught-up-to"  # ours: until when its runs have been decided
DEFAULT_CONTAINER = "kubectl.kubernetes.io/default-container"

# Finalizers.
FINALIZER_ARTIFACT_GC = _WORKFLOWS + "artifact-gc"
FINALIZER_POD_STATUS = _WORKFLOWS + "status"


def of_instance(instance_id: str) -> str:
    """Select the objects of a controller: those with its instance ID, those without any when it has none (OPS-1)."""
    return f"{CONTROLLER_INSTANCE_ID}={instance_id}" if instance_id else f"!{CONTROLLER_INSTANCE_ID}"
