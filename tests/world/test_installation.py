"""What an installation decides for all workflows: how many run, in which order, with which defaults, which at all."""

from __future__ import annotations

from typing import Any

import anyio
import pytest
import yaml

from actors.node.manifest_request import PodSettings
from actors.pace import Pace
from actors.queue.mind import QueueSettings
from runtime.objects import NAMESPACES, Object, Reference
from tests.world.flows import arguments_of, flow, named, run, table
from tests.world.world import Outcome, World, world
from tiphys.controllers import ControllerSettings

pytestmark = pytest.mark.virtual_time

ONE = flow("  - {name: main, steps: [[{name: a, template: leaf}]]}")
POSTPONED = "Workflow processing has been postponed because too many workflows are already running"


def one_at_a_time(**more: Any) -> ControllerSettings:
    return ControllerSettings(queue=QueueSettings(**({"parallelism": 1} | more)))


async def submit(here: World, name: str, *, namespace: str = "default", **spec: object) -> Reference:
    thing = yaml.safe_load(ONE)
    thing["metadata"] = {"name": name, "namespace": namespace}
    thing["spec"] |= spec
    return await here.submit(yaml.safe_dump(thing), name)


async def phase(here: World, ref: Reference) -> tuple[str, str]:
    status = (await here.api.get(ref)).get("status") or {}
    return status.get("phase", ""), status.get("message", "")


@pytest.mark.spec("PAR-1")
async def test_no_more_workflows_run_than_may_and_the_others_say_why_they_wait() -> None:
    async with world(table(a=Outcome(delay_s=10)), settings=one_at_a_time()) as here:
        first, second = await submit(here, "first"), await submit(here, "second")
        await here.after(5)

        assert await phase(here, first) == ("Running", "")
        assert await phase(here, second) == ("Pending", POSTPONED)
        assert "startedAt" not in (await here.api.get(second))["status"]
        assert here.most_running == 1
        await here.end_of(first)
        ended = await here.end_of(second)
        assert (ended["status"]["phase"], ended["status"].get("message")) == ("Succeeded", None)
        assert here.most_running == 1


@pytest.mark.spec("PRI-1")
async def test_the_most_urgent_goes_first_then_the_oldest_and_nobody_who_runs_is_sent_back() -> None:
    async with world(table(a=Outcome(delay_s=10)), settings=one_at_a_time()) as here:
        names = [("first", 0), ("old", 1), ("young", 1), ("urgent", 9)]
        refs = []
        for name, priority in names:
            refs.append(await submit(here, name, priority=priority))
            await here.after(2)
        ends = {}
        for (name, _), ref in zip(names, refs, strict=True):
            ends[name] = (await here.end_of(ref))["status"]["finishedAt"]

    assert sorted(ends, key=ends.__getitem__) == ["first", "urgent", "old", "young"]


@pytest.mark.spec("PRI-1")
async def test_a_priority_may_be_changed_while_it_waits_and_terminate_skips_the_queue() -> None:
    async with world(table(a=Outcome(delay_s=10)), settings=one_at_a_time()) as here:
        refs = {name: await submit(here, name) for name in ("first", "second", "third", "fourth")}
        await here.after(3)
        await here.api.patch(refs["third"], {"spec": {"priority": 5}})
        await here.api.patch(refs["fourth"], {"spec": {"shutdown": "Terminate"}})
        gone = await here.end_of(refs["fourth"])
        assert await phase(here, refs["first"]) == ("Running", "")
        ends = {name: (await here.end_of(refs[name]))["status"]["finishedAt"] for name in ("first", "second", "third")}

    assert gone["status"]["message"] == "Stopped with strategy 'Terminate'"
    assert sorted(ends, key=ends.__getitem__) == ["first", "third", "second"]


