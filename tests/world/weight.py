"""What a running system holds on to, counted: how many objects of each type, and how full each cache is.

Counts, not bytes and not time: the same run gives the same numbers on any machine, however busy.
"""

from __future__ import annotations

import asyncio
import gc
import types
from collections import Counter
from functools import _lru_cache_wrapper
from typing import Any, NamedTuple

from runtime.metrics import Metrics
from runtime.series import Series
from runtime.system import System

OURS = ("actors", "runtime", "crds", "tiphys")
SERVER = ("tiphys.devcluster", "tests")
"""Whose objects are not the controllers': the server in the same process, and the test that plays its pods."""

BOUNDED = (Metrics, Series)
"""What keeps something of whatever was there, up to a number that tests of their own hold it to."""

_NOT_STATE = (
    type, types.ModuleType, types.FunctionType, types.CodeType, types.BuiltinFunctionType, types.FrameType,
    types.CoroutineType, types.GeneratorType, asyncio.AbstractEventLoop, asyncio.Task, asyncio.Future, asyncio.Handle,
)  # fmt: skip


class Weight(NamedTuple):
    """Objects by the name of their type, and entries and limit of each cache by the name of its function."""

    objects: Counter[str]
    caches: dict[str, tuple[int, int | None]]


def weigh(system: System) -> Weight:
    """All that a system reaches, without the server, and all caches of functions in this process."""
    gc.collect()
    return Weight(_reached(system), {_name(cache): cache.cache_info()[3:1:-1] for cache in _caches()})


def grown(before: Weight, after: Weight, least: int) -> dict[str, int]:
    """The types of which there are at least so many more."""
    more = {name: number - before.objects[name] for name, number in after.objects.items()}
    return {name: number for name, number in more.items() if number >= least}


def fuller(before: Weight, after: Weight) -> dict[str, int | None]:
    """The caches that hold more than before, and how much they may hold."""
    return {name: limit for name, (size, limit) in after.caches.items() if size > before.caches.get(name, (0, 0))[0]}


def _reached(system: System) -> Counter[str]:
    seen: set[int] = set()
    found: Counter[str] = Counter()
    stack: list[Any] = [system]
    while stack:
        thing = stack.pop()
        kind = type(thing)
        if id(thing) in seen or isinstance(thing, _NOT_STATE + BOUNDED) or kind.__module__.startswith(SERVER):
            continue
        seen.add(id(thing))
        found[kind.__name__] += 1
        stack.extend(gc.get_referents(thing))
    return found


def _caches() -> list[Any]:
    wrappers = [thing for thing in gc.get_objects() if isinstance(thing, _lru_cache_wrapper)]
    return [
        found for found in wrappers if found.__module__.startswith(OURS) and not found.__module__.startswith(SERVER)
    ]


def _name(cache: Any) -> str:
    return f"{cache.__module__}.{cache.__qualname__}"
