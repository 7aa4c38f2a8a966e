"""Datadog, New Relic, Graphite, InfluxDB and Kayenta against small servers that speak their protocols; plugins."""

from __future__ import annotations

import json
from importlib.metadata import EntryPoint
from typing import Any

import pytest

from actors.analysis.query import Answer, Query, SecretName
from tests.analysis.servers import NOW, query, serving
from tiphys.providers import measure as dispatcher
from tiphys.providers.measure import measure

SECRET = SecretName("default", "s")


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch):
    for name in ("DD_API_KEY", "DD_APP_KEY", "DD_ADDRESS"):
        monkeypatch.delenv(name, raising=False)
    dispatcher.provider.cache_clear()
    yield
    dispatcher.provider.cache_clear()


# ------------------------------------------------------------------------------------------------- Datadog


async def datadog(reply: Any, **settings: Any) -> tuple[Answer, Any]:
    async with serving(reply) as server:
        keys = {SECRET: {"api-key": "api", "app-key": "app", "address": server.url}}
        answer = await measure(query({"datadog": settings}, credentials=keys))
        return answer, server.heard[0] if server.heard else None


async def test_datadog_v1_gives_the_last_point():
    reply = {"series": [{"pointlist": [[1.0, 0.5], [2.0, 0.0006444]]}]}
    answer, heard = await datadog(reply, query="avg:x{*}", interval="10m")

    assert (answer.value, answer.text) == (0.0006444, "0.0006444")
    assert heard.path == "/api/v1/query"
    assert heard.query == {"query": "avg:x{*}", "from": str(int(NOW) - 600), "to": str(int(NOW))}
    assert (heard.headers["dd-api-key"], heard.headers["dd-application-key"]) == ("api", "app")


@pytest.mark.parametrize(("reply", "text"), [
    ({"series": []}, "[]"),
    ({"series": [{"pointlist": []}]}, '[{"Pointlist":[]}]'),
])  # fmt: skip
async def test_datadog_v1_without_points_is_nil(reply, text):
    answer, _ = await datadog(reply, query="q")

    assert (answer.phase, answer.value, answer.text) == ("", None, text)


def columns(*found: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"data": {"attributes": {"columns": list(found)}, **fields}}


@pytest.mark.spec("RO-PR-5")
async def test_datadog_v2_asks_for_scalars_with_a_formula():
    reply = columns({"name": "query1", "type": "number", "values": [0.25]})
    settings = {"apiVersion": "v2", "queries": {"a": "qa", "b": "qb"}, "formula": "a / b", "aggregator": "sum"}
    answer, heard = await datadog(reply, **settings)

    assert (answer.value, answer.text, answer.metadata) == (0.25, "0.25", {})
    assert heard.path == "/api/v2/query/scalar"
    assert json.loads(heard.body) == {
        "data": {
            "type": "scalar_request",
            "attributes": {
                "from": (int(NOW) - 300) * 1000,
                "to": int(NOW) * 1000,
                "queries": [
                    {"aggregator": "sum", "data_source": "metrics", "name": "a", "query": "qa"},
                    {"aggregator": "sum", "data_source": "metrics", "name": "b", "query": "qb"},
                ],
                "formulas": [{"formula": "a / b"}],
            },
        }
    }


async def test_datadog_v2_by_tag_gives_a_list_and_says_whose_each_number_is():
    reply = columns(
        {"name": "region", "type": "group", "values": [["us"], ["eu"], ["ap"]]},
        {"name": "host", "type": "group", "values": [["a"], ["b"], ["c"]]},
        {"name": "q", "type": "number", "values": [1.5, None, 3.0]},
    )
    answer, _ = await datadog(reply, apiVersion="v2", query="q")

    assert (answer.value, answer.text) == ([1.5, 3.0], "[1.5,3]")
    assert answer.metadata == {"groups": '[{"name":"us,a","value":1.5},{"name":"ap,c","value":3}]'}