@pytest.mark.spec("PAR-2")
async def test_a_full_namespace_holds_back_nobody_of_another_and_its_label_outranks_the_default() -> None:
    settings = ControllerSettings(queue=QueueSettings(namespace_parallelism=1))
    async with world(table(a=Outcome(delay_s=10)), settings=settings) as here:
        for name, meta in (("other", {}), ("wide", {"labels": {"workflows.argoproj.io/parallelism-limit": "2"}})):
            await here.api.create(
                NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name} | meta}
            )
        await here.after(1)
        refs = [
            await submit(here, f"w{number}", namespace=namespace)
            for namespace in ("default", "other", "wide")
            for number in range(3)
        ]
        await here.after(5)
        running = [ref.namespace for ref in refs if (await phase(here, ref))[0] == "Running"]
        assert running == ["default", "other", "wide", "wide"]
        for ref in refs:
            assert (await here.end_of(ref))["status"]["phase"] == "Succeeded"


@pytest.mark.spec("PAR-2")
async def test_a_namespaces_label_that_is_no_number_leaves_it_the_default() -> None:
    settings = ControllerSettings(queue=QueueSettings(namespace_parallelism=1))
    async with world(table(a=Outcome(delay_s=10)), settings=settings) as here:
        meta = {"name": "odd", "labels": {"workflows.argoproj.io/parallelism-limit": "many"}}
        await here.api.create(NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": meta})
        await here.after(1)
        refs = [await submit(here, f"w{number}", namespace="odd") for number in range(3)]
        await here.after(5)

        assert [(await phase(here, ref))[0] for ref in refs] == ["Running", "Pending", "Pending"]


@pytest.mark.spec("PAR-1")
async def test_who_runs_and_who_waits_survives_the_deaths_of_controllers() -> None:
    async with world(table(a=Outcome(delay_s=7)), settings=one_at_a_time(parallelism=2), deaths_every_s=6) as here:
        refs = [await submit(here, f"w{number}") for number in range(6)]
        for ref in refs:
            assert (await here.end_of(ref))["status"]["phase"] == "Succeeded"

        assert here.deaths > 1
        assert here.most_running <= 2


@pytest.mark.spec("PAR-5")
async def test_pods_are_created_no_faster_than_the_installation_says() -> None:
    loop = "  - {name: main, steps: [[{name: a, template: leaf, withSequence: {count: 20}}]]}"
    settings = ControllerSettings(pods=PodSettings(pace=Pace(per_s=2.0, burst=4)))
    async with world(table(), settings=settings) as here:
        ref = await here.submit(flow(loop))
        await here.after(5.5)

        assert 12 <= len(here.created) <= 15
        waiting = [node for node in named(await here.api.get(ref)).values() if node.get("phase") == "Pending"]
        assert [node["message"] for node in waiting if node.get("message")] == [
            "resource creation rate-limit reached"
        ] * (20 - len(here.created))
        assert (await here.end_of(ref))["status"]["phase"] == "Succeeded"
        await here.at_rest(ref)
        assert len(here.created) == 20


async def test_a_new_workflow_is_left_alone_for_the_initial_delay() -> None:
    async with world(table(), settings=ControllerSettings(initial_delay_s=10)) as here:
        ref = await submit(here, "w")
        await here.after(8)
        assert await phase(here, ref) == ("", "")
        assert (await here.end_of(ref))["status"]["phase"] == "Succeeded"


# ---------------------------------------------------------------------------------------------- defaults

DEFAULTS: Object = {
    "metadata": {"labels": {"team": "ours", "kept": "default"}, "annotations": {"note": "from the installation"}},
    "spec": {
        "serviceAccountName": "robot",
        "ttlStrategy": {"secondsAfterCompletion": 9000},
        "volumes": [{"name": "shared", "emptyDir": {}}],
        "arguments": {"parameters": [{"name": "who", "value": "everybody"}]},
    },
}


@pytest.mark.spec("WDEF-1")
async def test_defaults_lie_under_every_new_workflow_and_become_part_of_it() -> None:
    text = """
metadata: {labels: {kept: mine}}
spec:
  entrypoint: main
  ttlStrategy: {secondsAfterSuccess: 8000}
  volumes: [{name: own, emptyDir: {}}]
  templates:
  - name: main
    container: {image: busybox, command: [echo], args: ["{{workflow.parameters.who}}", "{{workflow.labels.team}}"]}
"""
    seen: dict[str, list[str]] = {}

    def script(name: str, pod: Object) -> Outcome:
        seen[name] = [*pod["spec"]["containers"][0]["args"], pod["spec"]["serviceAccountName"]]
        return Outcome()

    async with world(script, settings=ControllerSettings(workflow_defaults=DEFAULTS)) as here:
        ref = await here.submit(text)
        thing = await here.end_of(ref)

    spec = thing["spec"]
    assert seen["w"] == ["everybody", "ours", "robot"]
    assert spec["ttlStrategy"] == {"secondsAfterSuccess": 8000, "secondsAfterCompletion": 9000}
    assert sorted(volume["name"] for volume in spec["volumes"]) == ["own", "shared"]
    assert thing["metadata"]["labels"] | {"team": "ours", "kept": "mine"} == thing["metadata"]["labels"]
    assert thing["metadata"]["annotations"]["note"] == "from the installation"


@pytest.mark.spec("WDEF-1")
async def test_a_template_outranks_the_defaults_and_the_workflow_outranks_both() -> None:
    text = "{serviceAccountName: librarian, priority: 2, entrypoint: main, templates: [%s]}"
    main = "{name: main, container: {image: busybox, command: [echo]}}"
    defaults = {"spec": DEFAULTS["spec"] | {"priority": 1, "activeDeadlineSeconds": 600}}
    async with world(table(), settings=ControllerSettings(workflow_defaults=defaults)) as here:
        await template(here, text % main)
        ref = await here.submit("spec: {workflowTemplateRef: {name: lib}, priority: 3}")
        thing = await here.end_of(ref)

    stored = thing["status"]["storedWorkflowTemplateSpec"]
    assert (stored["serviceAccountName"], stored["priority"], stored["activeDeadlineSeconds"]) == ("librarian", 3, 600)
    assert set(thing["spec"]) == {"workflowTemplateRef", "priority"}


@pytest.mark.spec("WDEF-1")
@pytest.mark.spec("WMETA-1")
async def test_a_template_may_name_the_labels_that_the_defaults_give() -> None:
    spec = """{entrypoint: main, templates: [
      {name: main, container: {image: busybox, command: [echo], args: ["{{workflow.labels.team}}"]}}]}"""
    seen: dict[str, list[str]] = {}
    defaults = {"spec": {"workflowMetadata": {"labels": {"team": "ours"}}}}
    settings = ControllerSettings(workflow_defaults=defaults)
    async with world(arguments_of(seen), settings=settings) as here:
        await template(here, spec)
        thing = await here.end_of(await here.submit("spec: {workflowTemplateRef: {name: lib}}"))

    assert (thing["status"]["phase"], seen["w"]) == ("Succeeded", ["ours"])
    assert thing["metadata"]["labels"]["team"] == "ours"


@pytest.mark.spec("WDEF-1")
async def test_defaults_that_change_do_not_reach_a_workflow_that_runs() -> None:
    settings = ControllerSettings(workflow_defaults={"spec": {"activeDeadlineSeconds": 600}})
    async with world(table(a=Outcome(delay_s=30)), settings=settings) as here:
        ref = await submit(here, "w")
        await here.after(5)
        here.settings = ControllerSettings(workflow_defaults={"spec": {"activeDeadlineSeconds": 1, "onExit": "gone"}})
        here.die()
        thing = await here.end_of(ref)

    assert thing["status"]["phase"] == "Succeeded"
    assert thing["spec"]["activeDeadlineSeconds"] == 600


# ------------------------------------------------------------------------------------------ restrictions


async def template(here: World, spec: str) -> Reference:
    meta = {"name": "lib", "namespace": "default"}
    thing = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "WorkflowTemplate",
        "metadata": meta,
        "spec": yaml.safe_load(spec),
    }
    await here.api.create(here.templates, thing)
    return Reference(here.templates, "default", "lib")


