"""People with upstream's command line: they read the whole object, change it and PUT it, at any moment."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import anyio

from actors.names.timestamps import rfc3339
from actors.operations import retry
from actors.workflow.state import WORKFLOWS
from runtime.api import ApiError, Conflict, Gone
from runtime.objects import PODS, Object, Reference
from tests.virtual_time import VirtualClock
from tests.world.faults import Plan
from tests.world.judge import Judge, nodes_in
from tests.world.kubelet import Fates
from tests.world.oracle import Expected
from tiphys.devcluster.inprocess import InProcessApi
from tiphys.devcluster.storage import Bucket, Change


@dataclass
class Users:
    """Whoever waits for a workflow that asks, and whoever meddles."""

    api: InProcessApi
    plan: Plan
    judge: Judge
    fates: Fates
    clock: VirtualClock = field(default_factory=VirtualClock)
    news: anyio.Event = field(default_factory=anyio.Event)  # some workflow is in another state

    def observe(self, bucket: Bucket, change: Change) -> None:
        """A commit of the store."""
        del change
        if bucket.plural == "workflows":
            self.news.set()

    async def answer(self, ref: Reference, asks: Callable[[str], Expected | None]) -> None:
        """Resume, or fail, every suspended node that waits for that."""
        dice = self.plan.dice("users")
        while ref.name not in self.judge.deleted:
            await self.news.wait()
            self.news = anyio.Event()
            await anyio.sleep(dice.uniform(0.5, 3.0))
            thing = await self._read(ref)
            for node_id, node in nodes_in(thing).items():
                known = asks(node.get("name", ""))
                untold = ref.name in self.judge.vague or self.fates.healed  # a retried workflow comes further
                if known is None and untold and node.get("type") == "Suspend":
                    known = Expected(node["name"], "Suspend", "ask")  # nobody could tell that it would be there
                if node.get("phase") == "Running" and known is not None and known.kind == "ask":
                    await self._answer(ref, node_id, known)

    async def _answer(self, ref: Reference, node_id: str, node: Expected) -> None:
        if self.plan.throw("user_set", 0.5):
            await self._put(ref, node_id, {"message": "wait a moment"})
            await anyio.sleep(0.3)
        phase = answer_to(self.fates, node)
        self.plan.hit("user_resume")
        entry = {"phase": phase, "finishedAt": rfc3339(self.clock.wall()), "message": "; Resumed by: map[User:me]"}
        await self._put(ref, node_id, entry)

    async def _put(self, ref: Reference, node_id: str, fields: dict[str, Any]) -> None:
        """As upstream's CLI does: read, change, write, and again when somebody was faster."""
        while True:
            thing = await self._read(ref)
            nodes = nodes_in(thing)
            if node_id not in nodes or nodes[node_id]["phase"] != "Running":
                return
            await anyio.sleep(self.plan.dice("users").random() * 0.2)
            nodes[node_id] |= fields
            if thing["status"].pop("compressedNodes", None):
                thing["status"]["nodes"] = nodes
            if await self._written(thing):
                return

    async def _read(self, ref: Reference) -> Object:
        """The workflow; nothing when somebody has deleted it."""
        try:
            return await self.api.get(ref)
        except Gone:
            return {}

    async def _written(self, thing: Object) -> bool:
        self.judge.user_writes = True
        try:
            await self.api.replace(WORKFLOWS, thing)
        except (Conflict, Gone):
            return False
        finally:
            self.judge.user_writes = False
        return True

    async def suspend(self, ref: Reference) -> None:
        """Suspend the workflow for a while."""
        dice = self.plan.dice("user_suspend")
        await anyio.sleep(dice.uniform(0.1, 20))
        if self.plan.throw("user_suspend", 0.3) and not self.judge.ended:
            with suppress(Gone):
                await self.api.patch(ref, {"spec": {"suspend": True}})
                await anyio.sleep(dice.choice([1.0, 30.0]))
                await self.api.patch(ref, {"spec": {"suspend": None}})

    async def stop(self, ref: Reference) -> None:
        """Stop or terminate the workflow."""
        dice = self.plan.dice("user_stop")
        await anyio.sleep(dice.uniform(0.1, 30))
        if not self.judge.ended and self.plan.throw("user_stop", 0.25):
            self.judge.stopped = True
            with suppress(Gone):
                await self.api.patch(ref, {"spec": {"shutdown": dice.choice(["Stop", "Terminate"])}})

    async def delete(self, ref: Reference) -> None:
        """Delete the workflow; what it owns is collected in the background."""
        dice = self.plan.dice("user_delete")
        await anyio.sleep(dice.choice([2.0, 20.0, 60.0]) * dice.random())
        if not self.judge.ended and self.plan.throw("user_delete", 0.6):
            self.judge.stopped = True
            self.judge.deleted.add(ref.name)
            with suppress(Gone):
                await self.api.delete(ref)

    async def retry(self, ref: Reference) -> bool:
        """Retry a failed workflow, which then succeeds; False when it cannot be."""
        thing = await self.api.get(ref)
        if thing["status"]["phase"] == "Succeeded" or not self.plan.throw("user_retry", 0.5):
            return False
        begun, pods = retry.retry(thing, self.clock.wall())
        self.fates.healed = self.judge.stopped = True  # which attempts there are now is not what the oracle says
        self.judge.forget(thing["metadata"]["name"])
        for name in pods:
            self.judge.user_writes = True
            with suppress(ApiError):
                await self.api.patch(Reference(PODS, ref.namespace, name), {"metadata": {"finalizers": None}})
                await self.api.delete(Reference(PODS, ref.namespace, name), grace_s=0)
            self.judge.user_writes = False
        return await self._written(begun)


def answer_to(fates: Fates, node: Expected) -> str:
    """What the user says to a suspended node."""
    bad = not fates.healed and "user_set" in fates.plan.kinds and fates.share("answer", node.name) < 0.15
    return "Failed" if bad else "Succeeded"
