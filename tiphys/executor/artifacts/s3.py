"""S3, and everything that speaks like it (DRV-1)."""

from __future__ import annotations

import ssl
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import obstore
from obstore.store import S3Store

from tiphys.executor.artifacts import Place, StoreError, StoreUnavailable, objects
from tiphys.executor.artifacts.credentials import secret_file, secret_text
from tiphys.executor.artifacts.objects import Bucket

if TYPE_CHECKING:
    from obstore.store import S3Config

AWS = "amazonaws.com"
REGION_DEFAULT = "us-east-1"
TIMEOUT_S = 30.0


def load(place: Place, target: Path) -> None:
    """Bring the object, or the objects below the key."""
    objects.load(_bucket(place), target)


def save(place: Place, source: Path) -> None:
    """Keep the object, or a directory as objects below the key; the bucket is created when the artifact says so."""
    bucket = _bucket(place)
    if place.section.get("createBucketIfNotPresent") is not None:
        _create(place.section, bucket)
    objects.save(bucket, source)


def list_keys(place: Place) -> list[str]:
    """The keys that begin with the artifact's."""
    return objects.list_keys(_bucket(place))


def delete(place: Place, *, tree: bool) -> None:
    """Delete the object, with `tree` those below its name, too."""
    objects.delete(_bucket(place), tree=tree)


def _bucket(place: Place) -> Bucket:
    section = place.section
    name, host = str(section["bucket"]), str(section["endpoint"])
    insecure = bool(section.get("insecure"))
    url = f"{'http' if insecure else 'https'}://{host.rpartition('://')[2].rstrip('/')}"
    virtual = _virtual(section, url)
    config: S3Config = {
        "endpoint": url.replace("://", f"://{name}.", 1) if virtual else url,
        "region": str(section.get("region") or _region(section, url)),
        "virtual_hosted_style_request": virtual,
    }
    access, secret = secret_text(section, "accessKeySecret"), secret_text(section, "secretKeySecret")
    if bool(access) != bool(secret):
        raise StoreError("s3: accessKeySecret and secretKeySecret need each other")
    if access and not section.get("useSDKCreds"):  # without: the identity of the pod or the machine
        config |= {"access_key_id": access, "secret_access_key": secret}
        if token := secret_text(section, "sessionTokenSecret") or str(section.get("sessionToken") or ""):
            config["session_token"] = token
    config |= _encryption(section)
    options = objects.client_options(insecure=insecure, root_certificate=secret_text(section, "caSecret"))
    shown = f"s3 bucket {name!r} at {host}"
    with objects.opening(shown):
        store = S3Store(name, config=config, client_options=options, retry_config=objects.retry_options())
    return Bucket(store, str(section.get("key") or "").lstrip("/"), shown)


def _virtual(section: Mapping[str, Any], url: str) -> bool:
    """Whether the bucket is part of the host's name: as told, else only at Amazon's own."""
    style = str(section.get("addressingStyle") or "auto").lower()
    return style.startswith("virtual") or (style != "path" and (urlsplit(url).hostname or "").endswith(AWS))


def _encryption(section: Mapping[str, Any]) -> S3Config:
    told = section.get("encryptionOptions") or {}
    if customer := secret_file(told, "serverSideCustomerKeySecret"):
        key = b64encode(customer.read_bytes()).decode()
        return {"server_side_encryption": "sse-c", "sse_customer_key_base64": key}
    if not told.get("enableEncryption"):
        return {}
    if told.get("kmsKeyId"):
        return {"server_side_encryption": "aws:kms", "sse_kms_key_id": str(told["kmsKeyId"])}
    return {"server_side_encryption": "AES256"}


def _region(section: Mapping[str, Any], url: str) -> str:
    """Where the bucket is, as its service says without being asked for anything else."""
    request = urllib.request.Request(f"{url}/{section['bucket']}", method="HEAD")  # noqa: S310  (http or https: see _bucket)
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S, context=_tls(section)) as answer:  # noqa: S310  (as above)
            headers = answer.headers
    except urllib.error.HTTPError as error:  # a refusal says it, too
        headers = error.headers
    except OSError:
        return REGION_DEFAULT  # the request that follows has its own retries, and its own words
    return str(headers.get("x-amz-bucket-region") or REGION_DEFAULT)


def _create(section: Mapping[str, Any], bucket: Bucket) -> None:
    """Create the bucket unless it is there. The client has no call for it, but it can sign the request."""
    assert isinstance(bucket.store, S3Store)
    url = obstore.sign(bucket.store, "PUT", "", timedelta(minutes=5))
    region = str(bucket.store.config.get("region") or REGION_DEFAULT)
    body = b"" if region == REGION_DEFAULT else _LOCATION.format(region).encode()
    request = urllib.request.Request(url, data=body, method="PUT")  # noqa: S310  (http or https: see _bucket)
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S, context=_tls(section)):  # noqa: S310  (as above)
            return
    except urllib.error.HTTPError as error:
        if error.code != 409:  # it is there
            raise StoreError(f"{bucket.name} cannot be created: {error.code} {error.reason}") from error
    except OSError as error:
        raise StoreUnavailable(f"{bucket.name} cannot be created: {error}") from error


_LOCATION = (
    '<CreateBucketConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
    "<LocationConstraint>{}</LocationConstraint></CreateBucketConfiguration>"
)


def _tls(section: Mapping[str, Any]) -> ssl.SSLContext:
    return ssl.create_default_context(cadata=secret_text(section, "caSecret") or None)