LIBRARY = "{entrypoint: main, templates: [{name: main, container: {image: busybox, command: [echo]}}]}"


@pytest.mark.spec("RESTR-1")
async def test_where_templates_must_be_referenced_other_workflows_are_errors() -> None:
    thing = await run(ONE, settings=ControllerSettings(restriction="Strict"))

    assert thing["status"]["phase"] == "Error"
    assert thing["status"]["message"] == (
        "workflows must use workflowTemplateRef to be executed when the controller is in reference mode"
    )


@pytest.mark.spec("RESTR-1")
async def test_a_restricted_workflow_may_only_say_what_cannot_undo_its_template() -> None:
    allowed = "{workflowTemplateRef: {name: lib}, priority: 1, arguments: {parameters: [{name: x, value: y}]}}"
    refused = (
        "{workflowTemplateRef: {name: lib}, serviceAccountName: root, hostNetwork: true, dnsPolicy: None,"
        " artifactGC: {strategy: Never, podSpecPatch: '{}'}}"
    )
    async with world(table(), settings=ControllerSettings(restriction="Strict")) as here:
        await template(here, LIBRARY)
        good = await here.end_of(await here.submit(f"spec: {allowed}", "good"))
        bad = await here.end_of(await here.submit(f"spec: {refused}", "bad"))

    assert good["status"]["phase"] == "Succeeded"
    assert bad["status"]["phase"] == "Error"
    assert bad["status"]["message"] == (
        "fields [ArtifactGC.PodSpecPatch DNSPolicy HostNetwork ServiceAccountName] are not permitted"
        " when using workflowTemplateRef with templateReferencing restriction"
    )


