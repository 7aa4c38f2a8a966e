"""Wavefront against a small server that speaks the protocol of its chart API."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from actors.analysis.conditions import verdict
from actors.analysis.credentials import provider_secrets
from actors.analysis.plan import run_plan
from actors.analysis.query import Answer, ProviderError, SecretName
from tests.analysis.servers import NOW, Heard, query, serving
from tests.analysis.world import RUNS, Script, lab, metric, run_of
from tiphys.devcluster.pki import new_identity, server_context
from tiphys.providers import http, wavefront
from tiphys.providers.http import Request, Response
from tiphys.providers.measure import measure
from tiphys.providers.wavefront import Nearest, nearest

SECRET = SecretName("system", "wavefront-api-tokens")
TEN = {"successCondition": "result == 10", "failureCondition": "result != 10"}
HTML = "invalid character '<' looking for beginning of value"


@pytest.fixture
def trusting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wavefront is asked by https alone, and nobody trusts the certificate of a server on this machine."""

    async def unchecked(request: Request) -> Response:
        return await http.send(replace(request, insecure=True))

    monkeypatch.setattr(wavefront, "send", unchecked)


async def asked(reply: Any, text: str = "ts(x)", tokens: Callable[[str], Any] | None = None) -> tuple[Answer, Any]:
    async with serving(reply, tls=server_context(new_identity())) as server:
        address = server.url.removeprefix("https://")
        secret = tokens(address) if tokens else {"example.wavefront.com": "other", address: "t0ken"}
        settings = {"wavefront": {"address": address, "query": text}}
        hidden = tuple((secret or {}).values())
        answer = await measure(query(settings, now=NOW + 0.75, credentials={SECRET: secret}, hidden=hidden))
        return answer, server.heard[0] if server.heard else None


def found(*series: Any, **fields: Any) -> dict[str, Any]:
    return {"query": "ts(x)", "timeseries": [{"label": "x", "host": "h", "data": each} for each in series], **fields}


def judged(conditions: dict[str, str], answer: Answer) -> str:
    return answer.phase or verdict(conditions, answer.value, NOW).phase


# ------------------------------------------------------------------------------------------------- values


@pytest.mark.spec("RO-PR-6")
@pytest.mark.usefixtures("trusting")
async def test_one_series_is_a_number_and_several_are_a_list():
    one, _ = await asked(found([[NOW, 10]]))
    several, _ = await asked(found([[NOW - 5, 10]], [[NOW + 7, 11.005]]))

    assert (one.value, one.text) == (10.0, "10.00")
    assert one.metadata == {"timestamps": "1767225600", "drift": "0"}
    assert (several.value, several.text) == ([10.0, 11.005], "[10.00,11.01]")
    assert several.metadata == {"timestamps": "[1767225595,1767225607]", "drift": "[-5,7]"}


@pytest.mark.usefixtures("trusting")
@pytest.mark.parametrize(("series", "conditions", "phase"), [
    ([[[NOW, 10]]], TEN, "Successful"),
    ([[[NOW, 11]]], TEN, "Failed"),
    ([[[NOW, 10]], [[NOW, 11]]], {"successCondition": "10 in result", "failureCondition": "len(result) != 2"},
     "Successful"),
    ([[[NOW, 10]]], {"successCondition": "result > 10", "failureCondition": "result < 10"}, "Inconclusive"),
    ([], TEN, "Error"),
])  # fmt: skip
async def test_conditions_judge_the_number_or_the_list(series, conditions, phase):
    answer, _ = await asked(found(*series))

    assert judged(conditions, answer) == phase


@pytest.mark.parametrize(("at", "expected"), [
    (1, Nearest(1.0, 0, -1)),
    (4, Nearest(2.0, 5, 1)),
    (0, Nearest(1.0, 0, 0)),
    (5, Nearest(2.0, 5, 0)),
])  # fmt: skip
def test_the_nearest_point_counts_whether_it_is_earlier_or_later(at, expected):
    assert nearest({"data": [[0.0, 1.0], [5.0, 2.0]]}, at) == expected


def test_of_two_points_as_near_the_first_counts():
    assert nearest({"data": [[0.0, 1.0], [2.0, 2.0]]}, 1) == Nearest(1.0, 0, -1)
    assert nearest({"data": [[2.0, 2.0], [0.0, 1.0]]}, 1) == Nearest(2.0, 2, 1)


def test_times_and_drifts_are_shown_without_parts_of_a_second():
    assert nearest({"data": [[97.5, 1.0]]}, 100) == Nearest(1.0, 97, -2)


# ----------------------------------------------------------------------------------------------- requests


@pytest.mark.usefixtures("trusting")
async def test_one_point_of_the_second_of_asking_is_asked_for():
    _, heard = await asked(found([[NOW, 1]]), 'sum(ts("a b", x=1)) & 2')

    assert (heard.method, heard.path) == ("GET", "/api/v2/chart/api")
    assert heard.query == {
        "q": 'sum(ts("a b", x=1)) & 2', "s": "1767225600000", "e": "1767225600000", "g": "s", "p": "1", "i": "true",
        "autoEvents": "false", "listmode": "false", "strict": "false", "includeObsoleteMetrics": "false",
    }  # fmt: skip
    assert (heard.headers["authorization"], heard.headers["accept"]) == ("Bearer t0ken", "application/json")


