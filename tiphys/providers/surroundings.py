"""Where this controller runs says where it looks for providers' credentials, where Jobs of metrics are made, and
whether AWS is asked about its load balancers. Of routers' objects it says which version of their API is asked for."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from actors.analysis.state import AnalysisSettings
from actors.rollout.balancer_query import TAG
from actors.rollout.traffic.ambassador import API_VERSION, Ambassador
from actors.rollout.traffic.appmesh import VERSION, AppMesh
from actors.rollout.traffic.protocol import Router
from actors.rollout.traffic.routers import ROUTERS

TOKEN_NAMESPACE: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
UPSTREAMS: Final = "argo-rollouts"


def analysis_settings() -> AnalysisSettings:
    """The settings of this process: POD_NAMESPACE, else the namespace of its service account, else upstream's."""
    own = os.environ.get("POD_NAMESPACE") or _token_namespace() or UPSTREAMS
    return AnalysisSettings(own, os.environ.get("ARGO_ROLLOUTS_ANALYSIS_JOB_NAMESPACE") or "")


def verifies_weights() -> bool:
    """Whether AWS confirms weights: what upstream's `--aws-verify-target-group` says."""
    return os.environ.get("TIPHYS_AWS_VERIFY_TARGET_GROUP", "").strip().lower() in ("1", "true", "yes")


def balancer_tag() -> str:
    """The tag of target groups that says whose they are: upstream's `--alb-tag-key-resource-id`."""
    return os.environ.get("TIPHYS_ALB_TAG_KEY_RESOURCE_ID") or TAG


def routers() -> Mapping[str, Router]:
    """The routers, with the versions that upstream's `--ambassador-api-version` and `--appmesh-crd-version` name."""
    ambassador = Ambassador(os.environ.get("TIPHYS_AMBASSADOR_API_VERSION") or API_VERSION)
    app_mesh = AppMesh(os.environ.get("TIPHYS_APPMESH_CRD_VERSION") or VERSION)
    return MappingProxyType({**ROUTERS, ambassador.key: ambassador, app_mesh.key: app_mesh})


def _token_namespace() -> str:
    try:
        return TOKEN_NAMESPACE.read_text(encoding="utf-8").strip()
    except OSError:
        return ""