async def test_datadog_shows_the_extremes_of_many_groups():
    values = [float(n) for n in range(300)]
    reply = columns({"type": "group", "values": [[str(n)] for n in range(300)]}, {"type": "number", "values": values})
    answer, _ = await datadog(reply, apiVersion="v2", query="q")

    groups = json.loads(answer.metadata["groups"])
    assert len(answer.value) == 300
    assert [each["value"] for each in (groups[0], groups[49], groups[50], groups[99])] == [0, 49, 250, 299]
    assert answer.metadata["groups_truncated"] == "true"


@pytest.mark.parametrize("reply", [columns(), columns({"type": "number", "values": [None]})])
async def test_datadog_v2_without_values_is_nil(reply):
    answer, _ = await datadog(reply, apiVersion="v2", query="q")

    assert (answer.phase, answer.value, answer.text) == ("", None, "[]")


@pytest.mark.parametrize(("reply", "message"), [
    ((403, "no"), "received authentication error response code: 403 no"),
    ((500, "oops"), "received non 2xx response code: 500 oops"),
    ("<html>", "Could not parse JSON body"),
    (columns(errors="bad query"), "There were errors in your query: bad query"),
    (columns({"name": "q", "type": "number", "values": ["x"]}),
     'could not parse numeric value "x" in column "q"'),
    (columns({"type": "group", "values": [[]]}, {"type": "number", "values": [1.0]}),
     "could not parse group label at index 0"),
])  # fmt: skip
async def test_datadog_errors_are_errors(reply, message):
    answer, _ = await datadog(reply, apiVersion="v2", query="q")

    assert answer.phase == "Error"
    assert answer.message.startswith(message)


@pytest.mark.parametrize(("settings", "message"), [
    ({}, "Must have either a query or queries."),
    ({"query": "q", "queries": {"a": "b"}}, "Cannot have both a query and queries."),
    ({"queries": {"a": "b"}}, "Query is empty. API Version v1 only supports using the query parameter"),
    ({"apiVersion": "v2", "query": "q", "formula": "a"}, "Formula are only valid when queries are set."),
    ({"apiVersion": "v2", "queries": {"a": "b", "c": "d"}}, "When multiple queries are provided you must include a"),
    ({"query": "q", "aggregator": "sum"}, "Aggregator is not supported in v1."),
    ({"query": "q", "requestTimeout": "x"}, "Could not parse the request timeout: time: invalid duration"),
    ({"query": "q", "requestTimeout": "-1s"}, "Request timeout must be a positive duration (e.g. 30s)."),
])  # fmt: skip
async def test_datadog_settings_that_contradict_each_other_are_an_error(settings, message):
    answer, _ = await datadog({}, **settings)

    assert answer.message.startswith(message)


async def test_datadog_credentials_may_come_from_the_environment_and_have_to_come_from_somewhere(monkeypatch):
    none = await measure(query({"datadog": {"query": "q"}}, credentials={SECRET: None}))
    assert none.message == "failed to find the credentials for datadog metrics provider"

    async with serving({"series": [{"pointlist": [[1.0, 2.0]]}]}) as server:
        for name, value in (("DD_API_KEY", "a"), ("DD_APP_KEY", "b"), ("DD_ADDRESS", server.url)):
            monkeypatch.setenv(name, value)
        assert (await measure(query({"datadog": {"query": "q"}}))).value == 2.0


# ----------------------------------------------------------------------------------------------- New Relic


async def newrelic(reply: Any, secret: Any = None, **settings: Any) -> tuple[Answer, Any]:
    async with serving(reply) as server:
        own = {"personal-api-key": "key", "account-id": "42", "base-url-nerdgraph": server.url}
        given = {SECRET: own if secret is None else secret or None}
        answer = await measure(query({"newRelic": {"query": "SELECT 1", **settings}}, credentials=given))
        return answer, server.heard[0] if server.heard else None


def rows(*found: Any) -> dict[str, Any]:
    return {"data": {"actor": {"account": {"nrql": {"results": list(found)}}}}}


