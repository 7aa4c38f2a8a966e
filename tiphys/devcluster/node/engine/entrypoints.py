"""How an image starts, as the engine that will run it knows: what a controller must know to put a program in front.

The engine pulls an image that is not there yet, with the pull secrets that the pod will have.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Protocol

from runtime.api import Api, ApiError, Refused, Unavailable
from runtime.objects import SECRETS, Object, Reference
from tiphys.devcluster.node.engine.api import EngineApi
from tiphys.devcluster.node.engine.bodies import Image, image_of
from tiphys.devcluster.node.engine.credentials import logins
from tiphys.devcluster.node.engine.errors import EngineAway, EngineError
from tiphys.devcluster.node.engine.opening import first_of
from tiphys.devcluster.node.engine.sockets import Candidate


class Question(Protocol):
    """What is asked: an image, and the pull secrets of the pod that will have it."""

    @property
    def image(self) -> str:
        """The reference."""
        ...

    @property
    def namespace(self) -> str:
        """Of the pod."""
        ...

    @property
    def secrets(self) -> Sequence[str]:
        """Names of pull secrets."""
        ...


class EngineEntrypoints:
    """Answers how images start."""

    def __init__(self, api: Api, engines: Sequence[Candidate]) -> None:
        self._api = api
        self._engines = engines

    async def __call__(self, query: Question) -> tuple[list[str], list[str]]:
        """Entrypoint and command of an image. Raises Refused (no such image, or no engine), Unavailable."""
        async with AsyncExitStack() as stack:
            engine = await first_of(stack, self._engines)
            try:
                image = await self._image(engine, query)
            except EngineAway as error:
                raise Unavailable(error.message) from error
            except EngineError as error:
                raise Refused(error.message, code=error.status, reason="ImageNotFound") from error
        return list(image.entrypoint), list(image.command)

    async def _image(self, engine: EngineApi, query: Question) -> Image:
        try:
            return image_of(await engine.image(query.image))
        except EngineError as error:
            if not error.is_absent:
                raise
        await engine.pull_with(query.image, logins(query.image, await self._secrets(query)))
        return image_of(await engine.image(query.image))

    async def _secrets(self, query: Question) -> list[Object]:
        found: list[Object] = []
        for name in query.secrets:
            try:
                found.append(await self._api.get(Reference(SECRETS, query.namespace, name)))
            except ApiError:  # without it the pull says what is missing
                continue
        return found
