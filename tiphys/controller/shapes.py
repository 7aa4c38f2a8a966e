"""What the controllers keep of a pod: its metadata, and of its spec and status what decisions are made from.

A pod's containers carry templates and scripts in their variables: kept whole, the cache of a thousand pods would be
mostly the same text again and again, and an event would cost several times as much. Of a status the kubelet writes,
two thirds are ids of images and containers, mounts and addresses that nobody here asks for.
"""

from __future__ import annotations

from typing import Any, TypedDict

from runtime.objects import PODS, Resource
from runtime.shapes import Meta, Shape


class Container(TypedDict, total=False):
    """Who it is, and what it asked for."""

    name: str
    image: str
    restartPolicy: str | None
    resources: dict[str, Any] | None


class PodSpec(TypedDict, total=False):
    """Where it runs, as whom, and of what it is made."""

    nodeName: str | None
    serviceAccountName: str | None
    schedulerName: str | None
    restartPolicy: str | None
    activeDeadlineSeconds: int | None
    terminationGracePeriodSeconds: int | None
    containers: list[Container] | None
    initContainers: list[Container] | None
    resources: dict[str, Any] | None


class Waits(TypedDict, total=False):
    """Why a container has not begun."""

    reason: str | None
    message: str | None


class Runs(TypedDict, total=False):
    """Since when it has been running."""

    startedAt: str | None


class Ended(TypedDict, total=False):
    """How it has ended; `message` is its report."""

    exitCode: int
    reason: str | None
    message: str | None
    startedAt: str | None
    finishedAt: str | None


class ContainerState(TypedDict, total=False):
    """One of the three."""

    waiting: Waits | None
    running: Runs | None
    terminated: Ended | None


class ContainerStatus(TypedDict, total=False):
    """Where a container is, and where it was before its last start."""

    name: str
    ready: bool
    restartCount: int
    state: ContainerState | None
    lastState: ContainerState | None


class Condition(TypedDict, total=False):
    """Whether it is scheduled, ready, and since when."""

    type: str
    status: str
    reason: str | None
    message: str | None
    lastTransitionTime: str | None


class PodStatus(TypedDict, total=False):
    """What has become of it."""

    phase: str | None
    reason: str | None
    message: str | None
    podIP: str | None
    conditions: list[Condition] | None
    initContainerStatuses: list[ContainerStatus] | None
    containerStatuses: list[ContainerStatus] | None


class Pod(TypedDict, total=False):
    """A pod in the cache."""

    apiVersion: str
    kind: str
    metadata: Meta
    spec: PodSpec
    status: PodStatus | None


def shapes() -> dict[Resource, Shape]:
    """For `HttpApi.shapes`."""
    return {PODS: Shape(Pod)}
