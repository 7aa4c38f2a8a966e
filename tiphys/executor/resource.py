"""`resource ACTION` is the main program of a resource template: it acts, waits for the conditions, and reports.

It ends with 0, or with 64 and the reason as its message (RES-11). What it prints is what kubectl would.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import urllib.error
import urllib.request
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from actors.contract import paths
from actors.contract.documents import Content, Instructions
from actors.contract.instructions import from_env
from tiphys.executor.log import Log
from tiphys.executor.redaction import redacted
from tiphys.executor.shim import hold, report, shim_directory

if TYPE_CHECKING:
    from runtime.api import Api
    from runtime.credentials import Access
    from tiphys.executor.resource_kinds import Fetch, Kinds
    from tiphys.executor.resource_verbs import Order

T = TypeVar("T")
FAILED = 64
TRIES, PAUSE_S, PAUSE_FACTOR = 5, 1.0, 1.6
PAST = {"delete": "deleted", "create": "created", "apply": "applied", "replace": "replaced", "patch": "patched"}


def main(action: str) -> int:
    """Run as the main container of a resource template; the exit code."""
    signal.signal(signal.SIGTERM, lambda *_: os._exit(128 + signal.SIGTERM))  # as process 1 we would ignore it
    told = from_env(os.environ)
    directory = shim_directory()
    lock = hold(f"{directory}/{paths.lock_file(told['container'])}")
    log = Log(Path(directory, paths.log_file(told["container"])) if told.get("keep_log") else None)
    content = asyncio.run(_act(told, action, directory, log))
    report(content, told, directory)
    os.close(lock)
    return content["code"]


async def run(api: Api, kinds: Kinds, order: Order, told: Instructions, log: Log) -> Content:
    """Act, wait, and collect the outputs. Raises what the parts raise."""
    from tiphys.executor.resource_outcome import output_values, until_decided, values_of_nothing  # noqa: PLC0415
    from tiphys.executor.resource_verbs import BadManifest, perform, targets  # noqa: PLC0415

    section, wanted = told["resource"], told.get("parameters", [])
    success, failure = section.get("successCondition", ""), section.get("failureCondition", "")
    if order.action == "delete" and (success or failure or wanted):
        raise BadManifest("successCondition, failureCondition and outputs are not supported for delete action")
    done = []
    for target in await _patiently(lambda _: targets(api, kinds, order)):
        thing = await _patiently(partial(perform, api, order, target))
        if thing is not None:
            done.append((target.ref, thing))
        shown = f"{target.ref.resource.plural}/{target.ref.name} {PAST.get(order.action, order.action)}"
        log.say(json.dumps(veiled(thing)) if order.action == "get" and thing is not None else shown)
    if order.action == "delete":
        return {"code": 0}
    if (success or failure or wanted) and len(done) > 1:
        raise BadManifest("resource: conditions and outputs need one object, and the manifest has several")
    if not done:
        return {"code": 0, "parameters": values_of_nothing(wanted)}
    thing = done[0][1]
    if success or failure:
        log.say(f"waiting until {success or 'no success condition'}, unless {failure or 'nothing'}")
        thing = await until_decided(api, done[0][0], success, failure)
    values, error = output_values(thing, wanted)
    content: Content = {"code": FAILED if error else 0, "parameters": values}
    if error:
        content["message"] = error
        log.say(error)
    return content


async def _act(told: Instructions, action: str, directory: str, log: Log) -> Content:
    from runtime.client import HttpApi  # noqa: PLC0415  (aiohttp: after the lock is held)
    from runtime.credentials import in_pod  # noqa: PLC0415
    from tiphys.executor.resource_kinds import Kinds  # noqa: PLC0415

    try:
        access = in_pod(Path(os.environ.get(paths.mount_env(paths.TOKEN_VOLUME), paths.TOKEN_MOUNT)))
        order = _order(told, action, directory)
        async with HttpApi(access) as api:
            return await run(api, Kinds(fetcher(access, await access.headers())), order, told, log)
    except Exception as error:  # noqa: BLE001  (whatever it is, the user must read it on the node)
        text = redacted(str(error)) or type(error).__name__
        log.say(text)
        return {"code": FAILED, "message": text}


def _order(told: Instructions, action: str, directory: str) -> Order:
    from tiphys.executor.resource_flags import parse_flags  # noqa: PLC0415
    from tiphys.executor.resource_verbs import Order as _Order  # noqa: PLC0415

    section = told["resource"]
    manifest = section.get("manifest") or ""
    if section.get("manifestFile"):
        manifest = Path(directory, section["manifestFile"]).read_text(encoding="utf-8")
    return _Order(
        action=action,
        namespace=section["namespace"],
        manifest=manifest,
        flags=parse_flags(section.get("flags") or ()),
        merge_strategy=section.get("mergeStrategy") or "strategic",
        owner=section.get("owner"),
    )


def veiled(thing: Mapping[str, Any]) -> Mapping[str, Any]:
    """An object as a log may show it: a Secret with stars in place of what it keeps, and without copies of itself."""
    if thing.get("kind") != "Secret":
        return thing
    stars = {field: dict.fromkeys(thing[field], "*****") for field in ("data", "stringData") if thing.get(field)}
    meta = {key: value for key, value in thing["metadata"].items() if key != "annotations"}
    return {**thing, **stars, "metadata": meta}


def fetcher(access: Access, headers: dict[str, str]) -> Fetch:
    """GET of discovery documents; there are at most a few, before anything else happens."""

    def fetch(path: str) -> dict[str, Any]:
        request = urllib.request.Request(access.url + path, headers={**headers, "Accept": "application/json"})  # noqa: S310  (the cluster's own URL)
        try:
            with urllib.request.urlopen(request, context=access.tls, timeout=30) as answer:  # noqa: S310  (as above)
                document: dict[str, Any] = json.load(answer)
                return document
        except urllib.error.HTTPError as error:
            if error.code in (403, 404):
                raise LookupError(path) from error
            raise

    return fetch


async def _patiently(work: Callable[[bool], Awaitable[T]]) -> T:
    """Do it, again while the API server cannot be reached or asks to wait; the work hears if it was tried before."""
    from runtime.api import Throttled, Unavailable  # noqa: PLC0415

    pause = PAUSE_S
    for number in range(TRIES - 1):
        try:
            return await work(number > 0)
        except (Throttled, Unavailable) as error:
            await asyncio.sleep(getattr(error, "after_s", pause))
            pause *= PAUSE_FACTOR
    return await work(True)
