"""Signatures against Amazon's published vectors, credentials from where its clients look, and CloudWatch's protocol."""

from __future__ import annotations

import os
from typing import Any
from urllib.parse import parse_qs

import pytest

from actors.analysis.conditions import verdict
from actors.analysis.query import Answer, ProviderError
from actors.names.timestamps import seconds
from tests.analysis.servers import NOW, query, serving
from tiphys.providers import aws
from tiphys.providers.aws import Credentials, credentials, default_region, signed
from tiphys.providers.http import Request
from tiphys.providers.measure import measure

EXAMPLE = Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
AT = seconds("2015-08-30T12:36:00Z")
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
HOST = "https://example.amazonaws.com/"


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch, tmp_path):
    """No credentials but those that a test gives."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    aws._kept.clear()


@pytest.mark.parametrize(("request_", "service", "signature"), [
    (Request(HOST), "service", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
    (Request(f"{HOST}?Param2=value2&Param1=value1"), "service",
     "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"),
    (Request(HOST, "POST"), "service", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
    (Request(HOST, "POST", FORM, b"Param1=value1"), "service",
     "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"),
    (Request("https://iam.amazonaws.com/?Action=ListUsers&Version=2010-05-08", headers={
        "Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}), "iam",
     "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"),
], ids=["get-vanilla", "get-vanilla-query-order-key-case", "post-vanilla", "post-form", "iam"])  # fmt: skip
def test_signatures_are_those_of_the_published_vectors(request_, service, signature):
    found = signed(request_, EXAMPLE, "us-east-1", service, AT)

    assert found.headers["authorization"].endswith(f"Signature={signature}")


async def test_credentials_of_the_environment_come_first(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "c")

    assert await credentials("", "", "r", NOW) == Credentials("a", "b", "c")


async def test_a_profile_is_read_from_the_shared_files(tmp_path):
    (tmp_path / "credentials").write_text("[work]\naws_access_key_id = a\naws_secret_access_key = b%c\n")
    (tmp_path / "config").write_text("[profile work]\nregion = eu-west-1\n")

    assert await credentials("work", "", "r", NOW) == Credentials("a", "b%c")
    assert default_region("work") == "eu-west-1"


STS = """<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><R><Credentials>
<AccessKeyId>{key}</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken>
<Expiration>2026-01-01T01:00:00Z</Expiration></Credentials></R></AssumeRoleResponse>"""


async def test_a_web_identity_takes_on_its_role_and_is_kept_until_it_expires(monkeypatch, tmp_path):
    (tmp_path / "token").write_text("jwt\n")
    async with serving(STS.format(key="web")) as server:
        monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(tmp_path / "token"))
        monkeypatch.setenv("AWS_ROLE_ARN", "arn:role")
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", server.url)

        found = await credentials("", "", "r", NOW)
        assert found == Credentials("web", "s", "t", seconds("2026-01-01T01:00:00Z"))
        await credentials("", "", "r", NOW + 3000)
        assert len(server.heard) == 1
        await credentials("", "", "r", NOW + 3500)
        assert len(server.heard) == 2
        form = parse_qs(server.heard[0].body)
        assert (form["Action"], form["WebIdentityToken"]) == (["AssumeRoleWithWebIdentity"], ["jwt"])


async def test_a_role_is_taken_on_with_ones_own_credentials(monkeypatch):
    async with serving(STS.format(key="role")) as server:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "own")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", server.url)

        assert (await credentials("", "arn:role", "eu-west-1", NOW)).key == "role"
        assert "Credential=own/20260101/eu-west-1/sts/" in server.heard[0].headers["authorization"]


async def test_the_containers_endpoint_is_asked_with_its_token(monkeypatch, tmp_path):
    (tmp_path / "token").write_text("pod-token")
    reply = {"AccessKeyId": "a", "SecretAccessKey": "b", "Token": "c", "Expiration": "2026-01-01T01:00:00Z"}
    async with serving(reply) as server:
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{server.url}/v1/credentials")
        monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", str(tmp_path / "token"))

        assert (await credentials("", "", "r", NOW)).token == "c"
        assert server.heard[0].headers["authorization"] == "pod-token"


async def test_no_credentials_are_an_error_that_says_where_was_looked():
    with pytest.raises(ProviderError, match="no AWS credentials in the environment"):
        await credentials("", "", "r", NOW)
    with pytest.raises(ProviderError, match="no AWS credentials in profile work"):
        await credentials("work", "", "r", NOW)


# ---------------------------------------------------------------------------------------------- CloudWatch

XML = """<GetMetricDataResponse xmlns="http://monitoring.amazonaws.com/doc/2010-08-01/"><GetMetricDataResult>
<MetricDataResults>
<member><Id>rate</Id><Label>Rate</Label><StatusCode>{code}</StatusCode>
<Timestamps><member>2026-01-01T00:00:00Z</member></Timestamps><Values><member>0.02</member><member>3</member></Values>
<Messages>{said}</Messages></member>
<member><Id>none</Id><Label>None</Label><StatusCode>Complete</StatusCode><Timestamps/><Values/></member>
</MetricDataResults><Messages>{messages}</Messages></GetMetricDataResult></GetMetricDataResponse>"""
SAID = "<member><Code>C</Code><Value>V</Value></member>"
QUERIES = [
    {"id": "rate", "expression": "errors / requests", "label": "Rate", "period": 300, "returnData": True},
    {"id": "errors", "metricStat": {"period": "300", "stat": "Sum", "unit": "Count", "metric": {
        "namespace": "app", "metricName": "errors", "dimensions": [{"name": "service", "value": "x"}]}},
     "returnData": False},
]  # fmt: skip


async def ask(monkeypatch, reply: Any, **settings: Any) -> tuple[Answer, Any]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKID")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    async with serving(reply) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_MONITORING", server.url)
        answer = await measure(query({"cloudWatch": {"metricDataQueries": QUERIES, **settings}}))
        return answer, server.heard[0] if server.heard else None


@pytest.mark.spec("RO-PR-8")
async def test_cloudwatch_gives_a_list_of_results(monkeypatch):
    answer, heard = await ask(monkeypatch, XML.format(code="Complete", said="", messages=SAID), interval="10m")

    assert verdict({"successCondition": "result[0].Values[0] < 0.05 && result[0].Label == 'Rate'"},
                   answer.value, NOW).phase == "Successful"  # fmt: skip
    assert answer.text == "[[0.02 3] []]"
    assert answer.metadata == {"messages": "[map[Code:C Value:V]]"}
    form = {name: values[0] for name, values in parse_qs(heard.body).items()}
    assert form == {
        "Action": "GetMetricData",
        "Version": "2010-08-01",
        "StartTime": "2025-12-31T23:50:00Z",
        "EndTime": "2026-01-01T00:00:00Z",
        "MetricDataQueries.member.1.Id": "rate",
        "MetricDataQueries.member.1.Expression": "errors / requests",
        "MetricDataQueries.member.1.Label": "Rate",
        "MetricDataQueries.member.1.Period": "300",
        "MetricDataQueries.member.1.ReturnData": "true",
        "MetricDataQueries.member.2.Id": "errors",
        "MetricDataQueries.member.2.ReturnData": "false",
        "MetricDataQueries.member.2.MetricStat.Metric.Namespace": "app",
        "MetricDataQueries.member.2.MetricStat.Metric.MetricName": "errors",
        "MetricDataQueries.member.2.MetricStat.Metric.Dimensions.member.1.Name": "service",
        "MetricDataQueries.member.2.MetricStat.Metric.Dimensions.member.1.Value": "x",
        "MetricDataQueries.member.2.MetricStat.Period": "300",
        "MetricDataQueries.member.2.MetricStat.Stat": "Sum",
        "MetricDataQueries.member.2.MetricStat.Unit": "Count",
    }
    assert "/eu-west-1/monitoring/aws4_request" in heard.headers["authorization"]


@pytest.mark.parametrize(("reply", "message"), [
    (XML.format(code="InternalError", said=SAID, messages=""), "result rate is InternalError: V"),
    ((403, "<ErrorResponse><Error><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>"),
     "AccessDenied: no"),
    ("<html>hm", "the answer is no XML"),
    ((500, "<x/>"), "500: "),
])  # fmt: skip
async def test_whatever_is_no_result_is_an_error(monkeypatch, reply, message):
    answer, _ = await ask(monkeypatch, reply)

    assert answer.phase == "Error"
    assert answer.message.startswith(message)


async def test_a_region_is_needed():
    answer = await measure(query({"cloudWatch": {"metricDataQueries": QUERIES}}))

    assert answer.message == "no AWS region: set AWS_REGION"
