"""Requests to Amazon are signed (Signature Version 4) with credentials found where its own clients look for them.

In this order: the environment, a web identity (IRSA), a profile of the shared files, the container's endpoint (EKS Pod
Identity, ECS). A role that is named is taken on with them. The signature is a page of hashing with published test
vectors; a client library for it would be larger than this whole package.
"""

from __future__ import annotations

import configparser
import hashlib
import hmac
import os
import re
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import quote, unquote, urlencode, urlsplit

from actors.analysis.query import ProviderError
from actors.language.jsontext import loads
from actors.names.timestamps import moment, seconds
from tiphys.providers.http import Request, Response, send

ALGORITHM: Final = "AWS4-HMAC-SHA256"
SESSION: Final = "tiphys"
EARLY_S: Final = 120.0  # credentials are got anew so long before they expire
FORM: Final = "application/x-www-form-urlencoded; charset=utf-8"

_ELEMENT: Final = re.compile(r"<(AccessKeyId|SecretAccessKey|SessionToken|Expiration|Code|Message)>([^<]*)<")


class Credentials(NamedTuple):
    """Who signs, and until when it counts (seconds since 1970; 0: for ever)."""

    key: str
    secret: str
    token: str = ""
    expires: float = 0.0


_kept: dict[tuple[str, str], Credentials] = {}  # by profile and role


async def sign_with(request: Request, settings: Mapping[str, Any], service: str, now: float) -> Request:
    """The request, signed as `settings` (region, profile, roleArn) say. Raises ProviderError."""
    profile, role = str(settings.get("profile") or ""), str(settings.get("roleArn") or "")
    region = str(settings.get("region") or "") or default_region(profile)
    if not region:
        raise ProviderError("no AWS region: set it in the metric, in AWS_REGION or in the profile")
    return signed(request, await credentials(profile, role, region, now), region, service, now)


# ------------------------------------------------------------------------------------------------- signing


def signed(request: Request, who: Credentials, region: str, service: str, now: float) -> Request:
    """The request with its signature in the headers."""
    at = moment(int(now)).strftime("%Y%m%dT%H%M%SZ")
    parts = urlsplit(request.url)
    headers = {name.lower(): " ".join(value.split()) for name, value in request.headers.items()}
    headers |= {"host": parts.netloc, "x-amz-date": at}
    if who.token:
        headers["x-amz-security-token"] = who.token
    names = ";".join(sorted(headers))
    canonical = "\n".join(
        (
            request.method,
            quote(unquote(parts.path) or "/", safe="/-_.~"),
            _query(parts.query),
            *(f"{name}:{headers[name]}" for name in sorted(headers)),
            "",
            names,
            hashlib.sha256(request.body or b"").hexdigest(),
        )
    )
    scope = f"{at[:8]}/{region}/{service}/aws4_request"
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    key = f"AWS4{who.secret}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.digest(key, f"{ALGORITHM}\n{at}\n{scope}\n{digest}".encode(), "sha256").hex()
    headers["authorization"] = f"{ALGORITHM} Credential={who.key}/{scope}, SignedHeaders={names}, Signature={signature}"
    return replace(request, headers=headers)


def _query(text: str) -> str:
    """The pairs of a query, in order, each part quoted as Amazon quotes."""
    pairs = [pair.partition("=")[::2] for pair in text.split("&")] if text else []
    quoted = [(quote(unquote(key), safe="-_.~"), quote(unquote(value), safe="-_.~")) for key, value in pairs]
    return "&".join(f"{key}={value}" for key, value in sorted(quoted))


# --------------------------------------------------------------------------------------------- credentials


async def credentials(profile: str, role: str, region: str, now: float) -> Credentials:
    """Who signs. Raises ProviderError that says where was looked."""
    kept = _kept.get((profile, role))
    if kept is not None and kept.expires - EARLY_S > now:
        return kept
    found = await _own(profile, region, now)
    if role:
        form = {"Action": "AssumeRole", "RoleArn": role, "RoleSessionName": SESSION, "Version": "2011-06-15"}
        request = Request(_sts(region), "POST", {"Content-Type": FORM}, urlencode(form).encode())
        found = _from_sts(await send(signed(request, found, region, "sts", now)))
    if found.expires:
        _kept[profile, role] = found
    return found


