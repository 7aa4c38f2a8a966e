"""What Amazon's Elastic Load Balancing knows of a load balancer: its target groups, whose they are, and their weights.

Several calls make one answer, since its API tells groups, tags, listeners and rules apart. A load balancer's ARN is
kept once it was found: its host name never means another one.
"""

from __future__ import annotations

import os
import time
import xml.etree.ElementTree as ET
from collections.abc import AsyncIterator, Iterator
from typing import Final
from urllib.parse import urlencode

from actors.analysis.query import ProviderError
from actors.rollout.balancer_query import BalancerAnswer, BalancerQuery, TargetGroup
from runtime.log import Log
from tiphys.providers.aws import FORM, default_region, document, endpoint, sign_with
from tiphys.providers.http import Request, send

VERSION: Final = "2015-12-01"
NAME: Final = "elasticloadbalancing"
TIMEOUT_S: Final = 30.0
TAGS_AT_ONCE: Final = 20
PAGES_MAX: Final = 100

Form = list[tuple[str, str]]

log = Log()
_found: dict[str, tuple[str, str]] = {}  # by host name: name and ARN


async def ask(query: BalancerQuery) -> BalancerAnswer:
    """Ask AWS. Never raises but for cancellation: what goes wrong is in the answer."""
    try:
        return await _answer(query)
    except ProviderError as error:
        return query.failed(str(error))
    except Exception as error:  # noqa: BLE001  # whatever AWS answers, the Rollout says so and asks again
        log.warning("balancer.broke", hostname=query.hostname, error=type(error).__name__)
        return query.failed(f"the answer of AWS cannot be read: {type(error).__name__}")


async def _answer(query: BalancerQuery) -> BalancerAnswer:
    known = _found.get(query.hostname) or await _find(query.hostname)
    if known is None:
        return BalancerAnswer()
    _found[query.hostname] = known
    name, arn = known
    of_balancer = [("LoadBalancerArn", arn)]
    groups = {
        _text(each, "TargetGroupArn"): _text(each, "TargetGroupName")
        async for each in _all("DescribeTargetGroups", of_balancer, "TargetGroups")
    }
    owners = await _owners(list(groups), query.tag)
    weights: dict[str, int] = {}
    async for listener in _all("DescribeListeners", of_balancer, "Listeners"):
        async for rule in _all("DescribeRules", [("ListenerArn", _text(listener, "ListenerArn"))], "Rules"):
            weights |= dict(_weights(rule))
    found = (TargetGroup(title, each, owners.get(each, ""), weights.get(each)) for each, title in groups.items())
    return BalancerAnswer(name, arn, tuple(found))


async def _find(hostname: str) -> tuple[str, str] | None:
    async for each in _all("DescribeLoadBalancers", [("PageSize", "300")], "LoadBalancers"):
        if _text(each, "DNSName").lower() == hostname.lower():
            return _text(each, "LoadBalancerName"), _text(each, "LoadBalancerArn")
    return None


async def _owners(arns: list[str], tag: str) -> dict[str, str]:
    """What the tag of each target group says, for those that have it."""
    found: dict[str, str] = {}
    for begin in range(0, len(arns), TAGS_AT_ONCE):
        some = arns[begin : begin + TAGS_AT_ONCE]
        form = [(f"ResourceArns.member.{number}", arn) for number, arn in enumerate(some, start=1)]
        async for each in _all("DescribeTags", form, "TagDescriptions"):
            for one in each.findall("Tags/member"):
                if _text(one, "Key") == tag:
                    found[_text(each, "ResourceArn")] = _text(one, "Value")
    return found


def _weights(rule: ET.Element) -> Iterator[tuple[str, int]]:
    for group in rule.findall("Actions/member/ForwardConfig/TargetGroups/member"):
        if _text(group, "Weight").isdecimal():
            yield _text(group, "TargetGroupArn"), int(_text(group, "Weight"))


async def _all(action: str, form: Form, listed: str) -> AsyncIterator[ET.Element]:
    """Every element of a list, from as many pages as there are. Raises ProviderError."""
    marker = ""
    for _ in range(PAGES_MAX):
        page = await _call(action, [*form, *([("Marker", marker)] if marker else [])])
        for each in page.findall(f"./{action}Result/{listed}/member"):
            yield each
        marker = page.findtext(f"./{action}Result/NextMarker") or ""
        if not marker:
            return
    raise ProviderError(f"{action} has more than {PAGES_MAX} pages")


async def _call(action: str, form: Form) -> ET.Element:
    region = default_region()
    if not region:
        raise ProviderError("no AWS region: set AWS_REGION")
    where = os.environ.get("AWS_ENDPOINT_URL_ELASTIC_LOAD_BALANCING_V2") or endpoint(NAME, region)
    body = urlencode([("Action", action), ("Version", VERSION), *form]).encode()
    request = Request(where, "POST", {"Content-Type": FORM}, body, TIMEOUT_S)
    return document(await send(await sign_with(request, {"region": region}, NAME, time.time())))


def _text(element: ET.Element, name: str) -> str:
    return element.findtext(name) or ""
