"""What an object leaves open is filled in as Kubernetes does, so that readers need not know the defaults."""

from __future__ import annotations

import base64
from typing import Any

from runtime.objects import Object

TOLERATED_S = 300  # how long a pod stays on a node that is not ready or unreachable
_NODE_TAINTS = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")


def pod(thing: Object) -> None:
    """A pod: its template's defaults, what admission adds, and the status of a pod nobody has seen."""
    spec = thing.setdefault("spec", {})
    pod_spec(spec)
    for container in (*(spec.get("initContainers") or ()), *(spec.get("containers") or ())):
        requests_like_limits(container)
    spec.setdefault("enableServiceLinks", True)
    spec.setdefault("preemptionPolicy", "PreemptLowerPriority")
    spec.setdefault("priority", 0)
    tolerations = spec.setdefault("tolerations", [])
    for taint in _NODE_TAINTS:
        if not any(t.get("key") in (taint, None) and t.get("effect") in ("NoExecute", None) for t in tolerations):
            tolerations.append(
                {"effect": "NoExecute", "key": taint, "operator": "Exists", "tolerationSeconds": TOLERATED_S}
            )
    status = thing.setdefault("status", {})
    status.setdefault("phase", "Pending")
    status.setdefault("qosClass", qos_class(spec))
    for condition in status.get("conditions") or ():
        condition.setdefault("lastProbeTime", None)
        condition.setdefault("lastTransitionTime", None)


def requests_like_limits(container: Object) -> None:
    """Who says what he may have, and not what he needs, needs all of it."""
    limits = (container.get("resources") or {}).get("limits")
    if limits:
        container["resources"]["requests"] = {**limits, **(container["resources"].get("requests") or {})}


def pod_spec(spec: Object) -> None:
    """What every pod template gets too."""
    spec.setdefault("dnsPolicy", "ClusterFirst")
    spec.setdefault("restartPolicy", "Always")
    spec.setdefault("schedulerName", "default-scheduler")
    spec.setdefault("securityContext", {})
    spec.setdefault("terminationGracePeriodSeconds", 30)
    if spec.get("serviceAccountName"):
        spec.setdefault("serviceAccount", spec["serviceAccountName"])
    for container in (*(spec.get("initContainers") or ()), *(spec.get("containers") or ())):
        if isinstance(container, dict):
            _container(container)
    for volume in spec.get("volumes") or ():
        if isinstance(volume, dict):
            _volume(volume)


def _container(container: Object) -> None:
    container.setdefault("imagePullPolicy", _pull_policy(str(container.get("image") or "")))
    container.setdefault("resources", {})
    container.setdefault("terminationMessagePath", "/dev/termination-log")
    container.setdefault("terminationMessagePolicy", "File")
    for port in container.get("ports") or ():
        port.setdefault("protocol", "TCP")
    for name in ("livenessProbe", "readinessProbe", "startupProbe"):
        if container.get(name):
            _probe(container[name])
    for variable in container.get("env") or ():
        reference = (variable.get("valueFrom") or {}).get("fieldRef")
        if reference:
            reference.setdefault("apiVersion", "v1")


def _pull_policy(image: str) -> str:
    last = image.rpartition("/")[2]
    tag = last.partition(":")[2]
    if "@" in last:
        return "IfNotPresent"
    return "Always" if tag in ("", "latest") else "IfNotPresent"


def _probe(probe: Object) -> None:
    for name, value in (("timeoutSeconds", 1), ("periodSeconds", 10), ("successThreshold", 1), ("failureThreshold", 3)):
        probe.setdefault(name, value)
    get = probe.get("httpGet")
    if get:
        get.setdefault("path", "/")
        get.setdefault("scheme", "HTTP")


def _volume(volume: Object) -> None:
    for name in ("configMap", "secret", "projected", "downwardAPI"):
        if isinstance(volume.get(name), dict):
            volume[name].setdefault("defaultMode", 0o644)
    for item in (volume.get("downwardAPI") or {}).get("items") or ():
        if item.get("fieldRef"):
            item["fieldRef"].setdefault("apiVersion", "v1")


def qos_class(spec: Object) -> str:
    """BestEffort, Burstable or Guaranteed, from the containers' requests and limits."""
    requests: list[Any] = []
    guaranteed = True
    for container in (*(spec.get("initContainers") or ()), *(spec.get("containers") or ())):
        resources = container.get("resources") or {} if isinstance(container, dict) else {}
        limits, wanted = resources.get("limits") or {}, resources.get("requests") or {}
        requests += [limits, wanted] if limits or wanted else []
        for name in ("cpu", "memory"):
            if not limits.get(name) or wanted.get(name, limits[name]) != limits[name]:
                guaranteed = False
    if not requests:
        return "BestEffort"
    return "Guaranteed" if guaranteed else "Burstable"


