"""A command reaches a cluster by its kubeconfig, and does one thing there.

What the server refuses becomes a sentence with the server's words; what cannot be reached says how to find out.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import NamedTuple

import anyio

from runtime.api import Api, Unavailable
from tiphys.cli import places
from tiphys.cli.offloaded import NodesApi
from tiphys.cli.problems import InputError


class Target(NamedTuple):
    """Which cluster and namespace, as the options said; empty means the default."""

    kubeconfig: str = ""
    context: str = ""
    namespace: str = ""


class Connection(NamedTuple):
    """An API, the namespace that a command works in, and where the server is; empty in this process."""

    api: Api
    namespace: str
    url: str = ""


@asynccontextmanager
async def connected(target: Target) -> AsyncIterator[Connection]:
    """A connection to the cluster. Raises InputError when there is none to be found."""
    from runtime.client import HttpApi  # noqa: PLC0415  the HTTP client is a slow import

    path = places.kubeconfig(target.kubeconfig)
    async with HttpApi.from_kubeconfig(str(path), context=target.context or None) as api:
        namespace = target.namespace or api.namespace or "default"
        whole = NodesApi(api, namespace)
        try:
            yield Connection(whole, namespace, api.url)
        finally:
            await whole.close()


def on_cluster(target: Target, act: Callable[[Connection], Awaitable[int]]) -> int:
    """Connect and act; the exit code. Raises what the server answered, and InputError when it does not answer."""

    async def go() -> int:
        async with connected(target) as connection:
            return await act(connection)

    try:
        return anyio.run(go)
    except Unavailable as e:
        path = places.kubeconfig(target.kubeconfig)
        where = f"the cluster of {path} does not answer: {e.message}"
        raise InputError(f"{where}\nIs it running? `tiphys dev` starts one") from e
