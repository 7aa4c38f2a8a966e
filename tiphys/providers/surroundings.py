"""Where this controller runs says where it looks for providers' credentials, and where Jobs of metrics are made."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from actors.analysis.state import AnalysisSettings

TOKEN_NAMESPACE: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
UPSTREAMS: Final = "argo-rollouts"


def analysis_settings() -> AnalysisSettings:
    """The settings of this process: POD_NAMESPACE, else the namespace of its service account, else upstream's."""
    own = os.environ.get("POD_NAMESPACE") or _token_namespace() or UPSTREAMS
    return AnalysisSettings(own, os.environ.get("ARGO_ROLLOUTS_ANALYSIS_JOB_NAMESPACE") or "")


def _token_namespace() -> str:
    try:
        return TOKEN_NAMESPACE.read_text(encoding="utf-8").strip()
    except OSError:
        return ""
