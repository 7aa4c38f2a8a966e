import pytest, anyio
from runtime.actor import Room, Watch
from runtime.messages import *
from runtime.objects import CONFIGMAPS, Reference, reference
from runtime.system import System
from tiphys.devcluster.server import ApiServer
from tiphys.devcluster.inprocess import InProcessApi

pytestmark = pytest.mark.virtual_time


class Mind:
    def birth(self, address, argument):
        return {"seen": []}

    def receive(self, state, message, now):
        state["seen"].append(message)
        if isinstance(message, Observed) and not (message.object.get("data") or {}).get("x"):
            return [Patch(message.ref, {"data": {"x": "1"}}), WakeAt(now + 3600)]
        if isinstance(message, Gone):
            return [Stop()]
        return ()

    def waiting(self, state):
        return str(len(state["seen"]))


def route(thing):
    m = thing["metadata"]
    return Address("cm", m["namespace"], m["name"], m["uid"])


async def test_smoke(virtual_clock):
    server = ApiServer(now=virtual_clock.wall)
    server.start()
    api = InProcessApi(server)
    await api.create(
        CONFIGMAPS, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "default"}}
    )
    system = System(api, [Room("cm", Mind(), (Watch(CONFIGMAPS, route, wakes=True),))], clock=virtual_clock)
    async with anyio.create_task_group() as tasks:
        await tasks.start(system.run)
        await anyio.sleep(3700)
        a = system.addresses("cm")[0]
        print(system._parts.registry.actors[a].state, system.statistics())
        await api.delete(Reference(CONFIGMAPS, "default", "a"))
        await anyio.sleep(1)
        assert not system.addresses("cm")
        tasks.cancel_scope.cancel()
    assert system.stopped_cleanly