@pytest.mark.usefixtures("trusting")
async def test_a_metric_without_a_query_asks_without_one():
    _, heard = await asked(found(warnings="No query provided"), "")

    assert "q" not in heard.query


async def test_a_token_is_told_to_no_server_that_is_not_trusted():
    answer, heard = await asked(found([[NOW, 1]]))

    assert (answer.phase, heard) == ("Error", None)
    assert "certificate" in answer.message


# ------------------------------------------------------------------------------------- warnings and errors


@pytest.mark.usefixtures("trusting")
@pytest.mark.parametrize(("series", "message", "more"), [
    ([[[NOW, 1]]], "", {"timestamps": "1767225600", "drift": "0"}),
    ([], "No TimeSeries found in response from Wavefront", {}),
    ([[]], "No data points found in a TimeSeries from Wavefront", {}),
])  # fmt: skip
async def test_warnings_are_shown_with_the_measurement_and_with_its_error(series, message, more):
    answer, _ = await asked(found(*series, warnings="No query provided"))

    assert (answer.phase, answer.message) == ("Error" if message else "", message)
    assert answer.metadata == {"warnings": "No query provided", **more}


@pytest.mark.virtual_time
async def test_a_run_keeps_the_warnings_of_a_measurement_that_went_wrong():
    wrong = Answer(phase="Error", message="nothing found", metadata={"warnings": "No query provided"})
    async with lab(Script({"m": [wrong, Answer(1.0, "1.00")]})) as here:
        status = await here.phase(await here.create(RUNS, run_of("r", metric())), "Successful")

    first, second = status["metricResults"][0]["measurements"]
    assert (first["phase"], first["message"], first["metadata"]) == ("Error", "nothing found", wrong.metadata)
    assert (second["phase"], second.get("metadata")) == ("Successful", None)


@pytest.mark.usefixtures("trusting")
async def test_warnings_tell_no_secret_and_have_an_end():
    answer, _ = await asked(found([[NOW, 1]], warnings="t0ken " + "x" * 10_000))

    assert answer.metadata["warnings"].startswith("***** xxx")
    assert len(answer.metadata["warnings"]) == wavefront.SHOWN_MAX


@pytest.mark.usefixtures("trusting")
@pytest.mark.parametrize(("reply", "message"), [
    ({}, "No TimeSeries found in response from Wavefront"),
    (found(), "No TimeSeries found in response from Wavefront"),
    ({"timeseries": None, "errorType": "QuerySyntaxError"}, "No TimeSeries found in response from Wavefront"),
    ({"timeseries": [{"label": "x"}]}, "No data points found in a TimeSeries from Wavefront"),
    (found([[NOW]]), "error unmarshaling data point: [1767225600.0]"),
    (found([[NOW, 1], [NOW, None]]), "error unmarshaling data point: [1767225600.0, None]"),
    (found([[NOW, "NaN"]]), "error unmarshaling data point: [1767225600.0, 'NaN']"),
    ('{"timeseries":[{"data":[[1e999, 1]]}]}', "error unmarshaling data point: [inf, 1.0]"),
    ([], "the answer is not Wavefront's: it is no JSON object"),
    ("<html>", HTML),
    ((401, "who are you, t0ken?"), "server returned 401 Unauthorized\nwho are you, *****?"),
    ((503, ""), "server returned 503 Service Unavailable"),
    ((299, found([[NOW, 1]])), "server returned 299"),
])  # fmt: skip
async def test_errors_are_errors_without_a_value(reply, message):
    answer, _ = await asked(reply)

    assert (answer.phase, answer.value, answer.text) == ("Error", None, "")
    assert answer.message.startswith(message)


def test_a_series_that_cannot_be_judged_is_no_zero():
    with pytest.raises(ProviderError):
        nearest({"data": []}, 0)


# ----------------------------------------------------------------------------------------------- its Secret


def foreign(address: str) -> dict[str, str]:
    return {"example.wavefront.com": "123456789", address + ".example": "x"}


@pytest.mark.usefixtures("trusting")
@pytest.mark.parametrize(("tokens", "message"), [
    (foreign, "API token not found"),
    (lambda _: {}, "API token not found"),
    (lambda _: None, 'secrets "wavefront-api-tokens" not found in namespace system'),
])  # fmt: skip
async def test_an_address_without_its_token_is_asked_nothing(tokens, message):
    def untouched(heard: Heard) -> Any:
        raise AssertionError(heard)

    answer, heard = await asked(untouched, tokens=tokens)

    assert (answer, heard) == (Answer(phase="Error", message=message), None)


def test_the_tokens_are_the_controllers_and_the_query_is_not_shown():
    wanted = metric(provider={"wavefront": {"address": "example.wavefront.com", "query": "ts(x)"}})
    plan = run_plan(run_of("r", wanted)).by_name["m"]

    assert provider_secrets(plan, "shop", "system") == [SECRET]
    assert plan.metadata == {}