@pytest.mark.spec("RO-PR-7")
async def test_newrelic_gives_a_map_or_a_list_of_them():
    one, heard = await newrelic(rows({"rate": 0.5}))
    several, _ = await newrelic(rows({"rate": 0.5}, {"rate": 1}))

    assert (one.value, one.text) == ({"rate": 0.5}, '{"rate":0.5}')
    assert (several.value, several.text) == ([{"rate": 0.5}, {"rate": 1.0}], '[{"rate":0.5},{"rate":1}]')
    assert heard.headers["api-key"] == "key"
    assert json.loads(heard.body)["variables"] == {"accountId": 42, "query": "SELECT 1", "timeout": 5}


@pytest.mark.parametrize(("reply", "message"), [
    (rows(), "no results returned from NRQL query"),
    (rows({}), "no results returned from NRQL query"),
    ({"errors": [{"message": "bad NRQL"}]}, "bad NRQL"),
    ({"data": None}, "the answer is not New Relic's: it has no results"),
    ((401, "no"), "received non 2xx response code: 401 no"),
    ("<html>", "Could not parse JSON body"),
])  # fmt: skip
async def test_newrelic_errors_are_errors(reply, message):
    answer, _ = await newrelic(reply)

    assert answer.phase == "Error"
    assert answer.message.startswith(message)


@pytest.mark.parametrize(("secret", "message"), [
    ({"personal-api-key": "k"}, "account ID or personal API key not found"),
    ({"personal-api-key": "k", "account-id": "x"}, "could not parse account ID: it is no number"),
    ({"personal-api-key": "k", "account-id": "1", "region": "mars"}, "unknown region mars: known are us, eu"),
    (False, 'secrets "s" not found in namespace default'),
])  # fmt: skip
async def test_newrelic_needs_its_secret(secret, message):
    answer, _ = await newrelic({}, secret)

    assert answer == Answer(phase="Error", message=message)


# ------------------------------------------------------------------------------------------------ Graphite


async def graphite(reply: Any, text: str = "target=sum(x)") -> tuple[Answer, Any]:
    async with serving(reply) as server:
        answer = await measure(query({"graphite": {"address": f"{server.url}/g/", "query": text}}))
        return answer, server.heard[0] if server.heard else None


@pytest.mark.spec("RO-PR-9")
async def test_graphite_gives_the_points_of_the_first_series_that_are_not_empty():
    reply = [{"target": "a", "datapoints": [[1.5, 1], [None, 2], ["3", 3]]}, {"target": "b", "datapoints": [[9, 1]]}]
    answer, heard = await graphite(reply, "target=sumSeries(\n  x.*,\n  y)&from=-5min")

    assert (answer.value, answer.text) == ([1.5, 3.0], "[1.500000,3.000000]")
    assert heard.path == "/g/render"
    assert heard.query == {"target": "sumSeries(x.*,y)", "from": "-5min", "format": "json"}


@pytest.mark.parametrize(("reply", "message"), [
    ([], "no values found"),
    ([{"target": "a", "datapoints": []}], "no values found"),
    ([{"target": "a", "datapoints": [[1]]}], "error unmarshaling data point"),
    ([{"target": "a", "datapoints": [["x", 1]]}], "error unmarshaling value: x"),
    ((500, "oops"), "error response: oops"),
    ("<html>", "the answer is no JSON"),
])  # fmt: skip
async def test_graphite_errors_are_errors(reply, message):
    answer, _ = await graphite(reply)

    assert answer.phase == "Error"
    assert answer.message.startswith(message)


async def test_graphite_points_that_are_all_empty_are_an_empty_list():
    answer, _ = await graphite([{"target": "a", "datapoints": [[None, 1]]}])

    assert (answer.phase, answer.value, answer.text) == ("", [], "[]")


# ------------------------------------------------------------------------------------------------ InfluxDB