async def _own(profile: str, region: str, now: float) -> Credentials:
    env = os.environ
    if not profile and env.get("AWS_ACCESS_KEY_ID") and env.get("AWS_SECRET_ACCESS_KEY"):
        return Credentials(env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"], env.get("AWS_SESSION_TOKEN") or "")
    if not profile and env.get("AWS_WEB_IDENTITY_TOKEN_FILE") and env.get("AWS_ROLE_ARN"):
        return await _web_identity(env["AWS_WEB_IDENTITY_TOKEN_FILE"], env["AWS_ROLE_ARN"], region)
    section = _profile("AWS_SHARED_CREDENTIALS_FILE", "credentials", profile)
    if section.get("aws_access_key_id") and section.get("aws_secret_access_key"):
        return Credentials(
            section["aws_access_key_id"], section["aws_secret_access_key"], section.get("aws_session_token") or ""
        )
    if not profile and (
        env.get("AWS_CONTAINER_CREDENTIALS_FULL_URI") or env.get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI")
    ):
        return await _container()
    where = f"profile {profile}" if profile else "the environment, a web identity, the shared file, the container"
    raise ProviderError(f"no AWS credentials in {where}")


async def _web_identity(file: str, role: str, region: str) -> Credentials:
    form = {
        "Action": "AssumeRoleWithWebIdentity", "RoleArn": role, "Version": "2011-06-15",
        "RoleSessionName": os.environ.get("AWS_ROLE_SESSION_NAME") or SESSION, "WebIdentityToken": _read(file),
    }  # fmt: skip
    request = Request(_sts(region), "POST", {"Content-Type": FORM}, urlencode(form).encode())
    return _from_sts(await send(request))


async def _container() -> Credentials:
    relative = os.environ.get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI")
    url = f"http://169.254.170.2{relative}" if relative else os.environ["AWS_CONTAINER_CREDENTIALS_FULL_URI"]
    file = os.environ.get("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")
    token = _read(file) if file else os.environ.get("AWS_CONTAINER_AUTHORIZATION_TOKEN") or ""
    answer = await send(Request(url, headers={"Authorization": token} if token else {}, timeout_s=5.0))
    try:
        found = loads(answer.text)
        expires = seconds(found["Expiration"]) if found.get("Expiration") else 0.0
        return Credentials(found["AccessKeyId"], found["SecretAccessKey"], found.get("Token") or "", expires)
    except (ValueError, TypeError, KeyError, AttributeError):
        raise ProviderError(f"the container's endpoint gives no AWS credentials: status {answer.status}") from None


def _sts(region: str) -> str:
    return os.environ.get("AWS_ENDPOINT_URL_STS") or endpoint("sts", region)


def endpoint(service: str, region: str) -> str:
    """Where a service of a region answers."""
    given = os.environ.get(f"AWS_ENDPOINT_URL_{service.upper()}") or os.environ.get("AWS_ENDPOINT_URL")
    domain = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    return given or f"https://{service}.{region}.{domain}/"


def document(answer: Response) -> ET.Element:
    """The XML of a service's answer, its names without namespaces. Raises ProviderError with what the service says."""
    try:
        root = ET.fromstring(answer.text)  # noqa: S314  # expat bounds expansion, and the client the size
    except ET.ParseError as error:
        raise ProviderError(f"the answer is no XML ({error}): {answer.quoted}") from None
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    if answer.status != 200:
        code, text = root.findtext(".//Code") or str(answer.status), root.findtext(".//Message") or ""
        raise ProviderError(f"{code}: {text}")
    return root


def _from_sts(answer: Response) -> Credentials:
    found = dict(
        re.findall(r"<(AccessKeyId|SecretAccessKey|SessionToken|Expiration|Code|Message)>([^<]*)<", answer.text)
    )
    if answer.status != 200 or not found.get("AccessKeyId"):
        why = f"{found.get('Code') or answer.status}: {found.get('Message') or 'no credentials'}"
        raise ProviderError(f"the AWS role cannot be taken on: {why}")
    expires = seconds(found["Expiration"]) if found.get("Expiration") else 0.0
    return Credentials(found["AccessKeyId"], found["SecretAccessKey"], found.get("SessionToken") or "", expires)


def default_region(profile: str = "") -> str:
    """The region of the environment, else of the profile; empty when there is none."""
    given = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or ""
    return given or str(_profile("AWS_CONFIG_FILE", "config", profile).get("region") or "")


def _profile(variable: str, name: str, profile: str) -> Mapping[str, str]:
    """A section of one of the shared files; empty when it is not there."""
    path = os.environ.get(variable) or str(Path.home() / ".aws" / name)
    wanted = profile or os.environ.get("AWS_PROFILE") or "default"
    parser = configparser.RawConfigParser()
    try:
        parser.read(path)
    except (configparser.Error, OSError, UnicodeDecodeError):
        return {}
    for section in (wanted, f"profile {wanted}"):
        if parser.has_section(section):
            return dict(parser.items(section))
    return {}


def _read(file: str) -> str:
    try:
        return Path(file).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ProviderError(f"the AWS token file cannot be read: {error.strerror}") from None
