"""With whose rights an event acts: its sender's token, or that of the account which a webhook's secret stands for."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeAlias

import yaml

from actors.eventbinding import webhooks
from runtime.api import Api, ApiError, Gone
from runtime.objects import SECRETS, SERVICE_ACCOUNTS, Object, Reference

Bearers: TypeAlias = Callable[[str], AbstractAsyncContextManager[Api]]
"""The API as the bearer of a token sees it."""

BEARER = "Bearer "


class Forbidden(Exception):
    """A webhook is not let in; the text is for the log, since it could help who attacks."""


def token_of(headers: Mapping[str, str]) -> str:
    """The token that a request brings; empty when it brings none."""
    return headers.get("authorization", "").removeprefix(BEARER).strip()


async def token_for(own: Api, namespace: str, headers: Mapping[str, str], body: bytes) -> str:
    """The token of the account that a webhook's secret stands for; empty when nobody known has sent it.

    Raises Forbidden when the namespace takes no webhooks, or its Secret or account cannot be used."""
    try:
        found = await own.get(Reference(SECRETS, namespace, webhooks.CLIENTS))
    except ApiError as error:
        raise Forbidden(f"failed to get webhook clients: {error.message}") from error
    for account, text in sorted(_texts(found).items()):
        if webhooks.is_sender(_client(account, text), headers, body):
            return await _token(own, namespace, account)
    return ""


def _client(account: str, text: str) -> webhooks.Client:
    try:
        return webhooks.client(account, yaml.safe_load(text))
    except yaml.YAMLError as error:
        raise Forbidden(f"{webhooks.CLIENTS}: {account!r} is no YAML") from error
    except webhooks.BadClient as error:
        raise Forbidden(str(error)) from error


async def _token(own: Api, namespace: str, account: str) -> str:
    name = ""
    try:
        name = webhooks.token_secret(await own.get(Reference(SERVICE_ACCOUNTS, namespace, account)))
        token = _texts(await own.get(Reference(SECRETS, namespace, name))).get("token", "")
    except Gone as error:
        remedy = f"; make a Secret {name!r} of type kubernetes.io/service-account-token for it" if name else ""
        raise Forbidden(f"service account {account!r} has sent a webhook: {error.message}{remedy}") from error
    except ApiError as error:
        raise Forbidden(f"failed to get the token of service account {account!r}: {error.message}") from error
    if not token:
        raise Forbidden(f"Secret {name!r} has no token")
    return token


def _texts(secret: Object) -> dict[str, str]:
    encoded: dict[str, Any] = secret.get("data") or {}
    return {key: base64.b64decode(value).decode(errors="replace") for key, value in encoded.items()}
