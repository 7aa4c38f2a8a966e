"""Templates whose owners only the running workflow can name: read when they are called, kept from then on."""

from __future__ import annotations

import pytest
import yaml

from runtime.objects import PODS, Object
from tests.world.flows import FAIL, arguments_of, flow, named, table
from tests.world.world import Outcome, World, world

pytestmark = [pytest.mark.virtual_time, pytest.mark.spec("WFT-1")]

LIBRARY = """
templates:
- name: say
  inputs: {parameters: [{name: x, default: lib}]}
  steps: [[{name: in, template: "{{=inputs.parameters.x == 'lib' ? 'leaf' : 'other'}}"}]]
- {name: leaf, container: {image: b, command: [c], args: [NAME]}}
- {name: other, container: {image: b, command: [c], args: [other of NAME]}}
- {name: further, steps: [[{name: a, templateRef: {name: far, template: leaf}}]]}
"""


async def libraries(here: World, *names: str, cluster: bool = False) -> None:
    """Create (cluster) workflow templates whose leaves say what they are of."""
    kind = "ClusterWorkflowTemplate" if cluster else "WorkflowTemplate"
    for name in names:
        meta = {"name": name} | ({} if cluster else {"namespace": "default"})
        spec = yaml.safe_load(LIBRARY.replace("NAME", name))
        thing: Object = {"apiVersion": "argoproj.io/v1alpha1", "kind": kind, "metadata": meta, "spec": spec}
        await here.api.create(here.cluster_templates if cluster else here.templates, thing)


STEPS = {
    "a parameter of the workflow": '{name: a, templateRef: {name: "{{workflow.parameters.g}}", template: leaf}}',
    "an item": '{name: a, templateRef: {name: "{{item}}", template: leaf}, withItems: [one]}',
    "a field of an item":
        '{name: a, templateRef: {name: "{{item.wftmpl}}", template: leaf}, withItems: [{wftmpl: one}]}',
    "an input": '{name: a, templateRef: {name: "{{inputs.parameters.x}}", template: leaf}}',
    "an expression": '{name: a, templateRef: {name: "{{=inputs.parameters.x}}", template: leaf}}',
}  # fmt: skip


@pytest.mark.parametrize("cluster", [False, True])
@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
async def test_a_tag_may_name_whose_template_is_called(step: str, cluster: bool) -> None:
    seen: dict[str, list[str]] = {}
    scoped = step.replace("template: leaf", f"template: leaf, clusterScope: {str(cluster).lower()}")
    inputs = "inputs: {parameters: [{name: x, default: one}]}"
    text = flow(
        f"  - {{name: main, {inputs}, steps: [[{scoped}]]}}\n", arguments="{parameters: [{name: g, value: one}]}"
    )
    async with world(arguments_of(seen)) as here:
        await libraries(here, "one", "two", cluster=cluster)
        ref = await here.submit(text)
        await here.end_of(ref)
        done = await here.at_rest(ref)

    assert list(seen.values()) == [["one"]]
    assert set(done["status"]["storedTemplates"]) == {f"{'cluster' if cluster else 'namespaced'}/one/leaf"}
    (reference,) = [node["templateRef"] for node in named(done).values() if "templateRef" in node]
    assert reference["name"] == "one"


async def test_what_a_task_has_said_may_name_whose_template_the_next_one_calls_and_what_that_refers_to_is_found() -> (
    None
):
    seen: dict[str, list[str]] = {}
    text = flow("""
  - name: main
    dag:
      tasks:
      - {name: s, template: make}
      - {name: n, depends: s, templateRef: {name: "{{tasks.s.outputs.result}}", template: further}}
""")
    async with world(arguments_of(seen, table(s=Outcome(result="one")))) as here:
        await libraries(here, "one", "far")
        ref = await here.submit(text)
        await here.end_of(ref)
        done = await here.at_rest(ref)

    assert done["status"]["phase"] == "Succeeded"
    assert seen["w.n[0].a"] == ["far"]
    assert set(done["status"]["storedTemplates"]) == {"namespaced/one/further", "namespaced/far/leaf"}


@pytest.mark.parametrize("deaths_every_s", [None, 7.0])
async def test_what_was_named_once_stays_what_it_was_whatever_becomes_of_it(deaths_every_s: float | None) -> None:
    seen: dict[str, list[str]] = {}
    call = 'templateRef: {name: "{{item}}", template: say}, withItems: [one, two]'
    text = flow(f"""
  - name: main
    steps: [[{{name: a, {call}}}], [{{name: b, {call}}}]]
""")
    async with world(arguments_of(seen, table(**{"in": Outcome(delay_s=20)})), deaths_every_s=deaths_every_s) as here:
        await libraries(here, "one", "two")
        ref = await here.submit(text)
        await here.after(15)
        for thing in (await here.api.list(here.templates)).items:
            thing["spec"]["templates"][0]["inputs"]["parameters"][0]["default"] = "changed"
            await here.api.replace(here.templates, thing)
        await here.end_of(ref)
        done = await here.at_rest(ref)
        pods = len((await here.api.list(PODS)).items)

    assert done["status"]["phase"] == "Succeeded"
    assert (list(seen.values()), pods) == ([["one"], ["two"], ["one"], ["two"]], 4)