def secret(thing: Object) -> None:
    """`stringData` becomes base64 `data`."""
    plain = thing.pop("stringData", None) or {}
    if plain:
        coded = {key: base64.b64encode(str(value).encode()).decode() for key, value in plain.items()}
        thing["data"] = {**(thing.get("data") or {}), **coded}
    thing.setdefault("type", "Opaque")


def service(thing: Object) -> None:
    """A ClusterIP service; headless unless something gives it an address: the dev cluster's names resolve to pods."""
    spec = thing.setdefault("spec", {})
    spec.setdefault("type", "ClusterIP")
    spec.setdefault("sessionAffinity", "None")
    thing.setdefault("status", {"loadBalancer": {}})
    for port in spec.get("ports") or ():
        port.setdefault("protocol", "TCP")
        port.setdefault("targetPort", port.get("port"))
    if spec["type"] == "ExternalName":
        return
    spec.setdefault("clusterIP", "None")
    spec.setdefault("clusterIPs", [spec["clusterIP"]])
    spec.setdefault("internalTrafficPolicy", "Cluster")
    spec.setdefault("ipFamilies", ["IPv4"])
    spec.setdefault("ipFamilyPolicy", "SingleStack")


def namespace(thing: Object) -> None:
    """Active, with the finalizer that waits for its contents, and the label of its own name."""
    meta = thing["metadata"]
    labels = meta.setdefault("labels", {}) or {}
    labels["kubernetes.io/metadata.name"] = meta.get("name", "")
    meta["labels"] = labels
    if "deletionTimestamp" not in meta:
        thing.setdefault("spec", {}).setdefault("finalizers", ["kubernetes"])
        thing.setdefault("status", {}).setdefault("phase", "Active")


def event(thing: Object) -> None:
    """The fields that clients print without asking whether they are there."""
    for name in ("eventTime", "firstTimestamp", "lastTimestamp"):
        thing.setdefault(name, None)
    thing.setdefault("reportingComponent", "")
    thing.setdefault("reportingInstance", "")
    thing.setdefault("source", {})


def claim(thing: Object) -> None:
    """A claim waits for a volume."""
    thing.setdefault("spec", {}).setdefault("volumeMode", "Filesystem")
    thing.setdefault("status", {}).setdefault("phase", "Pending")


def _template(thing: Object) -> None:
    template = thing.setdefault("spec", {}).setdefault("template", {})
    if isinstance(template, dict) and isinstance(template.setdefault("spec", {}), dict):
        pod_spec(template["spec"])


def cron_job(thing: Object) -> None:
    """A cron job's policies, and its job's pod template."""
    spec = thing.setdefault("spec", {})
    for name, value in (
        ("concurrencyPolicy", "Allow"),
        ("failedJobsHistoryLimit", 1),
        ("successfulJobsHistoryLimit", 3),
        ("suspend", False),
    ):
        spec.setdefault(name, value)
    if isinstance(spec.setdefault("jobTemplate", {}), dict):
        _template(spec["jobTemplate"])
    thing.setdefault("status", {})


def job(thing: Object) -> None:
    """A job's counts, and the selector and labels made of its uid."""
    spec = thing.setdefault("spec", {})
    meta = thing["metadata"]
    _template(thing)
    if "parallelism" not in spec:  # with parallelism alone the job is a work queue: as many as are needed
        spec.setdefault("completions", 1)
    for name, value in (
        ("backoffLimit", 2**31 - 1 if spec.get("backoffLimitPerIndex") is not None else 6),
        ("completionMode", "NonIndexed"),
        ("manualSelector", False),
        ("parallelism", 1),
        ("podReplacementPolicy", "Failed" if spec.get("podFailurePolicy") else "TerminatingOrFailed"),
        ("suspend", False),
    ):
        spec.setdefault(name, value)
    uid = meta.get("uid", "")
    labels = {
        "batch.kubernetes.io/controller-uid": uid,
        "batch.kubernetes.io/job-name": meta.get("name", ""),
        "controller-uid": uid,
        "job-name": meta.get("name", ""),
    }
    if not spec["manualSelector"]:
        template_meta = spec["template"].setdefault("metadata", {})
        template_meta["labels"] = {**(template_meta.get("labels") or {}), **labels}
        spec.setdefault("selector", {"matchLabels": {"batch.kubernetes.io/controller-uid": uid}})
        if not meta.get("labels"):
            meta["labels"] = labels
    thing.setdefault("status", {})


