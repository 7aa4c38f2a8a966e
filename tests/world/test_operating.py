"""How an installation is kept in its bounds: whose namespaces and accounts, and what a pod may do."""

from __future__ import annotations

from random import Random

import pytest

from crds.check import check
from runtime.api import Selection
from runtime.objects import NAMESPACES, PODS, Object
from runtime.system import Settings, System
from tests.virtual_time import VirtualClock
from tests.world.flows import flow, named, run, table
from tests.world.world import Outcome, world
from tiphys.controllers import ControllerSettings, rooms

pytestmark = pytest.mark.virtual_time

ONE = flow("  - {name: main, container: {image: busybox, command: [x]}}")


@pytest.mark.spec("OPS-2")
async def test_a_controller_of_one_namespace_leaves_the_others_alone() -> None:
    async with world(table()) as here:
        await here.api.create(NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "other"}})
        chosen = rooms(ControllerSettings(whole_cluster=False))
        system = System(here.api, chosen, settings=Settings(namespace="other"), clock=VirtualClock(), dice=Random(1))
        async with here.instead(system):
            theirs = await here.submit(ONE, "theirs")
            ours = await here.submit(f"metadata: {{namespace: other}}\n{ONE}", "ours")
            assert (await here.end_of(ours))["status"]["phase"] == "Succeeded"
            assert not (await here.api.get(theirs)).get("status")
            assert (await here.api.list(PODS, Selection("default"))).items == []
        watched = {watch.resource for room in chosen for watch in room.watches}

    assert NAMESPACES not in watched, "who may look at one namespace may not list them all"


@pytest.mark.spec("OPS-5", "OPS-4")
async def test_every_workflow_goes_on_when_its_own_pods_do_however_many_there_are() -> None:
    async with world(table()) as here:
        refs = [await here.submit(ONE, f"w{number}") for number in range(60)]
        for ref in refs:
            assert (await here.end_of(ref, limit_s=20))["status"]["phase"] == "Succeeded"


@pytest.mark.spec("RES-12")
async def test_a_resource_template_acts_under_its_own_service_account() -> None:
    accounts: dict[str, str] = {}

    def script(name: str, pod: Object) -> Outcome:
        accounts[name] = pod["spec"]["serviceAccountName"]
        return Outcome()

    text = """
  - name: main
    steps: [[{name: a, template: own}, {name: b, template: plain}]]
  - name: own
    serviceAccountName: maker
    resource: {action: create, manifest: "{apiVersion: v1, kind: ConfigMap, metadata: {generateName: c-}}"}
  - name: plain
    resource: {action: create, manifest: "{apiVersion: v1, kind: ConfigMap, metadata: {generateName: c-}}"}
"""
    await run(flow(text, serviceAccountName="robot"), script)

    assert accounts == {"w[0].a": "maker", "w[0].b": "robot"}


@pytest.mark.spec("OPS-8", "OPS-9")
async def test_a_pod_that_reports_results_has_no_token_unless_somebody_asked_for_one() -> None:
    pods: dict[str, Object] = {}

    def script(name: str, pod: Object) -> Outcome:
        pods[name] = pod
        return Outcome(parameters={"p": "1"}, result="1")

    text = "  - {name: main, steps: [[{name: a, template: make}], [{name: b, template: leaf, arguments: %s}]]}"
    text = flow(text % "{parameters: [{name: m, value: '{{steps.a.outputs.result}}'}]}")
    thing = await run(text, script)

    assert named(thing)["w[0].a"]["outputs"]["result"] == "1"
    for pod in pods.values():
        assert pod["spec"]["automountServiceAccountToken"] is False
        assert "serviceAccountToken" not in str(pod["spec"].get("volumes") or [])
    asked = await run(text.replace("  entrypoint: main", "  entrypoint: main\n  serviceAccountName: robot"), script)
    assert asked["status"]["phase"] == "Succeeded"
    assert "automountServiceAccountToken" not in pods["w[1].b"]["spec"]


@pytest.mark.spec("OPS-10")
async def test_nothing_that_we_add_to_a_pod_needs_root_or_privileges() -> None:
    pods: dict[str, Object] = {}

    def script(name: str, pod: Object) -> Outcome:
        pods[name] = pod
        return Outcome(parameters={"p": "1"}, result="1")

    text = flow(
        "  - {name: main, steps: [[{name: a, template: make}]]}",
        securityContext="{runAsNonRoot: true, runAsUser: 1000}",
    )
    await run(text, script)
    spec = pods["w[0].a"]["spec"]

    assert spec["securityContext"] == {"runAsNonRoot": True, "runAsUser": 1000}
    added = [*(spec.get("initContainers") or []), *(each for each in spec["containers"] if each["name"] != "main")]
    assert added
    for container in added:
        context = container.get("securityContext") or {}
        assert not context.get("privileged")
        assert context.get("runAsUser") is None, "the pod's user is ours too"
    assert not any("hostPath" in volume for volume in spec["volumes"])


@pytest.mark.spec("CSET-7")
@pytest.mark.parametrize("field", ["depends", "retryStrategy", "withItems", "withParam", "when"])
def test_a_container_of_a_set_has_no_policies_or_loops_of_its_own(field: str) -> None:
    containers = [{"name": "a", "image": "x"}, {"name": "main", "image": "x", "dependencies": ["a"], field: "a"}]
    template = {"name": "main", "containerSet": {"containers": containers}}
    spec = {"entrypoint": "main", "templates": [template]}
    meta = {"name": "w"}
    (problem,) = check({"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "metadata": meta, "spec": spec})

    assert problem.unknown
    assert problem.path == f"spec.templates[0].containerSet.containers[1].{field}"


@pytest.mark.spec("TMO-6")
async def test_other_lengths_of_time_are_their_own_features_and_told_in_gos_words() -> None:
    body = "container: {image: i, command: [c]}"
    wrong = {
        "suspend": "suspend: {duration: soon}",
        "retry": f"retryStrategy: {{limit: 1, backoff: {{duration: 1s, maxDuration: soon}}}}, {body}",
        "memoize": f"memoize: {{key: k, maxAge: soon, cache: {{configMap: {{name: c}}}}}}, {body}",
    }
    for name, section in wrong.items():
        thing = await run(flow(f"  - {{name: main, {section}}}"), table(w=Outcome(code=1)))

        assert thing["status"]["phase"] in {"Failed", "Error"}, name
        said = thing["status"].get("message", "") + " ".join(
            node["message"] for node in named(thing).values() if "message" in node
        )
        assert "soon" in said, (name, said)


def test_there_is_no_worker_to_configure() -> None:
    assert not [name for name in ControllerSettings.__dataclass_fields__ if "worker" in name]
