"""What `kubectl get` prints of built-in kinds, cell by cell as a real server (v1.36) computed it."""

from __future__ import annotations

from typing import Any

import pytest

from runtime.objects import Object
from tiphys.devcluster import table
from tiphys.devcluster.kinds import Kind
from tiphys.devcluster.resources import built_in

NOW = 1_795_000_000.0
AN_HOUR_AGO = "2026-11-18T10:06:40Z"
KINDS = {(kind.resource.api_version, kind.resource.kind): kind for kind in built_in()}


def kind_of(api_version: str, kind: str) -> Kind:
    return KINDS[api_version, kind]


def cells(kind: Kind, **thing: Any) -> list[Any]:
    """The row of an object that was made an hour ago, without its name and its age."""
    meta = {"name": "x", "creationTimestamp": AN_HOUR_AGO, **thing.pop("metadata", {})}
    resource = kind.resource
    whole = {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": meta, **thing}
    row: list[Any] = table.rows(kind, [whole], NOW, "None")[0]["cells"]
    return [cell for cell, column in zip(row, table.definitions(kind), strict=True) if column["name"] != "Age"]


RUNNING: Object = {"running": {"startedAt": AN_HOUR_AGO}}
AGAIN: Object = {"lastState": {"terminated": {"exitCode": 1, "finishedAt": AN_HOUR_AGO}}}


def ended(**how: Any) -> Object:
    return {"terminated": {"exitCode": 0, **how}}


def container(name: str, state: Object, **more: Any) -> Object:
    return {"name": name, "state": state, "restartCount": 0, **more}


ONE: Object = {"containers": [{"name": "m"}]}
TWO: Object = {"containers": [{"name": "m"}, {"name": "n"}]}
INITS: Object = {**ONE, "initContainers": [{"name": "i"}, {"name": "j"}]}
SIDECAR: Object = {**ONE, "initContainers": [{"name": "i", "restartPolicy": "Always"}, {"name": "j"}]}
LATER: Object = {"waiting": {"reason": "PodInitializing"}}


@pytest.mark.parametrize(
    ("spec", "status", "row"),
    [
        (ONE, {"phase": "Pending"}, ["0/1", "Pending", "0"]),
        (
            ONE,
            {"phase": "Pending", "conditions": [{"type": "PodScheduled", "reason": "SchedulingGated"}]},
            ["0/1", "SchedulingGated", "0"],
        ),
        (
            TWO,
            {
                "phase": "Running",
                "containerStatuses": [
                    container("m", RUNNING, ready=True, **{**AGAIN, "restartCount": 2}),
                    container("n", RUNNING, restartCount=1),
                ],
            },
            ["1/2", "Running", "3 (60m ago)"],
        ),
        (
            TWO,
            {
                "phase": "Running",
                "conditions": [{"type": "Ready", "status": "False"}],
                "containerStatuses": [
                    container("m", ended(reason="Completed")),
                    container("n", RUNNING, ready=True),
                ],
            },
            ["1/2", "NotReady", "0"],
        ),
        (
            TWO,
            {
                "phase": "Failed",
                "containerStatuses": [
                    container("m", ended(reason="Completed")),
                    container("n", ended(reason="Error", exitCode=1)),
                ],
            },
            ["0/2", "Error", "0"],
        ),
        (ONE, {"phase": "Failed", "containerStatuses": [container("m", ended(exitCode=9, signal=9))]}, [
            "0/1", "Signal:9", "0"
        ]),
        (
            INITS,
            {
                "phase": "Pending",
                "initContainerStatuses": [
                    container("i", ended(reason="Completed"), **{**AGAIN, "restartCount": 1}),
                    container("j", RUNNING),
                ],
                "containerStatuses": [container("m", LATER)],
            },
            ["0/1", "Init:1/2", "1 (60m ago)"],
        ),
        (
            INITS,
            {
                "phase": "Pending",
                "initContainerStatuses": [
                    container("i", {"waiting": {"reason": "CrashLoopBackOff"}}, restartCount=3),
                    container("j", LATER, restartCount=5),
                ],
            },
            ["0/1", "Init:CrashLoopBackOff", "3"],
        ),
        (
            SIDECAR,
            {
                "phase": "Running",
                "initContainerStatuses": [
                    container("i", RUNNING, ready=True, started=True, restartCount=1),
                    container("j", ended(reason="Completed"), restartCount=7),
                ],
                "containerStatuses": [container("m", RUNNING, ready=True, restartCount=3)],
            },
            ["2/2", "Running", "4"],
        ),
    ],
)  # fmt: skip
def test_a_pods_row(spec: Object, status: Object, row: list[Any]) -> None:
    assert cells(kind_of("v1", "Pod"), spec=spec, status=status)[1:4] == row


def test_a_pod_that_is_deleted_is_terminating_until_it_has_ended() -> None:
    pods, meta = kind_of("v1", "Pod"), {"deletionTimestamp": AN_HOUR_AGO}
    assert cells(pods, metadata=meta, spec=ONE, status={"phase": "Running"})[2] == "Terminating"
    assert cells(pods, metadata=meta, spec=ONE, status={"phase": "Running", "reason": "NodeLost"})[2] == "Unknown"
    assert cells(pods, metadata=meta, spec=ONE, status={"phase": "Succeeded"})[2] == "Succeeded"


def test_the_wide_columns_of_a_pod_say_where_it_is() -> None:
    spec = {**ONE, "nodeName": "n1", "readinessGates": [{"conditionType": "a"}, {"conditionType": "b"}]}
    status = {"podIPs": [{"ip": "1.2.3.4"}], "conditions": [{"type": "a", "status": "True"}]}
    assert cells(kind_of("v1", "Pod"), spec=spec, status=status)[4:] == ["1.2.3.4", "n1", "<none>", "1/2"]


MADE: Object = {"spec": {"containers": [{"name": "m", "image": "a:1"}, {"name": "n", "image": "b:2"}]}}
SELECTOR: Object = {"matchExpressions": [{"key": "a", "operator": "In", "values": ["b", "c"]}]}
METRICS: list[Object] = [
    {"type": "Resource", "resource": {"name": "cpu", "target": {"averageUtilization": 50}}},
    {"type": "Resource", "resource": {"name": "memory", "target": {"averageValue": "1Gi"}}},
    {"type": "Pods", "pods": {"metric": {"name": "x"}, "target": {"averageValue": "5"}}},
]
REFERENCE: Object = {"kind": "Deployment", "name": "d"}


@pytest.mark.parametrize(
    ("api_version", "kind", "thing", "row"),
    [
        (
            "apps/v1",
            "Deployment",
            {"spec": {"replicas": 3, "selector": SELECTOR, "template": MADE}, "status": {"readyReplicas": 1}},
            ["x", "1/3", 0, 0, "m,n", "a:1,b:2", "a in (b,c)"],
        ),
        (
            "batch/v1",
            "Job",
            {"spec": {"parallelism": 4, "template": MADE}, "status": {"startTime": AN_HOUR_AGO}},
            ["x", "Running", "0/1 of 4", "60m", "m,n", "a:1,b:2", "<none>"],
        ),
        (
            "batch/v1",
            "CronJob",
            {"spec": {"schedule": "* * * * *", "suspend": False, "jobTemplate": {"spec": {"template": MADE}}}},
            ["x", "* * * * *", "<none>", "False", 0, "<none>", "m,n", "a:1,b:2", "<none>"],
        ),
        (
            "v1",
            "Service",
            {
                "spec": {"type": "LoadBalancer", "clusterIP": "10.0.0.1", "ports": [{"port": 80, "nodePort": 30080}]},
                "status": {"loadBalancer": {"ingress": [{"ip": "7.7.7.7"}, {"hostname": "h"}]}},
            },
            ["x", "LoadBalancer", "10.0.0.1", "7.7.7.7,h", "80:30080/TCP", "<none>"],
        ),
        (
            "v1",
            "Service",
            {"spec": {"type": "ExternalName", "externalName": "a.b", "selector": {"c": "d", "a": "b"}}},
            ["x", "ExternalName", "<none>", "a.b", "<none>", "a=b,c=d"],
        ),
        (
            "v1",
            "Node",
            {
                "metadata": {"labels": {"node-role.kubernetes.io/b": "", "kubernetes.io/role": "a"}},
                "spec": {"unschedulable": True},
                "status": {
                    "conditions": [{"type": "Ready", "status": "Unknown"}],
                    "addresses": [{"type": "InternalIP", "address": "10.1.1.1"}],
                    "nodeInfo": {"kubeletVersion": "v1", "kernelVersion": "k", "architecture": "amd64"},
                },
            },
            [
                *("x", "NotReady,SchedulingDisabled", "a,b", "v1"),
                *("10.1.1.1", "<none>", "<unknown>", "k (amd64)", "<unknown>"),
            ],
        ),
        (
            "v1",
            "Event",
            {
                "involvedObject": {"kind": "Pod", "name": "p", "fieldPath": "spec.containers{m}"},
                "reason": "R",
                "type": "Warning",
                "message": " msg ",
                "eventTime": AN_HOUR_AGO,
                "reportingComponent": "k8s.io/x",
                "reportingInstance": "i",
            },
            ["60m", "Warning", "R", "pod/p", "spec.containers{m}", "k8s.io/x, i", "msg", "60m", 1, "x"],
        ),
        (
            "v1",
            "PersistentVolumeClaim",
            {
                "spec": {"volumeName": "v", "volumeMode": "Block"},
                "status": {
                    "phase": "Bound",
                    "capacity": {"storage": "1Gi"},
                    "accessModes": ["ReadWriteMany", "ReadWriteOnce"],
                },
            },
            ["x", "Bound", "v", "1Gi", "RWO,RWX", "", "<unset>", "Block"],
        ),
        (
            "autoscaling/v2",
            "HorizontalPodAutoscaler",
            {"spec": {"scaleTargetRef": REFERENCE, "minReplicas": 2, "maxReplicas": 4, "metrics": METRICS}},
            ["x", "Deployment/d", "cpu: <unknown>/50%, memory: <unknown>/1Gi + 1 more...", "2", 4, 0],
        ),
        (
            "autoscaling/v1",
            "HorizontalPodAutoscaler",
            {"spec": {"scaleTargetRef": REFERENCE, "minReplicas": 1, "maxReplicas": 4}},
            ["x", "Deployment/d", "cpu: <unknown>/80%", "1", 4, 0],
        ),
        (
            "networking.k8s.io/v1",
            "Ingress",
            {"spec": {"tls": [{}], "rules": [{"host": host} for host in "abcd"]}},
            ["x", "<none>", "a,b,c + 1 more...", "", "80, 443"],
        ),
        (
            "storage.k8s.io/v1",
            "StorageClass",
            {
                "metadata": {"annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
                "provisioner": "p",
                "reclaimPolicy": "Delete",
                "volumeBindingMode": "Immediate",
            },
            ["x (default)", "p", "Delete", "Immediate", False],
        ),
        (
            "rbac.authorization.k8s.io/v1",
            "RoleBinding",
            {
                "roleRef": {"kind": "ClusterRole", "name": "r"},
                "subjects": [
                    {"kind": "User", "name": "u"},
                    {"kind": "ServiceAccount", "name": "s", "namespace": "n"},
                    {"kind": "ServiceAccount", "name": "t", "namespace": "n"},
                ],
            },
            ["x", "ClusterRole/r", "u", "", "n/s, n/t"],
        ),
        (
            "apps/v1",
            "ControllerRevision",
            {
                "metadata": {
                    "ownerReferences": [
                        {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "ss", "controller": True}
                    ]
                },
                "revision": 4,
            },
            ["x", "statefulset.apps/ss", 4],
        ),
        ("v1", "LimitRange", {}, ["x", AN_HOUR_AGO]),
        ("v1", "Endpoints", {"subsets": [{"notReadyAddresses": [{"ip": "1.1.1.1"}]}]}, ["x", ""]),
    ],
)
def test_the_row_of_an_object(api_version: str, kind: str, thing: Object, row: list[Any]) -> None:
    assert cells(kind_of(api_version, kind), **thing) == row


def test_every_kind_has_a_row_for_an_object_of_which_nothing_is_known_yet() -> None:
    for kind in KINDS.values():
        spec = {"scaleTargetRef": REFERENCE} if kind.resource.kind == "HorizontalPodAutoscaler" else {}
        assert len(cells(kind, spec=spec)) > 0, kind.resource


def test_events_show_their_name_last_and_only_when_asked_for_all() -> None:
    shown = [(column["name"], column["priority"]) for column in table.definitions(kind_of("v1", "Event"))]
    assert shown[0] == ("Last Seen", 0)
    assert shown[-1] == ("Name", 1)