def replica_set(thing: Object) -> None:
    """One replica, none there yet."""
    _template(thing)
    thing["spec"].setdefault("replicas", 1)
    thing.setdefault("status", {"replicas": 0})


def deployment(thing: Object) -> None:
    """A rolling update of a quarter at a time, ten revisions kept, ten minutes to make progress."""
    _template(thing)
    spec = thing["spec"]
    spec.setdefault("replicas", 1)
    strategy = spec.setdefault("strategy", {})
    if strategy.setdefault("type", "RollingUpdate") == "RollingUpdate":
        rolling = strategy.setdefault("rollingUpdate", {})
        rolling.setdefault("maxUnavailable", "25%")
        rolling.setdefault("maxSurge", "25%")
    spec.setdefault("revisionHistoryLimit", 10)
    spec.setdefault("progressDeadlineSeconds", 600)
    thing.setdefault("status", {})


def stateful_set(thing: Object) -> None:
    """In order, one replica, rolling."""
    _template(thing)
    spec = thing["spec"]
    spec.setdefault("replicas", 1)
    spec.setdefault("podManagementPolicy", "OrderedReady")
    spec.setdefault("revisionHistoryLimit", 10)
    spec.setdefault("updateStrategy", {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}})
    spec.setdefault("persistentVolumeClaimRetentionPolicy", {"whenDeleted": "Retain", "whenScaled": "Retain"})
    thing.setdefault("status", {"replicas": 0, "availableReplicas": 0})


def daemon_set(thing: Object) -> None:
    """Ten revisions kept, rolling."""
    _template(thing)
    thing["spec"].setdefault("revisionHistoryLimit", 10)
    thing["spec"].setdefault(
        "updateStrategy", {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}}
    )
    counts = ("currentNumberScheduled", "numberMisscheduled", "desiredNumberScheduled", "numberReady")
    thing.setdefault("status", dict.fromkeys(counts, 0))


def crd(thing: Object) -> None:
    """Names that follow from others, and no conversion."""
    spec = thing.setdefault("spec", {})
    names = spec.setdefault("names", {})
    if names.get("kind"):
        names.setdefault("singular", names["kind"].lower())
        names.setdefault("listKind", f"{names['kind']}List")
    spec.setdefault("conversion", {"strategy": "None"})


def replication_controller(thing: Object) -> None:
    """One replica; what it selects and is labelled with follows from its template."""
    _template(thing)
    spec = thing["spec"]
    spec.setdefault("replicas", 1)
    labels = (spec["template"].get("metadata") or {}).get("labels") or {}
    if labels:
        spec.setdefault("selector", {**labels})
        if not thing["metadata"].get("labels"):
            thing["metadata"]["labels"] = {**labels}
    thing.setdefault("status", {"replicas": 0})


def pod_template(thing: Object) -> None:
    """A pod's spec."""
    template = thing.setdefault("template", {})
    if isinstance(template, dict) and isinstance(template.setdefault("spec", {}), dict):
        pod_spec(template["spec"])


def limit_range(thing: Object) -> None:
    """What a container may have at most it has by default, and it asks for what it has."""
    for item in (thing.get("spec") or {}).get("limits") or ():
        if item.get("type") != "Container":
            continue
        item["default"] = {**(item.get("max") or {}), **(item.get("default") or {})}
        asked = {**(item.get("min") or {}), **item["default"], **(item.get("defaultRequest") or {})}
        item["defaultRequest"] = asked
        for name in ("default", "defaultRequest"):
            if not item[name]:
                del item[name]


def priority_class(thing: Object) -> None:
    """Pods of lower priority give way."""
    thing.setdefault("value", 0)
    thing.setdefault("preemptionPolicy", "PreemptLowerPriority")


def volume(thing: Object) -> None:
    """A volume that is kept, and belongs to nobody yet."""
    spec = thing.setdefault("spec", {})
    spec.setdefault("persistentVolumeReclaimPolicy", "Retain")
    spec.setdefault("volumeMode", "Filesystem")
    thing.setdefault("status", {"phase": "Pending"})


def storage_class(thing: Object) -> None:
    """Volumes are deleted with their claims, and bound at once."""
    thing.setdefault("reclaimPolicy", "Delete")
    thing.setdefault("volumeBindingMode", "Immediate")
