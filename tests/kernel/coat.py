"""Faults as a coat: wraps any Api, delays its calls, and answers some of them as a server on a bad day would."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anyio

from runtime.api import Api

Fault = Callable[[str, Any], BaseException | None]


class Coat:
    """Passes all on to `api`, after `delay_s` and unless `fault(verb, subject)` gives an error to raise."""

    def __init__(self, api: Api, *, delay_s: float = 0.0, fault: Fault = lambda verb, subject: None) -> None:
        self.api = api
        self.delay_s = delay_s
        self.fault = fault
        self.calls: list[tuple[str, Any]] = []
        self.in_flight: list[Any] = []
        self.most = 0  # calls in flight at once, at most
        self.together = False  # two calls about one object were in flight at once

    async def _pass(self, verb: str, subject: Any, call: Callable[[], Any]) -> Any:
        self.calls.append((verb, subject))
        self.together = self.together or subject in self.in_flight
        self.in_flight.append(subject)
        self.most = max(self.most, len(self.in_flight))
        try:
            await anyio.sleep(self.delay_s)
            error = self.fault(verb, subject)
            if error is not None:
                raise error
            return await call()
        finally:
            self.in_flight.remove(subject)

    async def get(self, ref: Any) -> Any:
        return await self._pass("get", ref.name, lambda: self.api.get(ref))

    async def list(self, resource: Any, *args: Any, **options: Any) -> Any:
        return await self._pass("list", resource.plural, lambda: self.api.list(resource, *args, **options))

    def watch(self, resource: Any, *args: Any, **options: Any) -> Any:
        self.calls.append(("watch", resource.plural))
        error = self.fault("watch", resource.plural)
        if error is not None:
            raise error
        return self.api.watch(resource, *args, **options)

    async def create(self, resource: Any, thing: Any, **options: Any) -> Any:
        name = thing["metadata"].get("name", "")
        return await self._pass("create", name, lambda: self.api.create(resource, thing, **options))

    async def replace(self, resource: Any, thing: Any, **options: Any) -> Any:
        name = thing["metadata"]["name"]
        return await self._pass("replace", name, lambda: self.api.replace(resource, thing, **options))

    async def patch(self, ref: Any, body: Any, **options: Any) -> Any:
        return await self._pass("patch", ref.name, lambda: self.api.patch(ref, body, **options))

    async def delete(self, ref: Any, **options: Any) -> Any:
        return await self._pass("delete", ref.name, lambda: self.api.delete(ref, **options))

    def log(self, ref: Any, *args: Any, **options: Any) -> Any:
        self.calls.append(("log", ref.name))
        return self.api.log(ref, *args, **options)
