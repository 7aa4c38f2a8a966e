"""A query goes to the provider that its metric names; whatever comes of it is an answer, and no answer tells a secret.

Providers are modules of this package, loaded when first asked; a plugin's name is that of an entry point of the group
`tiphys.metric_providers`, an async function from a `Query` to an `Answer`.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from typing import Final, cast

from actors.analysis.query import Answer, Provider, ProviderError, Query, redacted
from runtime.log import Log

GROUP: Final = "tiphys.metric_providers"

MODULES: Final = {
    "web": "web",
    "prometheus": "prometheus",
    "datadog": "datadog",
    "newRelic": "newrelic",
    "cloudWatch": "cloudwatch",
    "graphite": "graphite",
    "influxdb": "influxdb",
    "kayenta": "kayenta",
    "wavefront": "wavefront",
    "skywalking": "skywalking",
}

log = Log()


async def measure(query: Query) -> Answer:
    """Make a measurement. Never raises but for cancellation: what goes wrong is an Error that says why."""
    try:
        return await provider(query.provider)(query)
    except ProviderError as error:
        return Answer(phase="Error", message=redacted(str(error), query.hidden))
    except Exception as error:  # noqa: BLE001  # a plugin may fail in any way; its traceback may hold secrets
        log.warning("measurement.broke", provider=query.provider, run=query.run, error=type(error).__name__)
        text = f"provider {query.provider} broke: {type(error).__name__}: {error}"
        return Answer(phase="Error", message=redacted(text, query.hidden))


@cache
def provider(name: str) -> Provider:
    """The provider of this name. Raises ProviderError for one that is not there."""
    if name in MODULES:
        return cast("Provider", import_module(f"tiphys.providers.{MODULES[name]}").measure)
    found = [point for point in entry_points(group=GROUP) if point.name == name]
    if not found:
        remedy = f"install a package with an entry point of that name in the group {GROUP}"
        raise ProviderError(f"no provider {name} is installed: {remedy}")
    return cast("Provider", found[0].load())