async def test_another_template_of_an_object_is_found_after_a_restart_beside_those_that_are_kept() -> None:
    seen: dict[str, list[str]] = {}
    text = flow("""
  - name: main
    steps:
    - - {name: a, templateRef: {name: "{{item}}", template: leaf}, withItems: [one]}
    - - {name: b, templateRef: {name: one, template: "{{item}}"}, withItems: [other]}
""")
    async with world(arguments_of(seen, table(a=Outcome(delay_s=20)))) as here:
        await libraries(here, "one")
        ref = await here.submit(text)
        await here.after(10)
        here.die()
        await here.end_of(ref)
        done = await here.at_rest(ref)

    assert list(seen.values()) == [["one"], ["other of one"]]
    assert set(done["status"]["storedTemplates"]) == {"namespaced/one/leaf", "namespaced/one/other"}


NOWHERE = {
    "nolib": ("leaf", "workflow template nolib not found"),
    "one": ("nox", "template nox not found in workflow template one"),
    "No/Name": ("leaf", "workflow template No/Name not found"),
}


@pytest.mark.spec("WFT-5")
@pytest.mark.parametrize("cluster", [False, True])
@pytest.mark.parametrize("name", NOWHERE)
async def test_a_template_that_is_not_there_when_it_is_called_is_an_error_of_the_call(name: str, cluster: bool) -> None:
    template, why = NOWHERE[name]
    call = f'templateRef: {{name: "{{{{workflow.parameters.g}}}}", template: {template}, clusterScope: {cluster}}}'
    arguments = f"{{parameters: [{{name: g, value: {name}}}]}}"
    steps = flow(f"  - name: main\n    steps: [[{{name: a, {call}}}]]\n", arguments=arguments)
    dag = flow(f"  - name: main\n    dag: {{tasks: [{{name: a, {call}}}]}}\n", arguments=arguments)
    async with world(table()) as here:
        await libraries(here, "one", cluster=cluster)
        done = []
        for text, workflow in ((steps, "w"), (dag, "d")):
            ref = await here.submit(text, workflow)
            await here.end_of(ref)
            done.append(await here.at_rest(ref))

    found = [named(done[0])["w[0].a"], named(done[1])["d.a"]]
    assert [node["message"] for node in found] == [why, f"task 'd.a' errored: {why}"]
    assert [(node["type"], node["phase"], node["templateRef"]["name"]) for node in found] == [
        ("Skipped", "Error", name)
    ] * 2
    assert named(done[0])["w"]["message"] == f"step group deemed errored due to child w[0].a error: {why}"
    assert [thing["status"]["phase"] for thing in done] == ["Failed", "Error"]


async def test_hooks_and_exit_handlers_may_be_named_by_a_tag_too() -> None:
    seen: dict[str, list[str]] = {}
    reference = 'templateRef: {name: "{{workflow.parameters.g}}", template: leaf}'
    text = flow(f"""
  - name: main
    steps: [[{{name: a, template: leaf, hooks: {{exit: {{{reference}}}, up: {{expression: "true", {reference}}}}}}}]]
""", arguments="{parameters: [{name: g, value: one}]}", hooks=f"{{exit: {{{reference}}}}}")  # fmt: skip
    async with world(arguments_of(seen)) as here:
        await libraries(here, "one")
        ref = await here.submit(text)
        await here.end_of(ref)
        done = await here.at_rest(ref)

    assert done["status"]["phase"] == "Succeeded"
    assert {name for name, said in seen.items() if said == ["one"]} == {"w[0].a.onExit", "w[0].a.hooks.up", "w.onExit"}


async def test_a_call_that_does_not_run_says_whose_template_it_would_have_called() -> None:
    step = '{name: a, templateRef: {name: "{{workflow.parameters.g}}", template: leaf}, when: "1 == 2"}'
    text = flow(f"  - name: main\n    steps: [[{step}]]\n", arguments="{parameters: [{name: g, value: one}]}")
    async with world(table()) as here:
        ref = await here.submit(text)
        await here.end_of(ref)
        done = await here.at_rest(ref)

    assert named(done)["w[0].a"]["templateRef"] == {"name": "one", "template": "leaf"}
    assert "storedTemplates" not in done["status"]


async def test_limits_and_retries_count_for_a_call_that_was_named_by_a_tag() -> None:
    text = flow("""
  - name: main
    failFast: true
    parallelism: 1
    steps: [[{name: a, templateRef: {name: "{{item}}", template: leaf}, withItems: [one, two, three]}]]
""", templateDefaults="{retryStrategy: {limit: 1}}")  # fmt: skip
    async with world(table(a=FAIL)) as here:
        await libraries(here, "one", "two", "three")
        ref = await here.submit(text)
        await here.end_of(ref)
        done = await here.at_rest(ref)
        most = here.most_running

    assert most == 1
    assert done["status"]["phase"] == "Failed"
    assert len([name for name in named(done) if name.endswith(("a(0:one)(0)", "a(0:one)(1)"))]) == 2
