"""A plugin template is offered to one executor plugin after the other until one of them says that it is its own.

The protocol is upstream's: POST `/api/v1/template.execute` on the plugin's port, with the plugin's token. A plugin
without that method (404) is not asked again; one that is not there yet (503, refused) is asked again later.
(AGENT-5, AGENT-7)
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from actors.contract import paths
from actors.contract.documents import AgentOrder, PluginPlace
from actors.names.durations import parse_duration
from tiphys.executor.agent import ENDED, Answer, Template
from tiphys.executor.redaction import keep_secret, redacted, without

if TYPE_CHECKING:
    import aiohttp

CALL_S = 30.0  # a plugin answers soon, and says with `requeue` that there is more to come
AGAIN_S = 2.0
UNENDED_S = 10.0  # after a phase that is not the last one, where the plugin does not say when to ask again
METHOD = "/api/v1/template.execute"


class PluginTasks:
    """Asks the plugins of the pod."""

    def __init__(self, session: aiohttp.ClientSession, order: AgentOrder, folder: Path | None = None) -> None:
        self._session = session
        self._order = order
        self._plugins = list(order["plugins"])
        self._folder = folder or Path(paths.PLUGIN_MOUNT)

    async def execute(self, template: Template) -> Answer:
        """Ask until one plugin takes the template."""
        waiting = ""
        for plugin in list(self._plugins):
            reply, trouble = await self._asked(plugin, template)
            waiting = trouble or waiting
            if reply and reply.get("node") is not None:
                return _answer(plugin["name"], without(self._token(plugin), reply))
        if waiting:
            return Answer({"phase": "Pending", "message": waiting}, AGAIN_S)
        names = ", ".join(plugin["name"] for plugin in self._order["plugins"]) or "none"
        return Answer({"phase": "Error", "message": f"no plugin executed the template (plugins: {names})"})

    async def _asked(self, plugin: PluginPlace, template: Template) -> tuple[dict[str, Any] | None, str]:
        """A plugin's reply, and why it could not be asked right now."""
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
                    self._plugins.remove(plugin)
                    return None, ""
                if answer.status in (429, 503):
                    return None, f"plugin {plugin['name']} answered {answer.status}"
                if answer.status != 200:
                    said = redacted(await answer.text())[:500]
                    raise RuntimeError(f"plugin {plugin['name']} answered {answer.status}: {said}")
                reply = await answer.json(content_type=None) or {}
                if not isinstance(reply, dict):
                    raise _misunderstood(plugin["name"], "its answer is no object")
                return reply, ""
        except (aiohttp.ClientConnectionError, TimeoutError) as error:
            return None, redacted(f"plugin {plugin['name']} does not answer: {str(error) or 'time-out'}")

    def _token(self, plugin: PluginPlace) -> str:
        file = self._folder / plugin["name"] / paths.PLUGIN_TOKEN
        return keep_secret(file.read_text(encoding="utf-8").strip()) if file.exists() else ""


def _misunderstood(plugin: str, reason: str) -> RuntimeError:
    return RuntimeError(f"plugin {plugin} does not keep to the protocol: {reason}")


def _answer(plugin: str, reply: dict[str, Any]) -> Answer:
    """What the node is now. Raises RuntimeError for what no node can be."""
    said = reply["node"]
    if not isinstance(said, dict) or not isinstance(said.get("phase"), str):
        raise _misunderstood(plugin, "`node` has no phase")
    outputs = said.get("outputs") or {}
    parameters = outputs.get("parameters") or [] if isinstance(outputs, dict) else None
    if not isinstance(parameters, list) or not all(isinstance(one, dict) and "name" in one for one in parameters):
        raise _misunderstood(plugin, "`node.outputs` is no object whose parameters have names")
    node = {key: said[key] for key in ("phase", "message", "outputs", "progress") if key in said}
    requeue = str(reply.get("requeue") or "")
    if requeue:
        return Answer(node, parse_duration(requeue))
    return Answer(node, None if node.get("phase") in ENDED else UNENDED_S)
