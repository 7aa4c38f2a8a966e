"""A plugin template is offered to one executor plugin after the other until one of them says that it is its own.

The protocol is upstream's: POST `/api/v1/template.execute` on the plugin's port, with the plugin's token. A plugin
without that method (404) is not asked again; one that is not there yet (503, refused) is asked five times; whatever
else goes wrong is the failure of the node.
(AGENT-5, AGENT-7)
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from actors.contract import paths
from actors.contract.documents import AgentOrder, PluginPlace
from actors.names.durations import parse_duration
from tiphys.executor.agent import ENDED, Answer, Template
from tiphys.executor.redaction import keep_secret, redacted, without
from tiphys.executor.request_errors import failure

if TYPE_CHECKING:
    import aiohttp

CALL_S = 30.0  # a plugin answers soon, and says with `requeue` that there is more to come
PAUSES_S = (1.0, 2.0, 4.0, 8.0)  # before it is asked again, where it is not there yet
UNENDED_S = 10.0  # after a phase that is not the last one, where the plugin does not say when to ask again
SAID_MAX = 500  # characters of an answer that is no reply
METHOD = "/api/v1/template.execute"


class Refusal(Exception):
    """No answer that could be used; the text is the node's message."""


class Absent(Refusal):
    """The plugin is not there yet."""


class PluginTasks:
    """Asks the plugins of the pod."""

    def __init__(
        self, session: aiohttp.ClientSession, order: AgentOrder, folder: Path | None = None,
        pauses_s: Sequence[float] = PAUSES_S,
    ) -> None:  # fmt: skip
        self._session = session
        self._order = order
        self._plugins = list(order["plugins"])
        self._folder = folder or Path(paths.PLUGIN_MOUNT)
        self._pauses_s = pauses_s

    async def execute(self, template: Template) -> Answer:
        """Ask until one plugin takes the template."""
        try:
            for plugin in list(self._plugins):
                reply = await self._reply(plugin, template)
                if reply.get("node") is not None:
                    return _answer(plugin["name"], without(self._token(plugin), reply))
        except Refusal as error:
            return Answer({"phase": "Failed", "message": redacted(str(error))})
        return Answer({"phase": "Failed", "message": "no plugin executed the template"})

    async def _reply(self, plugin: PluginPlace, template: Template) -> dict[str, Any]:
        for pause_s in self._pauses_s:
            try:
                return await self._asked(plugin, template)
            except Absent:
                await asyncio.sleep(pause_s)
        return await self._asked(plugin, template)

    async def _asked(self, plugin: PluginPlace, template: Template) -> dict[str, Any]:
        """A plugin's reply; empty when it knows no such method. Raises Refusal."""
        import aiohttp  # noqa: PLC0415  (it is loaded already where this runs)

        order = self._order
        meta = {"name": order["taskSet"], "namespace": order["namespace"], "uid": order["workflow"]}
        url = f"http://127.0.0.1:{plugin['port']}{METHOD}"
        headers = {"Authorization": f"Bearer {self._token(plugin)}"}
        timeout = aiohttp.ClientTimeout(total=CALL_S)
        body = {"workflow": {"metadata": meta}, "template": template}
        try:
            async with self._session.post(url, json=body, headers=headers, timeout=timeout) as answer:
                if answer.status == 404:
                    self._plugins = [known for known in self._plugins if known is not plugin]
                    return {}
                if answer.status != 200:
                    raise await _refusal(answer)
                return _understood(plugin["name"], await answer.text(errors="replace"))
        except (aiohttp.ClientConnectionError, TimeoutError) as error:
            raise Absent(failure("POST", url, error)) from error
        except aiohttp.ClientError as error:
            raise Refusal(failure("POST", url, error)) from error

    def _token(self, plugin: PluginPlace) -> str:
        file = self._folder / plugin["name"] / paths.PLUGIN_TOKEN
        return keep_secret(file.read_text(encoding="utf-8").strip()) if file.exists() else ""


async def _refusal(answer: aiohttp.ClientResponse) -> Refusal:
    said = (await answer.text(errors="replace"))[:SAID_MAX]
    return Absent(said) if answer.status == 503 else Refusal(f"{answer.status} {answer.reason}: {said}")


def _understood(plugin: str, text: str) -> dict[str, Any]:
    """A plugin's reply. Raises Refusal for what is none."""
    if not text.strip():
        raise Refusal("EOF")
    try:
        reply = msgspec.json.decode(text)
    except ValueError as error:
        raise _misunderstood(plugin, f"its answer is no JSON: {error}") from error
    if not isinstance(reply, dict):
        raise _misunderstood(plugin, "its answer is no object")
    return reply


def _misunderstood(plugin: str, reason: str) -> Refusal:
    return Refusal(f"plugin {plugin} does not keep to the protocol: {reason}")


def _answer(plugin: str, reply: dict[str, Any]) -> Answer:
    """What the node is now; it may have nothing to tell yet. Raises Refusal for what no node can be."""
    said, again_s = reply["node"], _requeue(plugin, reply)
    if isinstance(said, dict) and not said.get("phase") and again_s:
        return Answer({}, again_s)
    if not isinstance(said, dict) or not isinstance(said.get("phase"), str):
        raise _misunderstood(plugin, "`node` has no phase")
    outputs = said.get("outputs") or {}
    parameters = outputs.get("parameters") or [] if isinstance(outputs, dict) else None
    if not isinstance(parameters, list) or not all(isinstance(one, dict) and "name" in one for one in parameters):
        raise _misunderstood(plugin, "`node.outputs` is no object whose parameters have names")
    node = {key: said[key] for key in ("phase", "message", "outputs", "progress") if key in said}
    if node["phase"] == "Succeeded":
        return Answer(node)
    return Answer(node, again_s or (None if node["phase"] in ENDED else UNENDED_S))


def _requeue(plugin: str, reply: dict[str, Any]) -> float:
    """In how many seconds it is to be asked again; 0 where it does not say so."""
    given = reply.get("requeue")
    try:
        return parse_duration(str(given)) if given else 0.0
    except ValueError as error:
        raise _misunderstood(plugin, str(error)) from error
