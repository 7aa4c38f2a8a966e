"""SkyWalking against a small server that speaks GraphQL over HTTP."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from actors.analysis.conditions import verdict
from actors.analysis.credentials import provider_secrets
from actors.analysis.plan import run_plan
from actors.analysis.query import Answer
from tests.analysis.servers import NOW, query, serving
from tests.analysis.world import metric, run_of
from tiphys.providers.measure import measure
from tiphys.providers.skywalking import minute

TEXT = """query queryData($duration: Duration!) {
  service_apdex: readMetricsValues(condition: { name: "service_apdex" }, duration: $duration) {
    label values { values { value } }
  }
}"""
APDEX = {"service_apdex": {"label": None, "values": {"values": [{"value": 9900}, {"value": 10_000}]}}}
HTML = "decoding response: invalid character '<' looking for beginning of value"
NOTHING = "no results returned from SkyWalking query"


@pytest.fixture(autouse=True)
def zone(request: pytest.FixtureRequest) -> Iterator[None]:
    """The zone that the controller's clock is set to."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", getattr(request, "param", "UTC"))
        time.tzset()
        yield
    time.tzset()


async def asked(reply: Any, path: str = "", **settings: Any) -> tuple[Answer, Any]:
    async with serving(reply) as server:
        wanted = {"address": f"{server.url}{path}", "query": TEXT, "interval": "3m", **settings}
        answer = await measure(query({"skywalking": wanted}, now=NOW + 59.9))
        return answer, server.heard[0] if server.heard else None


# ------------------------------------------------------------------------------------------------- values


@pytest.mark.spec("RO-PR-11")
async def test_the_value_is_the_data_of_the_answer():
    answer, _ = await asked({"data": {"b": "<x>", "a": {"count": 10, "rate": 0.5}}})

    assert (answer.value, answer.phase) == ({"b": "<x>", "a": {"count": 10.0, "rate": 0.5}}, "")
    assert answer.text == '{"a":{"count":10,"rate":0.5},"b":"\\u003cx\\u003e"}'


@pytest.mark.parametrize(("found", "conditions", "text", "phase"), [
    ({"count": 10}, {"successCondition": "result.count == 10", "failureCondition": "result.count != 10"},
     '{"count":10}', "Successful"),
    ({"count": 11}, {"successCondition": "result.count == 10", "failureCondition": "result.count != 10"},
     '{"count":11}', "Failed"),
    ([{"count": 10}, {"count": 20}, {"count": 30}],
     {"successCondition": "result[0].count == 10", "failureCondition": "result[2].count < 20"},
     '[{"count":10},{"count":20},{"count":30}]', "Successful"),
    (APDEX, {"successCondition": "all(result.service_apdex.values.values, {asFloat(.value) >= 9900})"},
     '{"service_apdex":{"label":null,"values":{"values":[{"value":9900},{"value":10000}]}}}', "Successful"),
    ({"count": 10}, {"successCondition": "result.count > 10", "failureCondition": "result.count < 10"},
     '{"count":10}', "Inconclusive"),
    ({}, {}, "{}", "Successful"),
])  # fmt: skip
async def test_conditions_judge_whatever_the_query_gives(found, conditions, text, phase):
    answer, _ = await asked({"data": found, "errors": []})

    assert (answer.text, verdict(conditions, answer.value, NOW).phase) == (text, phase)


# ----------------------------------------------------------------------------------------------- requests


@pytest.mark.parametrize(("interval", "start"), [
    ("3m", "2025-12-31 2357"), ("1h30m", "2025-12-31 2230"), ("30s", "2026-01-01 0000"), ("60s", "2025-12-31 2359"),
    ("-1m", "2026-01-01 0001"), ("0", "2026-01-01 0000"),
])  # fmt: skip
async def test_the_query_is_sent_with_a_duration_that_ends_now(interval, start):
    _, heard = await asked({"data": APDEX}, interval=interval)

    duration = {"start": start, "end": "2026-01-01 0000", "step": "MINUTE"}
    assert (heard.method, heard.path) == ("POST", "/graphql")
    assert json.loads(heard.body) == {"query": TEXT, "variables": {"duration": duration}}
    assert heard.headers["content-type"] == heard.headers["accept"] == "application/json; charset=utf-8"


@pytest.mark.parametrize(("path", "expected"), [("/", "/graphql"), ("/oap", "/oap/graphql")])
async def test_the_address_may_have_a_path(path, expected):
    _, heard = await asked({"data": APDEX}, path)

    assert heard.path == expected


@pytest.mark.parametrize(("zone", "expected"), [("UTC", "2026-01-01 0000"), ("JST-9", "2026-01-01 0900"),
                                                ("NST3:30", "2025-12-31 2030")], indirect=["zone"])  # fmt: skip
@pytest.mark.usefixtures("zone")
def test_times_are_those_of_the_controllers_clock(expected):
    assert minute(NOW) == expected


# ------------------------------------------------------------------------------------------------- errors


@pytest.mark.parametrize(("interval", "message"), [
    (None, 'time: invalid duration ""'),
    ("", 'time: invalid duration ""'),
    ("5", 'time: missing unit in duration "5"'),
    ("5x", 'time: unknown unit "x" in duration "5x"'),
])  # fmt: skip
async def test_without_an_interval_that_can_be_read_nothing_is_asked(interval, message):
    answer, heard = await asked({"data": APDEX}, interval=interval)

    assert (answer, heard) == (Answer(phase="Error", message=message), None)


@pytest.mark.parametrize(("reply", "message"), [
    ({"errors": [{"message": "Unknown service", "path": ["a"]}, {"message": "and more"}]}, "graphql: Unknown service"),
    ({"data": APDEX, "errors": [{"message": "in part"}]}, "graphql: in part"),
    ((400, {"errors": [{"message": "Validation error"}]}), "graphql: Validation error"),
    ({"errors": [{}]}, "graphql: "),
    ({"data": None}, NOTHING),
    ({}, NOTHING),
    ((500, {"status": 500, "error": "Internal Server Error"}), NOTHING),
    ("<html>", HTML),
    ((502, "<html>bad gateway</html>"), f"{HTML}; the answer is 502 <html>bad gateway</html>"),
    ((503, ""), "decoding response: unexpected end of JSON input; the answer is 503"),
    ([], "decoding response: it is no JSON object"),
    ('{"data":{"v":1e999}}', "could not marshal results: json: unsupported value: +Inf"),
])  # fmt: skip
async def test_errors_are_errors_without_a_value(reply, message):
    answer, _ = await asked(reply)

    assert answer == Answer(phase="Error", message=message)


async def test_an_address_that_is_none_is_an_error():
    for address in (None, "skywalking-oap:12800"):
        answer, heard = await asked({"data": APDEX}, address=address)
        assert (answer.phase, heard) == ("Error", None)
        assert answer.message.endswith("is no http or https URL")


async def test_data_is_taken_whatever_the_status():
    answer, _ = await asked((500, {"data": {"count": 10}}))

    assert answer.value == {"count": 10.0}


def test_no_secret_is_read_and_no_query_shown():
    wanted = metric(provider={"skywalking": {"address": "http://x", "query": TEXT, "interval": "5m"}})
    plan = run_plan(run_of("r", wanted)).by_name["m"]

    assert provider_secrets(plan, "shop", "system") == []
    assert plan.metadata == {}
