"""A New Relic metric is an NRQL query: one row is a map, several are a list of them."""

from __future__ import annotations

from typing import Any, Final

from actors.analysis.query import Answer, ProviderError, Query
from actors.language.jsontext import dumps, loads
from tiphys.providers.http import Request, send

ENDPOINTS: Final = {"us": "https://api.newrelic.com/graphql", "eu": "https://api.eu.newrelic.com/graphql"}
NRQL_TIMEOUT_S: Final = 5
GRACE_S: Final = 10.0  # beyond the time that the query itself may take

QUESTION: Final = """query ($query: Nrql!, $accountId: Int!, $timeout: Seconds!) {
  actor { account(id: $accountId) { nrql(query: $query, timeout: $timeout) { results } } }
}"""


async def measure(query: Query) -> Answer:
    """Ask New Relic's NerdGraph."""
    name, secret = next(iter(query.credentials.items()))
    if secret is None:
        raise ProviderError(f'secrets "{name.name}" not found in namespace {name.namespace}')
    key, account = secret.get("personal-api-key"), secret.get("account-id")
    if not key or not account:
        raise ProviderError("account ID or personal API key not found")
    if not account.isdecimal():
        raise ProviderError("could not parse account ID: it is no number")
    region = (secret.get("region") or "us").lower()
    url = secret.get("base-url-nerdgraph") or ENDPOINTS.get(region)
    if not url:
        raise ProviderError(f"unknown region {region}: known are {', '.join(ENDPOINTS)}")
    timeout = query.settings.get("timeout")
    timeout = NRQL_TIMEOUT_S if timeout is None else timeout
    if timeout < 0:
        raise ProviderError("timeout value needs to be a positive value")
    variables = {"accountId": int(account), "query": query.settings.get("query") or "", "timeout": timeout}
    body = dumps({"query": QUESTION, "variables": variables}).encode()
    headers = {"Content-Type": "application/json", "Api-Key": key}
    answer = await send(Request(url, "POST", headers, body, timeout + GRACE_S))
    if answer.status != 200:
        raise ProviderError(f"received non 2xx response code: {answer.status} {answer.quoted}")
    try:
        content = loads(answer.text)
    except ValueError as error:
        raise ProviderError(f"Could not parse JSON body: {error}") from None
    return _rows(content)


def _rows(content: Any) -> Answer:
    errors = content.get("errors") if isinstance(content, dict) else None
    if errors:
        raise ProviderError("; ".join(str(each.get("message") or each) for each in errors))
    try:
        rows = content["data"]["actor"]["account"]["nrql"]["results"] or []
    except (TypeError, KeyError):
        raise ProviderError("the answer is not New Relic's: it has no results") from None
    if not rows or (len(rows) == 1 and not rows[0]):
        raise ProviderError("no results returned from NRQL query")
    value = rows[0] if len(rows) == 1 else rows
    return Answer(value, dumps(value))
