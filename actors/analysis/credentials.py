"""Which Secrets a measurement needs: those its arguments name, and those that hold its provider's credentials. Pure."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any, Final

from actors.analysis.plan import MetricPlan
from actors.analysis.query import SecretName, SecretTexts

DEFAULT_SECRETS: Final = {
    "datadog": "datadog", "newRelic": "newrelic", "influxdb": "influxdb", "wavefront": "wavefront-api-tokens",
}  # fmt: skip
"""The Secret of the controller's namespace that holds a provider's credentials, unless the metric names another."""


def provider_secrets(metric: MetricPlan, namespace: str, controller_namespace: str) -> list[SecretName]:
    """The Secrets with the credentials of a metric's provider; it does without those that are not there."""
    default = DEFAULT_SECRETS.get(metric.provider)
    if default is None:
        return []
    settings = metric.resolved["provider"][metric.provider]
    ref = settings.get("secretRef") or {}
    if ref.get("name"):
        return [SecretName(namespace if ref.get("namespaced") else controller_namespace, ref["name"])]
    return [SecretName(controller_namespace, settings.get("profile") or default)]


def texts_of(secret: Mapping[str, Any]) -> SecretTexts:
    """What a Secret holds, decoded; what is no base64 is left out."""
    found: dict[str, str] = dict(secret.get("stringData") or {})
    for key, value in (secret.get("data") or {}).items():
        try:
            found[key] = base64.b64decode(value, validate=True).decode(errors="replace")
        except (binascii.Error, ValueError, TypeError):
            continue
    return found
