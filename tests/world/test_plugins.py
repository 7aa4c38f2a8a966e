"""Executor plugins that ConfigMaps define: whose they are, and what of them reaches the agent's pod."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from actors.contract.instructions import from_env
from actors.node.manifest_request import PodSettings
from actors.plugin.mind import definition
from runtime.objects import CONFIGMAPS, NAMESPACES, PODS, Object
from tests.world.flows import flow, named
from tests.world.test_agent import agents_stay
from tests.world.world import World, world
from tiphys.controllers import ControllerSettings

pytestmark = pytest.mark.virtual_time

ONE = flow("  - {name: mine, plugin: {mine: {}}}\n  - name: main\n    steps: [[{name: a, template: mine}]]\n")
CONTAINER = """
name: NAME
image: x
ports: [{containerPort: 4355}]
resources: {requests: {cpu: 1m}, limits: {cpu: 1}}
securityContext: {runAsNonRoot: true}
"""
SETTINGS = ControllerSettings(pods=PodSettings(executor_plugins=True), plugin_namespace="argo")


def config_map(name: str, namespace: str = "default", container: str = CONTAINER, **more: str) -> Object:
    meta: Object = {"name": f"{name}-executor-plugin", "namespace": namespace}
    meta["labels"] = {"workflows.argoproj.io/configmap-type": "ExecutorPlugin"}
    data = {"sidecar.container": container.replace("NAME", f"{name}-{namespace}"), **more}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": data}


async def agent_of(here: World, *maps: Object, text: str = ONE) -> tuple[Object, Object]:
    """The agent's pod, and the node that waits for it."""
    for thing in maps:
        await here.api.create(CONFIGMAPS, thing)
    ref = await here.submit(text)
    await here.after(5)
    (pod,) = (await here.api.list(PODS)).items
    return pod, named(await here.api.get(ref))["w[0].a"]


def plugins(pod: Object) -> list[str]:
    return [entry["name"] for entry in pod["spec"]["containers"] if entry["name"] != "main"]


@pytest.mark.spec("AGENT-6", "KIND-9")
async def test_plugins_of_the_namespace_and_of_everybody_stand_beside_the_agent() -> None:
    async with world(agents_stay, settings=SETTINGS) as here:
        namespaces = {"apiVersion": "v1", "kind": "Namespace"}
        for name in ("argo", "other"):
            await here.api.create(NAMESPACES, {**namespaces, "metadata": {"name": name}})
        maps = [config_map("own"), config_map("all", "argo"), config_map("not", "other")]
        pod, _ = await agent_of(here, *maps, config_map("both"), config_map("both", "argo"))

    assert plugins(pod) == ["all-argo", "both-default", "own-default"]
    main = pod["spec"]["containers"][0]
    order = from_env({entry["name"]: entry["value"] for entry in main["env"]})["agent"]
    assert [entry["name"] for entry in order["plugins"]] == ["all", "both", "own"]
    mounts = {entry["mountPath"]: entry for entry in pod["spec"]["containers"][1]["volumeMounts"]}
    assert mounts["/var/run/argo"]["subPath"] == "all"


@pytest.mark.spec("AGENT-6")
async def test_a_workflow_that_brings_its_own_gets_no_others() -> None:
    needs = "resources: {requests: {cpu: 1m}, limits: {cpu: 1}}, securityContext: {runAsUser: 1}"
    sidecar = f"{{container: {{name: c, image: x, ports: [{{containerPort: 1}}], {needs}}}}}"
    text = flow("""
  - {name: mine, plugin: {mine: {}}}
  - name: main
    steps: [[{name: a, template: mine}]]
""", executorPlugins=f"[{{metadata: {{name: own}}, spec: {{sidecar: {sidecar}}}}}]")  # fmt: skip
    async with world(agents_stay, settings=SETTINGS) as here:
        pod, _ = await agent_of(here, config_map("other"), text=text)

    assert plugins(pod) == ["c"]


@pytest.mark.spec("AGENT-6")
@pytest.mark.parametrize("switched_on", [True, False])
async def test_without_any_there_is_an_agent_all_the_same(switched_on: bool) -> None:
    settings = SETTINGS if switched_on else ControllerSettings()
    async with world(agents_stay, settings=settings) as here:
        pod, _ = await agent_of(here, *([] if switched_on else [config_map("own")]))

    assert plugins(pod) == []


@pytest.mark.spec("AGENT-6")
async def test_one_that_cannot_be_read_is_named_and_the_others_are_there() -> None:
    async with world(agents_stay, settings=SETTINGS) as here:
        pod, waiting = await agent_of(here, config_map("good"), config_map("bad", container="{"))

    assert plugins(pod) == ["good-default"]
    assert "executor plugin 'bad-executor-plugin'" in waiting["message"]


@pytest.mark.spec("AGENT-6")
@pytest.mark.parametrize(
    ("field", "says"),
    [
        ("ports", "at least one port is mandatory"),
        ("requests", "resources requests are mandatory"),
        ("limits", "resources limits are mandatory"),
        ("securityContext", "security context is mandatory"),
    ],
)
async def test_one_that_does_not_say_what_it_needs_is_left_out(field: str, says: str) -> None:
    container = yaml.safe_load(CONTAINER)
    del (container["resources"] if field in container["resources"] else container)[field]
    bad = config_map("bad", container=yaml.safe_dump(container))
    async with world(agents_stay, settings=SETTINGS) as here:
        pod, waiting = await agent_of(here, config_map("good"), bad)

    assert plugins(pod) == ["good-default"]
    assert says in waiting["message"]


@pytest.mark.parametrize("automount", ["true", "false", ""])
def test_a_config_map_says_whether_the_plugin_gets_a_token(automount: str) -> None:
    told: dict[str, Any] = {"sidecar.automountServiceAccountToken": automount} if automount else {}
    found = definition("x-executor-plugin", config_map("x", **told))
    assert found["metadata"]["name"] == "x"
    assert found["spec"]["sidecar"]["automountServiceAccountToken"] is (automount == "true")
