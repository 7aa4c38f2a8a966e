"""Elastic Load Balancing's protocol against a small server that speaks it: pages, tags, rules, signatures, refusals."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl

import pytest

from actors.rollout.balancer_query import BalancerAnswer, BalancerQuery, TargetGroup
from tests.analysis.servers import Heard, serving
from tiphys.providers import elb

HOST = "k8s-web-1.eu-west-1.elb.amazonaws.com"


class Balancing:
    """The service: one load balancer of interest on the second page, two listeners, thirty target groups."""

    def __init__(self) -> None:
        self.calls: list[dict[str, str]] = []

    def __call__(self, heard: Heard) -> Any:
        form = dict(parse_qsl(heard.body))
        self.calls.append(form)
        action = form["Action"]
        members, marker = getattr(self, action)(form)
        end = f"<NextMarker>{marker}</NextMarker>" if marker else ""
        space = 'xmlns="http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/"'
        return f"<{action}Response {space}><{action}Result>{members}{end}</{action}Result></{action}Response>"

    def DescribeLoadBalancers(self, form: dict[str, str]) -> tuple[str, str]:
        if "Marker" not in form:
            return f"<LoadBalancers>{balancer('other', 'x')}</LoadBalancers>", "2"
        return f"<LoadBalancers>{balancer('web', HOST)}</LoadBalancers>", ""

    def DescribeTargetGroups(self, form: dict[str, str]) -> tuple[str, str]:
        assert form["LoadBalancerArn"] == "arn:web"
        names = range(15) if "Marker" not in form else range(15, 30)
        groups = "".join(
            f"<member><TargetGroupArn>arn:{n}</TargetGroupArn><TargetGroupName>g{n}</TargetGroupName></member>"
            for n in names
        )
        return f"<TargetGroups>{groups}</TargetGroups>", "" if "Marker" in form else "2"

    def DescribeTags(self, form: dict[str, str]) -> tuple[str, str]:
        arns = [value for key, value in form.items() if key.startswith("ResourceArns.member.")]
        assert len(arns) <= 20
        tags = "".join(
            f"<member><ResourceArn>{arn}</ResourceArn><Tags><member><Key>team</Key><Value>a</Value></member>"
            f"<member><Key>ingress.k8s.aws/resource</Key><Value>ns/{arn}</Value></member></Tags></member>"
            for arn in arns if arn != "arn:29"
        )  # fmt: skip
        return f"<TagDescriptions>{tags}</TagDescriptions>", ""

    def DescribeListeners(self, form: dict[str, str]) -> tuple[str, str]:
        listeners = "".join(f"<member><ListenerArn>{name}</ListenerArn></member>" for name in ("http", "https"))
        return f"<Listeners>{listeners}</Listeners>", ""

    def DescribeRules(self, form: dict[str, str]) -> tuple[str, str]:
        if form["ListenerArn"] == "http":
            redirect = "<member><Type>redirect</Type></member>"
            return f"<Rules><member><Actions>{redirect}</Actions></member></Rules>", ""
        groups = "".join(
            f"<member><TargetGroupArn>arn:{n}</TargetGroupArn><Weight>{weight}</Weight></member>"
            for n, weight in ((0, 20), (1, 80))
        )
        forward = f"<member><ForwardConfig><TargetGroups>{groups}</TargetGroups></ForwardConfig></member>"
        return f"<Rules><member><Actions>{forward}</Actions></member></Rules>", ""


def balancer(name: str, host: str) -> str:
    arn = f"<LoadBalancerArn>arn:{name}</LoadBalancerArn>"
    return f"<member>{arn}<LoadBalancerName>{name}</LoadBalancerName><DNSName>{host}</DNSName></member>"


@pytest.fixture(autouse=True)
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("ACCESS_KEY_ID", "AKID"), ("SECRET_ACCESS_KEY", "hunter2"), ("REGION", "eu-west-1")):
        monkeypatch.setenv(f"AWS_{name}", value)
    elb._found.clear()


async def asked(
    monkeypatch: pytest.MonkeyPatch, reply: Any, hostname: str = HOST
) -> tuple[BalancerAnswer, list[Heard]]:
    async with serving(reply) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_ELASTIC_LOAD_BALANCING_V2", server.url)
        return await elb.ask(BalancerQuery(hostname)), server.heard


@pytest.mark.spec("RO-1.6-alb-verify")
async def test_a_load_balancer_is_found_with_its_groups_their_owners_and_weights(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    service = Balancing()
    answer, heard = await asked(monkeypatch, service)

    assert (answer.name, answer.arn, answer.error) == ("web", "arn:web", "")
    assert len(answer.groups) == 30
    assert answer.groups[0] == TargetGroup("g0", "arn:0", "ns/arn:0", 20)
    assert answer.groups[1] == TargetGroup("g1", "arn:1", "ns/arn:1", 80)
    assert answer.groups[29] == TargetGroup("g29", "arn:29")
    assert all("/eu-west-1/elasticloadbalancing/aws4_request" in each.headers["authorization"] for each in heard)
    assert {form["Version"] for form in service.calls} == {"2015-12-01"}


async def test_a_load_balancer_is_looked_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    service = Balancing()
    await asked(monkeypatch, service)
    await asked(monkeypatch, service)

    assert [form["Action"] for form in service.calls].count("DescribeLoadBalancers") == 2  # its two pages


async def test_a_host_name_of_none_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    answer, _ = await asked(monkeypatch, Balancing(), "gone.elb.amazonaws.com")

    assert answer == BalancerAnswer()


@pytest.mark.parametrize(("reply", "message"), [
    ((403, "<ErrorResponse><Error><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>"),
     "AccessDenied: no"),
    ("<html>hm", "the answer is no XML"),
    ((503, "<x/>"), "503: "),
])  # fmt: skip
async def test_whatever_goes_wrong_is_said(monkeypatch: pytest.MonkeyPatch, reply: Any, message: str) -> None:
    answer, _ = await asked(monkeypatch, reply)

    assert answer.error.startswith(message)
    assert "hunter2" not in answer.error


async def test_a_region_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_REGION")
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")

    assert (await elb.ask(BalancerQuery(HOST))).error == "no AWS region: set AWS_REGION"
