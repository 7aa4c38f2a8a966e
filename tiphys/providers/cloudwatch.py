"""A CloudWatch metric is one call of GetMetricData: a list of results, each with Id, Label, Timestamps and Values."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlencode

from actors.analysis.query import Answer, ProviderError, Query
from actors.analysis_checks import whole
from actors.language.gotext import printed
from actors.names.durations import parse_duration
from actors.names.timestamps import rfc3339
from tiphys.providers.aws import FORM, default_region, document, endpoint, sign_with
from tiphys.providers.http import Request, Response, send

TIMEOUT_S: Final = 30.0
BROKEN: Final = frozenset({"InternalError", "Forbidden"})
"""States of a result that holds no values; one of PartialData has some, and the conditions judge them."""


async def measure(query: Query) -> Answer:
    """Ask CloudWatch."""
    settings = query.settings
    try:
        interval_s = parse_duration(settings.get("interval") or "5m")
    except ValueError as error:
        raise ProviderError(str(error)) from None
    region = default_region()
    if not region:
        raise ProviderError("no AWS region: set AWS_REGION")
    form = [
        ("Action", "GetMetricData"),
        ("Version", "2010-08-01"),
        ("StartTime", rfc3339(query.now - interval_s)),
        ("EndTime", rfc3339(query.now)),
        *_queries(settings.get("metricDataQueries") or ()),
    ]
    request = Request(
        endpoint("monitoring", region), "POST", {"Content-Type": FORM}, urlencode(form).encode(), TIMEOUT_S
    )
    return _results(await send(await sign_with(request, {"region": region}, "monitoring", query.now)))


def _queries(queries: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    """The queries as the form writes lists: `MetricDataQueries.member.1.Id`."""
    for number, each in enumerate(queries, start=1):
        at = f"MetricDataQueries.member.{number}"
        yield f"{at}.Id", str(each.get("id") or "")
        for field, name in (("expression", "Expression"), ("label", "Label")):
            if each.get(field) is not None:
                yield f"{at}.{name}", str(each[field])
        if each.get("period") is not None:
            yield f"{at}.Period", str(whole(each["period"]))
        if each.get("returnData") is not None:
            yield f"{at}.ReturnData", "true" if each["returnData"] else "false"
        if each.get("metricStat") is not None:
            yield from _statistic(f"{at}.MetricStat", each["metricStat"])


def _statistic(at: str, stat: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    metric = stat.get("metric") or {}
    for field, name in (("namespace", "Namespace"), ("metricName", "MetricName")):
        if metric.get(field):
            yield f"{at}.Metric.{name}", str(metric[field])
    for number, dimension in enumerate(metric.get("dimensions") or (), start=1):
        yield f"{at}.Metric.Dimensions.member.{number}.Name", str(dimension.get("name") or "")
        yield f"{at}.Metric.Dimensions.member.{number}.Value", str(dimension.get("value") or "")
    yield f"{at}.Period", str(whole(stat.get("period")))
    yield f"{at}.Stat", str(stat.get("stat") or "")
    if stat.get("unit"):
        yield f"{at}.Unit", str(stat["unit"])


def _results(answer: Response) -> Answer:
    root = document(answer)
    found = [_result(member) for member in root.findall(".//MetricDataResults/member")]
    for each in found:
        if each["StatusCode"] in BROKEN:
            said = "; ".join(str(message["Value"]) for message in each["Messages"])
            raise ProviderError(f"result {each['Id']} is {each['StatusCode']}" + (f": {said}" if said else ""))
    messages = _messages(root.findall("./GetMetricDataResult/Messages/member"))
    metadata = {"messages": printed(messages)} if messages else {}
    return Answer(found, printed([each["Values"] for each in found]), metadata=metadata)


def _result(member: ET.Element) -> dict[str, Any]:
    try:
        values = [float(value.text or "") for value in member.findall("Values/member")]
    except ValueError:
        raise ProviderError("a value of the answer is no number") from None
    return {
        "Id": member.findtext("Id") or "",
        "Label": member.findtext("Label") or "",
        "StatusCode": member.findtext("StatusCode") or "",
        "Timestamps": [each.text or "" for each in member.findall("Timestamps/member")],
        "Values": values,
        "Messages": _messages(member.findall("Messages/member")),
    }


def _messages(members: list[ET.Element]) -> list[dict[str, str]]:
    return [{"Code": each.findtext("Code") or "", "Value": each.findtext("Value") or ""} for each in members]