CSV = (
    "#datatype,string,long,dateTime:RFC3339,double,string\r\n"
    "#group,false,false,false,false,true\r\n"
    "#default,_result,,,7.5,\r\n"
    ",result,table,_time,_value,_field\r\n"
    ",,0,2026-01-01T00:00:00Z,0.5,rate\r\n"
    ",,0,2026-01-01T00:01:00Z,,rate\r\n"
    "\r\n"
    "#datatype,string,long,long,string\r\n"
    "#group,false,false,false,true\r\n"
    "#default,_result,,,\r\n"
    ",result,table,_value,_field\r\n"
    ",,1,12,count\r\n"
    "\r\n"
)


async def influx(reply: Any, secret: Any = None) -> tuple[Answer, Any]:
    async with serving(reply) as server:
        own = {"authToken": "t0ken", "address": server.url, "org": "me"}
        given = {SECRET: own if secret is None else secret or None}
        answer = await measure(query({"influxdb": {"query": 'from(bucket: "b")'}}, credentials=given))
        return answer, server.heard[0] if server.heard else None


@pytest.mark.spec("RO-PR-10")
async def test_influxdb_gives_the_values_of_all_records():
    answer, heard = await influx(CSV)

    assert (answer.value, answer.text) == ([0.5, 7.5, 12], "[0.5 7.5 12]")
    assert (heard.path, heard.query) == ("/api/v2/query", {"org": "me"})
    assert heard.headers["authorization"] == "Token t0ken"
    assert json.loads(heard.body)["query"] == 'from(bucket: "b")'


@pytest.mark.parametrize(("reply", "message"), [
    ("\r\n", "no results returned from flux query"),
    ("#datatype,string,string\r\n,error,reference\r\n,it broke,897\r\n", "it broke"),
    ((401, {"code": "unauthorized", "message": "no"}), "unauthorized: no"),
    ((502, "<html>"), "received non 2xx response code: 502 <html>"),
    ("<html>\r\n<body>\r\n", "the answer is no CSV of records with a _value"),
    ("#datatype,string,double\r\n,a,_value\r\n,x,abc\r\n", "a double value cannot be read: abc"),
])  # fmt: skip
async def test_influxdb_errors_are_errors(reply, message):
    answer, _ = await influx(reply)

    assert answer.phase == "Error"
    assert answer.message.startswith(message)


@pytest.mark.parametrize(("secret", "message"), [
    ({"authToken": "t"}, "authToken, org, or address not found"),
    (False, 'secrets "s" not found in namespace default'),
])  # fmt: skip
async def test_influxdb_needs_its_secret(secret, message):
    answer, _ = await influx("", secret)

    assert answer == Answer(phase="Error", message=message)


# ------------------------------------------------------------------------------------------------- Kayenta

SIDES = {"controlScope": {"scope": "stable", "region": "r", "step": 60},
         "experimentScope": {"scope": "canary", "region": "r", "step": 60}}  # fmt: skip
KAYENTA = {
    "application": "app", "canaryConfigName": "conf", "metricsAccountName": "m", "configurationAccountName": "c",
    "storageAccountName": "s", "threshold": {"pass": 90, "marginal": 60}, "scopes": [{"name": "default", **SIDES}],
}  # fmt: skip
UNFINISHED = {"phase": "Running", "startedAt": "2026-01-01T00:00:00Z", "metadata": {"canaryExecutionId": "e1"}}


async def kayenta(reply: Any, unfinished: Any = None, **settings: Any) -> tuple[Answer, Any]:
    async with serving(reply) as server:
        asked = query({"kayenta": {"address": server.url, **KAYENTA, **settings}}, metric={"interval": "5m"},
                      unfinished=unfinished)  # fmt: skip
        return await measure(asked), server.heard


def begun(heard: Any) -> Any:
    return [{"id": "id1", "name": "conf"}] if heard.path == "/canaryConfig" else {"canaryExecutionId": "e1"}