@pytest.mark.spec("RESTR-1")
async def test_what_switches_something_off_is_an_override_too() -> None:
    refused = "{workflowTemplateRef: {name: lib}, hostNetwork: false, parallelism: 0, securityContext: {}, onExit: ''}"
    async with world(table(), settings=ControllerSettings(restriction="Strict")) as here:
        await template(here, LIBRARY)
        bad = await here.end_of(await here.submit(f"spec: {refused}"))

    assert bad["status"]["message"].startswith("fields [HostNetwork Parallelism SecurityContext] are not permitted")


@pytest.mark.spec("RESTR-1")
async def test_an_installation_may_permit_further_fields() -> None:
    settings = ControllerSettings(restriction="Strict", permitted_overrides=frozenset({"serviceAccountName"}))
    async with world(table(), settings=settings) as here:
        await template(here, LIBRARY)
        spec = "spec: {workflowTemplateRef: {name: lib}, serviceAccountName: robot}"
        assert (await here.end_of(await here.submit(spec)))["status"]["phase"] == "Succeeded"


CHANGED = "WorkflowSpec may not change during execution when the controller is set `templateReferencing: Secure`"


@pytest.mark.spec("RESTR-2")
@pytest.mark.parametrize("how", ["template", "status"])
async def test_a_secured_workflow_whose_spec_changes_while_it_runs_is_stopped_as_an_error(how: str) -> None:
    async with world(table(w=Outcome(delay_s=300)), settings=ControllerSettings(restriction="Secure")) as here:
        lib = await template(here, LIBRARY)
        ref = await here.submit("spec: {workflowTemplateRef: {name: lib}}")
        await here.after(5)
        if how == "template":
            await here.api.patch(lib, {"spec": {"serviceAccountName": "root"}})
        else:
            await here.api.patch(ref, {"status": {"storedWorkflowTemplateSpec": {"serviceAccountName": "root"}}})
        with anyio.fail_after(60):
            thing = await here.end_of(ref)
        await here.after(5)
        assert here.running == set()

    assert (thing["status"]["phase"], thing["status"]["message"]) == ("Error", CHANGED)


@pytest.mark.spec("RESTR-2")
async def test_a_secured_workflow_that_nobody_touches_runs_to_its_end() -> None:
    async with world(table(w=Outcome(delay_s=100)), settings=ControllerSettings(restriction="Secure")) as here:
        await template(here, LIBRARY)
        ref = await here.submit("spec: {workflowTemplateRef: {name: lib}}")
        await here.after(5)
        await here.api.patch(ref, {"spec": {"suspend": True}})
        await here.after(40)
        await here.api.patch(ref, {"spec": {"suspend": None}})
        here.die()
        assert (await here.end_of(ref))["status"]["phase"] == "Succeeded"
