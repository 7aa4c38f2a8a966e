"""An InfluxDB metric is a Flux query: the values of its records, in order. They come as annotated CSV."""

from __future__ import annotations

import base64
import csv
import io
from collections.abc import Callable, Iterator
from typing import Any, Final
from urllib.parse import urlencode

from actors.analysis.query import Answer, ProviderError, Query
from actors.language.gotext import printed
from actors.language.jsontext import dumps, loads
from actors.names.timestamps import parse
from tiphys.providers.http import Request, Response, send

TIMEOUT_S: Final = 30.0
DIALECT: Final = {
    "annotations": ["datatype", "group", "default"], "delimiter": ",", "header": True, "commentPrefix": "#",
}  # fmt: skip

_READ: Final[dict[str, Callable[[str], Any]]] = {
    "double": float,
    "long": int,
    "unsignedLong": int,
    "boolean": lambda text: text == "true",
    "dateTime:RFC3339": parse,
    "dateTime:RFC3339Nano": parse,
    "base64Binary": base64.b64decode,
}


async def measure(query: Query) -> Answer:
    """Ask InfluxDB."""
    name, secret = next(iter(query.credentials.items()))
    if secret is None:
        raise ProviderError(f'secrets "{name.name}" not found in namespace {name.namespace}')
    token, address, org = (secret.get(key) for key in ("authToken", "address", "org"))
    if not token or not address or not org:
        raise ProviderError("authToken, org, or address not found")
    body = dumps({"query": query.settings.get("query") or "", "type": "flux", "dialect": DIALECT}).encode()
    headers = {"Authorization": f"Token {token}", "Content-Type": "application/json", "Accept": "text/csv"}
    url = f"{address.rstrip('/')}/api/v2/query?{urlencode({'org': org})}"
    answer = await send(Request(url, "POST", headers, body, TIMEOUT_S))
    if answer.status // 100 != 2:
        raise ProviderError(_complaint(answer))
    values = list(records(answer.text))
    if not values:
        raise ProviderError("no results returned from flux query")
    return Answer(values, printed(values))


def _complaint(answer: Response) -> str:
    try:
        content = loads(answer.text)
        return f"{content['code']}: {content['message']}"
    except (ValueError, TypeError, KeyError):
        return f"received non 2xx response code: {answer.status} {answer.quoted}"


def records(text: str) -> Iterator[Any]:
    """The `_value` of every record of annotated CSV. Raises ProviderError for an error table, or for no CSV."""
    kinds: list[str] = []
    defaults: list[str] = []
    names: list[str] = []
    for row in csv.reader(io.StringIO(text)):
        if not row or row == [""]:
            names = []  # an empty line ends a table
        elif row[0] == "#datatype":
            kinds, names = row, []
        elif row[0] == "#default":
            defaults = row
        elif row[0].startswith("#"):
            continue
        elif not names:
            names = row
        elif "error" in names:
            raise ProviderError(row[names.index("error")])
        elif "_value" not in names:
            raise ProviderError("the answer is no CSV of records with a _value")
        else:
            yield _value(row, names.index("_value"), kinds, defaults)


def _value(row: list[str], at: int, kinds: list[str], defaults: list[str]) -> Any:
    kind = kinds[at] if at < len(kinds) else "string"
    text = row[at] if at < len(row) else ""
    if text == "" and at < len(defaults):
        text = defaults[at]
    if text == "" and kind != "string":
        return None
    try:
        return _READ.get(kind, str)(text)
    except ValueError:
        raise ProviderError(f"a {kind} value cannot be read: {text[:100]}") from None
