"""Who moves a Rollout's traffic: one entry a router, and the names of its objects."""

# ruff: noqa: N815  the attribute is the JSON name

from __future__ import annotations

from crds.meta import Model, Open


class ManagedRoute(Model):
    """A route that the controller may add and take away; earlier ones take precedence."""

    name: str


class TLSRoute(Model):
    """A TLS route of a VirtualService."""

    port: int | None = None
    sniHosts: list[str] | None = None


class TCPRoute(Model):
    """A TCP route of a VirtualService."""

    port: int | None = None


class IstioVirtualService(Model):
    """A VirtualService, and which of its routes are weighted."""

    name: str  # or namespace/name, or name.namespace
    routes: list[str] | None = None  # may be left out when there is only one
    tlsRoutes: list[TLSRoute] | None = None
    tcpRoutes: list[TCPRoute] | None = None


class IstioDestinationRule(Model):
    """A DestinationRule whose subsets follow stable and canary."""

    name: str
    canarySubsetName: str
    stableSubsetName: str
    additionalSubsetNames: list[str] | None = None


class IstioRouting(Model):
    """Istio."""

    virtualService: IstioVirtualService | None = None
    virtualServices: list[IstioVirtualService] | None = None
    destinationRule: IstioDestinationRule | None = None


class NginxRouting(Model):
    """The ingress-nginx controller: a second Ingress with a weight."""

    annotationPrefix: str | None = None  # nginx.ingress.kubernetes.io unless said otherwise
    stableIngress: str | None = None
    stableIngresses: list[str] | None = None
    additionalIngressAnnotations: dict[str, str] | None = None  # of the canary's Ingress, with the prefix
    canaryIngressAnnotations: dict[str, str] | None = None  # of the canary's Ingress, as they are


class Stickiness(Model):
    """Whether a client stays with the side it met first."""

    enabled: bool
    durationSeconds: int


class ALBRouting(Model):
    """The AWS load balancer controller: an action in an annotation of the Ingress."""

    servicePort: int
    ingress: str | None = None
    ingresses: list[str] | None = None
    rootService: str | None = None  # the Service that the Ingress names; the stable one unless said otherwise
    annotationPrefix: str | None = None
    stickinessConfig: Stickiness | None = None


class SMIRouting(Model):
    """Service Mesh Interface: a TrafficSplit."""

    rootService: str | None = None
    trafficSplitName: str | None = None


class AmbassadorRouting(Model):
    """Ambassador: a second Mapping with a weight."""

    mappings: list[str]


class AppMeshVirtualService(Model):
    """A virtual service of App Mesh."""

    name: str
    routes: list[str] | None = None


class AppMeshNode(Model):
    """A virtual node of App Mesh."""

    name: str


class AppMeshNodes(Model):
    """The two virtual nodes."""

    canaryVirtualNodeRef: AppMeshNode
    stableVirtualNodeRef: AppMeshNode


class AppMeshRouting(Model):
    """AWS App Mesh."""

    virtualService: AppMeshVirtualService | None = None
    virtualNodeGroup: AppMeshNodes | None = None


class TraefikRouting(Model):
    """Traefik: a weighted TraefikService."""

    weightedTraefikServiceName: str


class ApisixRoute(Model):
    """An ApisixRoute and its rules."""

    name: str
    rules: list[str] | None = None


class ApisixRouting(Model):
    """Apache APISIX."""

    route: ApisixRoute | None = None


class TrafficRouting(Model):
    """Which routers move the traffic; without any, weights are realised by numbers of pods."""

    istio: IstioRouting | None = None
    nginx: NginxRouting | None = None
    alb: ALBRouting | None = None
    smi: SMIRouting | None = None
    ambassador: AmbassadorRouting | None = None
    appMesh: AppMeshRouting | None = None
    traefik: TraefikRouting | None = None
    apisix: ApisixRouting | None = None
    managedRoutes: list[ManagedRoute] | None = None
    plugins: Open | None = None
    maxTrafficWeight: int | None = None  # what all weights add up to; 100 unless said otherwise
