"""Has AWS's load balancer taken over the weights? Asked only where an installation wants it: its calls are rationed.

As upstream does it, the question is asked at a step that sets a weight and when the canary gets everything, and once
before that, so that the status says which load balancer and which target groups those are.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from actors.rollout.balancer_query import BalancerAnswer, BalancerQuery, TargetGroup
from actors.rollout.model import Ro
from actors.rollout.scene import Scene, Waits
from actors.rollout.traffic.alb import names
from actors.rollout.traffic.edit import settings
from actors.rollout.traffic.nginx import INGRESSES
from actors.rollout.traffic.protocol import Shift
from runtime.objects import Object, Reference


class _Wanted(NamedTuple):
    """A Service, and the weight that its target group should have."""

    service: str
    weight: int


class _Unknown(Exception):
    """It cannot be known now; Events say why."""


def confirmed(scene: Scene, shift: Shift) -> bool | None:
    """Whether every load balancer has the weights of the shift; None when nobody asks. Raises Waits for an answer.

    The status says which load balancers and target groups were found."""
    if not scene.world.verifies_weights:
        scene.status.pop("alb", None)
        scene.status.pop("albs", None)
        return None
    if not is_asked(scene.ro, shift) and scene.ro.status.get("albs"):
        return None
    wanted = [
        _Wanted(shift.canary_service, shift.canary),
        *(_Wanted(each.service, each.weight) for each in shift.additional),
    ]
    found: list[Object] = []
    try:
        right = sum(_look(scene, name, shift, wanted, found) for name in names(scene.ro))
    except _Unknown:
        right = -1
    if any(found):
        scene.status["albs"], scene.status["alb"] = found, next(each for each in reversed(found) if each)
    return right == len(names(scene.ro)) * len(wanted)


def is_asked(ro: Ro, shift: Shift) -> bool:
    """Whether the weights of this moment have to be confirmed."""
    if not ro.stable_hash or ro.is_fully_promoted:
        return False
    return (ro.step or {}).get("setWeight") is not None or shift.canary == shift.most


def _look(scene: Scene, name: str, shift: Shift, wanted: list[_Wanted], found: list[Object]) -> int:
    """How many of the wanted weights the load balancers of an Ingress have; what they are is added to `found`."""
    entry: Object = {}
    found.append(entry)
    right = 0
    for hostname in _hostnames(scene, name):
        answer = _ask(scene, hostname, shift.canary_service)
        balancer = {"name": answer.name, "arn": answer.arn, "fullName": _full(answer.arn, 2)}
        entry |= {"ingress": name, "loadBalancer": balancer}
        groups = {group.owner: group for group in answer.groups if group.owner}
        for side, service in (("canary", shift.canary_service), ("stable", shift.stable_service)):
            group = groups.get(_owner(scene.ro, name, service))
            if group is not None:
                entry[f"{side}TargetGroup"] = {
                    "name": group.name, "arn": group.arn, "fullName": _full(group.arn, 1)
                }  # fmt: skip
        right += sum(_is_right(scene, each, groups.get(_owner(scene.ro, name, each.service))) for each in wanted)
    return right


def _ask(scene: Scene, hostname: str, service: str) -> BalancerAnswer:
    query = BalancerQuery(hostname, scene.world.balancer_tag)
    answer = scene.world.answers.get(query)
    if answer is None:
        raise Waits(query)
    assert isinstance(answer, BalancerAnswer)
    if answer.error:
        text = f"Failed to verify Service {service} (TargetGroup unknown): {answer.error}"
        scene.say("TargetGroupVerifyError", text, warning=True)
        scene.say("WeightVerifyError", f"Failed to verify weight: {answer.error}", warning=True)
        raise _Unknown
    if not answer.arn:
        scene.say("LoadBalancerNotFound", f"Failed to find load balancer: {hostname}", warning=True)
        raise _Unknown
    return answer


def _is_right(scene: Scene, wanted: _Wanted, group: TargetGroup | None) -> bool:
    if group is None or group.weight is None:
        return False
    subject = f"Service {wanted.service} (TargetGroup {group.arn})"
    if group.weight == wanted.weight:
        scene.say("TargetGroupVerified", f"{subject} verified: canary weight {wanted.weight} set")
        return True
    text = f"{subject} not verified: canary weight {wanted.weight} not yet set (current: {group.weight})"
    scene.say("TargetGroupUnverified", text, warning=True)
    return False


def _hostnames(scene: Scene, name: str) -> Iterator[str]:
    """Where the load balancers of an Ingress answer; none while they are being made."""
    ingress = scene.world.known.get(Reference(INGRESSES, scene.ro.namespace, name)) or {}
    balancer = (ingress.get("status") or {}).get("loadBalancer") or {}
    yield from (str(each["hostname"]) for each in balancer.get("ingress") or () if each.get("hostname"))


def _owner(ro: Ro, ingress: str, service: str) -> str:
    port = settings(ro, "alb").get("servicePort") or 0
    return f"{ro.namespace}/{ingress}-{service}:{port}"


def _full(arn: str, skipped: int) -> str:
    """The name that metrics of CloudWatch know it by: the end of its ARN."""
    return "/".join(arn.split("/")[skipped:])
