"""What is asked of the cloud about a load balancer, and what it answers. Plain values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

SERVICE: Final = "load-balancer"
"""The service that asks the cloud: an async callable from BalancerQuery to BalancerAnswer."""

TAG: Final = "ingress.k8s.aws/resource"
"""The tag by which AWS's controller says whose a target group is: `<namespace>/<ingress>-<service>:<port>`."""


@dataclass(frozen=True, slots=True)
class TargetGroup:
    """The pods of one Service, as a load balancer knows them."""

    name: str
    arn: str
    owner: str = ""  # what its tag says
    weight: int | None = None  # its share in the rules; None when no rule names it


@dataclass(frozen=True, slots=True)
class BalancerAnswer:
    """A load balancer and its target groups; without an ARN there is none of that name. `error`: nobody knows."""

    name: str = ""
    arn: str = ""
    groups: tuple[TargetGroup, ...] = ()
    error: str = ""


@dataclass(frozen=True, slots=True)
class BalancerQuery:
    """Which load balancer answers at this host name, and what its rules say."""

    hostname: str
    tag: str = TAG

    @property
    def service(self) -> str:
        """Who is asked."""
        return SERVICE

    @property
    def call(self) -> BalancerQuery:
        """By what its answer is found again."""
        return self

    def failed(self, why: str) -> BalancerAnswer:
        """The answer when nobody could be asked."""
        return BalancerAnswer(error=why)