@pytest.mark.spec("RO-PR-4")
@pytest.mark.parametrize(("lookback", "start"), [(False, "2025-12-31T23:55:00Z"), (True, "2025-12-31T23:50:00Z")])
async def test_kayenta_begins_a_judgement_and_looks_again_later(lookback, start):
    answer, heard = await kayenta(begun, lookback=lookback)

    assert answer == Answer(phase="Running", metadata={"canaryExecutionId": "e1"}, resume_after_s=15.0)
    assert heard[0].query == {"application": "app", "configurationAccountName": "s"}
    assert heard[1].path == "/canary/id1"
    times = {"start": start, "end": "2026-01-01T00:00:00Z"}
    assert json.loads(heard[1].body) == {
        "scopes": {
            "default": {
                "controlScope": {"scope": "stable", "location": "r", "step": 60, **times},
                "experimentScope": {"scope": "canary", "location": "r", "step": 60, **times},
            }
        },
        "thresholds": {"pass": 90, "marginal": 60},
    }


def scored(score: Any, **fields: Any) -> dict[str, Any]:
    return {"complete": True, "result": {"judgeResult": {"score": {"score": score}}}, **fields}


@pytest.mark.parametrize(("score", "phase"), [(100, "Successful"), (90.5, "Successful"), (75, "Inconclusive"),
                                              (60, "Inconclusive"), (59.9, "Failed")])  # fmt: skip
async def test_kayenta_judges_by_its_score(score, phase):
    answer, heard = await kayenta(scored(score), UNFINISHED)

    assert (answer.phase, answer.text) == (phase, str(int(score)))
    assert heard[0].path == "/canary/e1"


async def test_kayenta_is_looked_at_until_it_is_complete():
    answer, _ = await kayenta({"complete": False}, UNFINISHED)

    assert (answer.phase, answer.resume_after_s) == ("Running", 15.0)


@pytest.mark.parametrize(("reply", "unfinished", "message"), [
    ([], None, "Canary config not found"),
    ((500, ""), None, "Invalid Response: HTTP 500"),
    ("<html>", None, "Invalid Response"),
    (lambda heard: begun(heard) if heard.method == "GET" else {}, None, "Invalid canaryExecutionId"),
    ({}, UNFINISHED, "Missing Complete Status"),
    ({"complete": True}, UNFINISHED, "Missing Score"),
    ((404, ""), UNFINISHED, "Invalid Response"),
])  # fmt: skip
async def test_kayenta_errors_are_errors(reply, unfinished, message):
    answer, _ = await kayenta(reply, unfinished)

    assert answer.phase == "Error"
    assert answer.message.startswith(message)


async def test_kayenta_wants_both_times_or_none():
    half = {"name": "x", **SIDES, "controlScope": {**SIDES["controlScope"], "start": "2026-01-01T00:00:00Z"}}
    answer, _ = await kayenta(begun, scopes=[half])

    assert answer.message == "controlScope.start and experimentScope.start must both be set or be empty"


# ------------------------------------------------------------------------------------------------- plugins


async def sample(asked: Query) -> Answer:
    """A plugin, as its author writes it."""
    if asked.settings.get("break"):
        raise RuntimeError(f"no {asked.settings['break']}")
    return Answer(value=asked.settings["value"], text="it")


@pytest.mark.spec("RO-PR-12")
async def test_a_plugin_is_an_entry_point(monkeypatch):
    point = EntryPoint("acme/sample", f"{__name__}:sample", dispatcher.GROUP)
    monkeypatch.setattr(EntryPoint, "load", lambda self: sample)
    monkeypatch.setattr(dispatcher, "entry_points", lambda group: [point] if group == dispatcher.GROUP else [])

    good = await measure(query({"plugin": {"acme/sample": {"value": 3}}}))
    bad = await measure(query({"plugin": {"acme/sample": {"break": "hunter2"}}}, hidden=("hunter2",)))

    assert (good.value, good.text) == (3, "it")
    assert bad == Answer(phase="Error", message="provider acme/sample broke: RuntimeError: no *****")
