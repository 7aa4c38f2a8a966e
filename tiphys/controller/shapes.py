"""What the controllers keep of a pod: its metadata, its status, and of its spec what decisions are made from.

A pod's containers carry templates and scripts in their variables: kept whole, the cache of a thousand pods would be
mostly the same text again and again, and an event would cost several times as much.
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


class Pod(TypedDict, total=False):
    """A pod in the cache."""

    apiVersion: str
    kind: str
    metadata: Meta
    spec: PodSpec
    status: dict[str, Any] | None


def shapes() -> dict[Resource, Shape]:
    """For `HttpApi.shapes`."""
    return {PODS: Shape(Pod)}
