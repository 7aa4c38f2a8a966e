"""Where a measurement comes from: one object a provider, exactly one of them in a metric."""

# ruff: noqa: N815  the attribute is the JSON name

from __future__ import annotations

from typing import Any

from crds.meta import IntOrString, Metadata, Model, Open


class Header(Model):
    """A header of a request."""

    key: str
    value: str


class OAuth2Client(Model):
    """Where a token is got with the client's own credentials."""

    tokenUrl: str | None = None
    clientId: str | None = None
    clientSecret: str | None = None
    scopes: list[str] | None = None


class AWSSigning(Model):
    """As whom requests to Amazon are signed."""

    region: str | None = None
    profile: str | None = None
    roleArn: str | None = None


class BasicCredentials(Model):
    """A user's name and password."""

    username: str | None = None
    password: str | None = None


class ProviderAuthentication(Model):
    """How a provider is told who asks; one of them."""

    sigv4: AWSSigning | None = None
    oauth2: OAuth2Client | None = None
    basicAuth: BasicCredentials | None = None


class PrometheusRange(Model):
    """A query over a time: from, to, and how far its points are apart."""

    start: str | None = None  # an expression that gives a time
    end: str | None = None  # an expression that gives a time
    step: str | None = None  # a duration


class PrometheusQuery(Model):
    """A query of Prometheus."""

    address: str | None = None  # ARGO_ROLLOUTS_PROMETHEUS_ADDRESS unless said otherwise
    query: str | None = None
    authentication: ProviderAuthentication | None = None
    timeout: int | None = None  # seconds; 30 unless said otherwise
    insecure: bool | None = None  # certificates are not checked
    headers: list[Header] | None = None
    rangeQuery: PrometheusRange | None = None


class WebRequest(Model):
    """An HTTP request, and where in its answer the value is."""

    url: str
    method: str | None = None  # GET unless said otherwise
    headers: list[Header] | None = None
    body: str | None = None
    jsonBody: Any = None
    timeoutSeconds: int | None = None  # 10 unless said otherwise
    jsonPath: str | None = None  # {$} unless said otherwise
    insecure: bool | None = None  # certificates are not checked
    authentication: ProviderAuthentication | None = None


class JobMetric(Model):
    """A Job whose end is the verdict."""

    metadata: Metadata | None = None
    spec: Open


class KayentaScopeDetail(Model):
    """What is compared, and when."""

    scope: str
    region: str
    step: int
    start: str | None = None
    end: str | None = None


class KayentaScope(Model):
    """A pair of what is compared."""

    name: str
    controlScope: KayentaScopeDetail
    experimentScope: KayentaScopeDetail


class KayentaMetric(Model):
    """A judgement by Kayenta."""

    address: str
    application: str
    canaryConfigName: str
    metricsAccountName: str
    configurationAccountName: str
    storageAccountName: str
    threshold: Open  # pass, marginal
    scopes: list[KayentaScope]
    lookback: bool | None = None


class ProviderSecret(Model):
    """The Secret with a provider's credentials."""

    name: str | None = None
    namespaced: bool | None = None  # of the run's own namespace, not the controller's


class DatadogMetric(Model):
    """A query of Datadog."""

    interval: str | None = None
    query: str | None = None
    queries: dict[str, str] | None = None
    formula: str | None = None
    apiVersion: str | None = None  # v1 or v2
    aggregator: str | None = None
    secretRef: ProviderSecret | None = None
    requestTimeout: str | None = None


class WavefrontMetric(Model):
    """A query of Wavefront."""

    address: str | None = None
    query: str | None = None


class NewRelicMetric(Model):
    """An NRQL query."""

    query: str
    profile: str | None = None  # the Secret with the credentials; newrelic unless said otherwise
    timeout: int | None = None


class CloudWatchDimension(Model):
    """A dimension of a CloudWatch metric."""

    name: str | None = None
    value: str | None = None


class CloudWatchName(Model):
    """Which CloudWatch metric is meant."""

    namespace: str | None = None
    metricName: str | None = None
    dimensions: list[CloudWatchDimension] | None = None


class CloudWatchStatistic(Model):
    """A CloudWatch metric and how its points are put together."""

    metric: CloudWatchName | None = None
    period: IntOrString | None = None
    stat: str | None = None
    unit: str | None = None


class CloudWatchQuery(Model):
    """One of the queries."""

    id: str | None = None
    expression: str | None = None
    label: str | None = None
    metricStat: CloudWatchStatistic | None = None
    period: IntOrString | None = None
    returnData: bool | None = None


class CloudWatchMetric(Model):
    """Queries of CloudWatch."""

    metricDataQueries: list[CloudWatchQuery]
    interval: str | None = None


class GraphiteMetric(Model):
    """A query of Graphite."""

    address: str | None = None
    query: str | None = None


class InfluxdbMetric(Model):
    """A Flux query of InfluxDB."""

    profile: str | None = None  # the Secret with the credentials; influxdb unless said otherwise
    query: str | None = None


class SkyWalkingMetric(Model):
    """A query of SkyWalking."""

    address: str | None = None
    query: str | None = None
    interval: str | None = None


class MetricProvider(Model):
    """Where the value comes from; exactly one."""

    prometheus: PrometheusQuery | None = None
    kayenta: KayentaMetric | None = None
    web: WebRequest | None = None
    datadog: DatadogMetric | None = None
    wavefront: WavefrontMetric | None = None
    newRelic: NewRelicMetric | None = None
    job: JobMetric | None = None
    cloudWatch: CloudWatchMetric | None = None
    graphite: GraphiteMetric | None = None
    influxdb: InfluxdbMetric | None = None
    skywalking: SkyWalkingMetric | None = None
    plugin: Open | None = None  # its name, and whatever it understands
