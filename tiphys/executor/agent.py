"""The agent works off the tasks of a workflow's task set: many at a time, each at least once, answers written together.

A task without an answer is work; one with a last answer is not, so an agent that starts again goes on where its
predecessor was. What it must read (its task set, the secrets of headers) it reads with the token of the pod's own
service account. It ends when its task set is deleted, or comes to say that the workflow is over. (AGENT-3, AGENT-5)
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from actors.contract import paths
from actors.contract.documents import AgentOrder
from actors.contract.instructions import from_env
from tiphys.executor.redaction import redacted

if TYPE_CHECKING:
    from runtime.api import Api

WORKERS = 16
RETRY_S = 2.0
ENDED = frozenset({"Succeeded", "Failed", "Error", "Skipped", "Omitted"})
Template: TypeAlias = Mapping[str, Any]


class Answer(NamedTuple):
    """What came of a task so far; `again_s` when it is to be asked for once more (a plugin's `requeue`)."""

    node: dict[str, Any]  # phase, message, outputs, progress
    again_s: float | None = None


Execute: TypeAlias = Callable[[Template], Awaitable[Answer]]


def main() -> int:
    """Run as the main container of an agent's pod; the exit code."""
    signal.signal(signal.SIGTERM, lambda *_: os._exit(128 + signal.SIGTERM))  # what is not answered is asked for again
    order = from_env(os.environ)["agent"]
    asyncio.run(_work(order))
    return 0


async def _work(order: AgentOrder) -> None:
    from runtime.client import HttpApi  # noqa: PLC0415
    from runtime.credentials import in_pod  # noqa: PLC0415
    from tiphys.executor.agent_http import HttpTasks, session  # noqa: PLC0415
    from tiphys.executor.agent_plugins import PluginTasks  # noqa: PLC0415

    access = in_pod(Path(os.environ.get(paths.mount_env(paths.TOKEN_VOLUME), paths.TOKEN_MOUNT)))
    async with HttpApi(access) as api, session() as requests:
        http = HttpTasks(requests, api, order["namespace"])
        plugins = PluginTasks(requests, order)

        async def execute(template: Template) -> Answer:
            return await (http.execute(template) if template.get("http") is not None else plugins.execute(template))

        await run(api, order, execute)


async def run(api: Api, order: AgentOrder, execute: Execute) -> None:
    """Work off the task set until it is deleted or says that its workflow is over."""
    await Agent(api, order, execute).run()


def _is_over(task_set: Mapping[str, Any]) -> bool:
    from actors.names import labels  # noqa: PLC0415

    return (task_set["metadata"].get("labels") or {}).get(labels.COMPLETED) == "true"


class Agent:
    """The tasks under way, and the answers that are not written yet."""

    def __init__(self, api: Api, order: AgentOrder, execute: Execute) -> None:
        from actors.names.resources import WORKFLOW_TASK_SET  # noqa: PLC0415
        from runtime.objects import Reference, Resource  # noqa: PLC0415

        self._api = api
        self._order = order
        self._execute = execute
        self._ref = Reference(Resource(*WORKFLOW_TASK_SET), order["namespace"], order["taskSet"])
        self._working: dict[str, asyncio.Task[None]] = {}
        self._answered: dict[str, dict[str, Any]] = {}  # last answers, until their task is taken out
        self._unwritten: dict[str, dict[str, Any]] = {}
        self._workers = asyncio.Semaphore(WORKERS)
        self._news = asyncio.Event()

    async def run(self) -> None:
        """Watch, work and write, until the task set is gone."""
        writer = asyncio.create_task(self._write())
        try:
            while await self._watch():
                pass
        finally:
            for job in [writer, *self._working.values()]:
                job.cancel()
            await asyncio.gather(writer, *self._working.values(), return_exceptions=True)

    async def _watch(self) -> bool:
        """Take in the task set and its changes until the watch breaks off; whether there is more to come."""
        from runtime.api import ApiError, Gone, Refused, Selection  # noqa: PLC0415

        chosen = Selection(self._ref.namespace, fields=f"metadata.name={self._ref.name}")
        try:
            listed = await self._api.list(self._ref.resource, chosen)
            if not listed.items:
                return False
            self._take_in(listed.items[0])  # one of a retried workflow may still be about to be opened again
            async with self._api.watch(self._ref.resource, chosen, resource_version=listed.resource_version) as events:
                async for event in events:
                    if event.type == "DELETED":
                        return False
                    if event.type in ("ADDED", "MODIFIED"):
                        if _is_over(event.object):
                            return False
                        self._take_in(event.object)
        except (Gone, Refused) as error:
            raise SystemExit(f"agent: the task set cannot be read: {error.message}") from error
        except ApiError:
            await asyncio.sleep(RETRY_S)
        return True

    def _take_in(self, task_set: Mapping[str, Any]) -> None:
        tasks = (task_set.get("spec") or {}).get("tasks") or {}
        known = (task_set.get("status") or {}).get("nodes") or {}
        for node in [node for node in self._answered if node not in tasks]:
            del self._answered[node]
            self._unwritten.pop(node, None)
        for node in [node for node in self._working if node not in tasks]:
            self._working.pop(node).cancel()
        for node, template in tasks.items():
            done = (known.get(node) or {}).get("phase") in ENDED
            if not done and node not in self._working and node not in self._answered and self._is_ours(template):
                self._working[node] = asyncio.create_task(self._work_off(node, template))

    def _is_ours(self, template: Template) -> bool:
        return bool((template.get("serviceAccountName") or self._order["own"]) == self._order["account"])

    async def _work_off(self, node: str, template: Template) -> None:
        while True:
            async with self._workers:
                answer = await self._asked(template)
            if answer.node:  # a plugin may have nothing to tell yet
                self._unwritten[node] = answer.node
                self._news.set()
            if answer.again_s is None:
                self._answered[node] = answer.node
                self._working.pop(node, None)
                return
            await asyncio.sleep(answer.again_s)

    async def _asked(self, template: Template) -> Answer:
        try:
            return await self._execute(template)
        except Exception as error:  # noqa: BLE001  (whatever it is, the user must read it on the node)
            return Answer({"phase": "Error", "message": redacted(str(error)) or type(error).__name__})

    async def _write(self) -> None:
        """One patch at a time, with all answers there are; an answer that the server refuses becomes an Error."""
        from runtime.api import ApiError, Refused  # noqa: PLC0415

        while True:
            await self._news.wait()
            self._news.clear()
            sent, self._unwritten = self._unwritten, {}
            try:
                await self._api.patch(self._ref, {"status": {"nodes": sent}}, subresource="status")
            except Refused as error:
                await self._write_each(sent, error.message)
            except ApiError:
                self._unwritten = {**sent, **self._unwritten}
                await asyncio.sleep(RETRY_S)
                self._news.set()

    async def _write_each(self, sent: Mapping[str, dict[str, Any]], reason: str) -> None:
        """What does not go together goes alone, and what does not go alone is said."""
        from runtime.api import ApiError, Refused  # noqa: PLC0415

        for node, answer in sent.items():
            for told in (answer, {"phase": "Error", "message": f"the answer cannot be written: {reason}"}):
                try:
                    await self._api.patch(self._ref, {"status": {"nodes": {node: told}}}, subresource="status")
                except Refused:
                    continue
                except ApiError:
                    self._unwritten.setdefault(node, told)
                    self._news.set()
                break
