"""A canary in the middle of an update, as its objects stand in the API."""

from __future__ import annotations

from typing import Any

NOW = 1_700_000_600.0
CREATED = "2023-11-14T22:13:20Z"  # ten minutes before NOW


def rollout(**status: Any) -> dict[str, Any]:
    return {
        "metadata": {
            "name": "demo", "namespace": "web", "uid": "ro", "generation": 2, "creationTimestamp": CREATED,
        },
        "spec": {
            "replicas": 5,
            "strategy": {"canary": {"steps": [{"setWeight": 20}, {"pause": {}}, {"setWeight": 60}]}},
            "template": {"spec": {"containers": [{"name": "app", "image": "app:2"}]}},
        },
        "status": {
            "observedGeneration": "2", "phase": "Paused", "message": "CanaryPauseStep", "currentStepIndex": 1,
            "stableRS": "h1", "currentPodHash": "h2", "replicas": 5, "updatedReplicas": 1, "readyReplicas": 5,
            "availableReplicas": 5, "pauseConditions": [{"reason": "CanaryPauseStep"}], "controllerPause": True,
            **status,
        },
    }  # fmt: skip


def replica_set(revision: int, replicas: int, **more: Any) -> dict[str, Any]:
    pod_hash = f"h{revision}"
    return {
        "metadata": {
            "name": f"demo-{pod_hash}", "uid": pod_hash, "generation": 1, "creationTimestamp": CREATED,
            "labels": {"rollouts-pod-template-hash": pod_hash},
            "annotations": {"rollout.argoproj.io/revision": str(revision), **more.pop("annotations", {})},
            "ownerReferences": [{"controller": True, "kind": "Rollout", "uid": "ro"}],
        },
        "spec": {"replicas": replicas, "template": template(revision)},
        "status": {"replicas": replicas, "availableReplicas": replicas, "observedGeneration": 1, **more},
    }  # fmt: skip


def template(revision: int) -> dict[str, Any]:
    return {
        "metadata": {"labels": {"app": "demo", "rollouts-pod-template-hash": f"h{revision}"}},
        "spec": {"containers": [{"name": "app", "image": f"app:{revision}"}]},
    }


def pod(name: str, owner: str, *, ready: bool = True, restarts: int = 0) -> dict[str, Any]:
    return {
        "metadata": {
            "name": name, "creationTimestamp": CREATED, "ownerReferences": [{"controller": True, "uid": owner}],
        },
        "spec": {"containers": [{"name": "app"}]},
        "status": {"phase": "Running", "containerStatuses": [{"ready": ready, "restartCount": restarts}]},
    }  # fmt: skip


def run(name: str, owner: str = "ro", revision: int = 2, **results: Any) -> dict[str, Any]:
    return {
        "metadata": {
            "name": name, "uid": name, "creationTimestamp": CREATED,
            "annotations": {"rollout.argoproj.io/revision": str(revision)},
            "ownerReferences": [{"controller": True, "uid": owner}],
        },
        "status": {"phase": "Running", "metricResults": [results]},
    }  # fmt: skip
