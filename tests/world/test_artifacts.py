"""Artifacts between nodes: where they come from, where they go, and who sees them."""

from __future__ import annotations

from typing import Any

import pytest

from actors.contract.instructions import from_env
from runtime.objects import CONFIGMAPS, Object
from tests.world.flows import flow, named, nodes, table
from tests.world.world import Outcome, Script, world
from tiphys.controllers import ControllerSettings

pytestmark = pytest.mark.virtual_time

SETTINGS = ControllerSettings(repository={"s3": {"endpoint": "minio:9000", "bucket": "b"}})
MAKE = """
  - name: heads
    container: {image: busybox, command: [touch]}
    outputs: {artifacts: [{name: result, path: /r, s3: {key: heads}}]}
  - name: tails
    container: {image: busybox, command: [touch]}
    outputs: {artifacts: [{name: result, path: /r, s3: {key: tails}}]}
  - name: use
    inputs: {artifacts: [{name: given, path: /g}]}
    container: {image: busybox, command: [cat]}
"""


def told(pod: Object, container: str) -> Any:
    """What a container of ours has to do."""
    every = [*(pod["spec"].get("initContainers") or ()), *pod["spec"]["containers"]]
    found = next((entry for entry in every if entry["name"] == container), None)
    return from_env({entry["name"]: entry.get("value", "") for entry in found["env"]}) if found else {}


def saving(loaded: dict[str, Any], **outcomes: Outcome) -> Script:
    """Pods save what they are told to, and note in `loaded` what they are told to load, by node."""

    def act(name: str, pod: Object) -> Outcome:
        for entry in told(pod, "init").get("inputs", ()):
            loaded[f"{name}/{entry['name']}"] = entry["location"]
        saves = told(pod, "wait").get("outputs", ())
        if saves and name.rpartition(".")[2] not in outcomes:
            return Outcome(artifacts=[{"name": entry["name"], **entry["location"]} for entry in saves])
        return table(**outcomes)(name, pod)

    return act


async def done_with(text: str, loaded: dict[str, Any], **options: Any) -> Object:
    async with world(saving(loaded), settings=options.pop("settings", SETTINGS)) as here:
        ref = await here.submit(text)
        await here.end_of(ref)
        return await here.at_rest(ref)


@pytest.mark.spec("ART-3")
@pytest.mark.parametrize(("flip", "taken"), [("heads", "heads"), ("tails", "tails")])
async def test_an_expression_chooses_the_artifact_and_the_other_branch_may_be_skipped(flip: str, taken: str) -> None:
    loaded: dict[str, Any] = {}
    chosen = "steps.flip.outputs.result == 'x' ? steps.h.outputs.artifacts.result : steps.t.outputs.artifacts.result"
    chosen = chosen.replace("steps.flip.outputs.result == 'x'", f"'{flip}' == 'heads'")
    done = await done_with(flow(f"""{MAKE}
  - name: main
    steps:
    - - {{name: h, template: heads, when: "{flip} == heads"}}
      - {{name: t, template: tails, when: "{flip} == tails"}}
    - - name: u
        template: use
        arguments: {{artifacts: [{{name: given, fromExpression: "{chosen}"}}]}}
    outputs: {{artifacts: [{{name: out, fromExpression: "{chosen}"}}]}}
"""), loaded)  # fmt: skip

    assert loaded["w[1].u/given"]["s3"]["key"] == taken
    (out,) = named(done)["w"]["outputs"]["artifacts"]
    assert (out["name"], out["s3"]["key"]) == ("out", taken)


@pytest.mark.spec("ART-12")
async def test_a_global_artifact_is_in_the_workflows_outputs_and_there_for_whoever_starts_later() -> None:
    loaded: dict[str, Any] = {}
    done = await done_with(flow(f"""{MAKE}
  - name: shared
    inputs: {{parameters: [{{name: as}}]}}
    container: {{image: busybox, command: [touch]}}
    outputs: {{artifacts: [{{name: a, path: /a, globalName: "{{{{inputs.parameters.as}}}}", s3: {{key: glob}}}}]}}
  - name: main
    steps:
    - - {{name: m, template: shared, arguments: {{parameters: [{{name: as, value: named}}]}}}}
    - - name: u
        template: use
        arguments: {{artifacts: [{{name: given, from: "{{{{workflow.outputs.artifacts.named}}}}"}}]}}
"""), loaded)  # fmt: skip

    assert loaded["w[1].u/given"]["s3"]["key"] == "glob"
    (out,) = done["status"]["outputs"]["artifacts"]
    assert (out["name"], out["s3"]["key"]) == ("named", "glob")


@pytest.mark.spec("ART-4")
@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("raw: {data: x}", {"raw": {"data": "x"}}),
        ("http: {url: 'http://x/y'}", {"http": {"url": "http://x/y"}}),
        ("git: {repo: 'https://x/y'}", {"git": {"repo": "https://x/y"}}),
        ("gcs: {bucket: g, key: k}", {"gcs": {"bucket": "g", "key": "k"}}),
        ("s3: {key: only}", {"s3": {"endpoint": "minio:9000", "bucket": "b", "key": "only"}}),
        ("s3: {endpoint: e, bucket: c, key: k}", {"s3": {"endpoint": "e", "bucket": "c", "key": "k"}}),
        ("hdfs: {addresses: [n], path: /p}", {"hdfs": {"addresses": ["n"], "path": "/p"}}),
        ("plugin: {name: p, key: k, configuration: c}", {"plugin": {"name": "p", "key": "k", "configuration": "c"}}),
    ],
)
async def test_a_location_may_stand_in_an_argument_or_an_input_whatever_its_driver(written: str, meant: Any) -> None:
    loaded: dict[str, Any] = {}
    done = await done_with(flow(f"""{MAKE}
  - name: own
    inputs: {{artifacts: [{{name: given, path: /g, {written}}}]}}
    container: {{image: busybox, command: [cat]}}
  - name: main
    steps:
    - - {{name: a, template: use, arguments: {{artifacts: [{{name: given, {written}}}]}}}}
      - {{name: b, template: own}}
"""), loaded)  # fmt: skip

    assert loaded == {"w[0].a/given": meant, "w[0].b/given": meant}
    assert done["status"]["phase"] == "Succeeded"


@pytest.mark.spec("REPO-2")
async def test_without_a_reference_the_namespaces_marked_repository_is_taken_else_the_installations() -> None:
    text = flow(f"{MAKE}\n  - name: main\n    steps: [[{{name: h, template: plain}}]]\n".replace("name: heads", "name: plain").replace(", s3: {key: heads}", ""))  # fmt: skip  # noqa: E501
    keys = {}
    for marked in (True, False):
        async with world(saving({}), settings=SETTINGS) as here:
            note = {"workflows.argoproj.io/default-artifact-repository": "mine"} if marked else {}
            meta = {"name": "artifact-repositories", "namespace": "default", "annotations": note}
            data = {"mine": "s3: {endpoint: other, bucket: c, keyFormat: 'x/{{workflow.name}}'}"}
            thing = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": data}
            await here.api.create(CONFIGMAPS, thing)
            done = await here.end_of(await here.submit(text))
            (artifact,) = nodes(done)["h"]["outputs"]["artifacts"]
            keys[marked] = artifact["s3"]
            kept = done["status"]["artifactRepositoryRef"]
            assert kept["artifactRepository"]["s3"]["endpoint"] == artifact["s3"]["endpoint"]

    assert (keys[True]["endpoint"], keys[True]["key"]) == ("other", "x/w/result.tgz")
    assert keys[False]["endpoint"] == "minio:9000"
    assert keys[False]["key"].startswith("w/w-plain-")


@pytest.mark.spec("REPO-2")
@pytest.mark.spec("REPO-4")
@pytest.mark.spec("ART-14")
async def test_a_namespaces_repository_that_archives_logs_does_so_for_workflows_without_artifacts() -> None:
    meta: dict[str, Any] = {"name": "artifact-repositories", "namespace": "default"}
    meta["annotations"] = {"workflows.argoproj.io/default-artifact-repository": "mine"}
    data = {"mine": "archiveLogs: true\ns3: {endpoint: other, bucket: c}"}
    text = flow("\n  - name: main\n    steps: [[{name: a, template: leaf}]]")
    kept: dict[str, list[str]] = {}

    def act(name: str, pod: Object) -> Outcome:
        kept[name] = [one["name"] for one in told(pod, "wait").get("logs", ())]
        return Outcome()

    async with world(act, settings=SETTINGS) as here:
        before = await here.end_of(await here.submit(text))
        await here.after(5)
        await here.api.create(CONFIGMAPS, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": data})
        refs = [await here.submit(text, name) for name in ("x", "y")]
        after = [await here.end_of(ref) for ref in refs]

    assert "artifactRepositoryRef" not in before["status"]
    assert [done["status"]["artifactRepositoryRef"]["key"] for done in after] == ["mine", "mine"]
    assert kept == {"w[0].a": [], "x[0].a": ["main"], "y[0].a": ["main"]}


@pytest.mark.spec("ART-2")
async def test_an_optional_input_that_nobody_passes_may_be_passed_on_and_still_has_its_path() -> None:
    loaded: dict[str, Any] = {}
    seen: dict[str, list[str]] = {}
    text = flow("""
  - name: main
    steps:
    - - {name: s, template: group}
  - name: group
    inputs: {artifacts: [{name: given, optional: true}]}
    steps:
    - - {name: t, template: use, arguments: {artifacts: [{name: got, from: "{{inputs.artifacts.given}}"}]}}
  - name: use
    inputs: {artifacts: [{name: got, path: /g, optional: true}]}
    container: {image: busybox, command: [ls], args: ["{{inputs.artifacts.got.path}}"]}
""")

    def act(name: str, pod: Object) -> Outcome:
        seen[name] = next(entry for entry in pod["spec"]["containers"] if entry["name"] == "main")["args"]
        return saving(loaded)(name, pod)

    async with world(act, settings=SETTINGS) as here:
        done = await here.end_of(await here.submit(text))

    assert done["status"]["phase"] == "Succeeded"
    assert (loaded, list(seen.values())) == ({}, [["/g"]])
    assert nodes(done)["t"]["inputs"]["artifacts"] == [{"name": "got", "path": "/g", "optional": True}]


@pytest.mark.spec("ART-5")
@pytest.mark.parametrize(("declared", "passed"), [("true", "false"), ("false", "true"), ("false", "false")])
async def test_what_may_be_missing_is_said_where_it_is_declared_or_where_its_place_is(
    declared: str, passed: str
) -> None:
    seen: list[bool] = []
    text = flow(f"""
  - name: use
    inputs: {{artifacts: [{{name: given, path: /g, optional: {declared}}}]}}
    container: {{image: busybox, command: [cat]}}
  - name: main
    steps:
    - - {{name: a, template: use, arguments: {{artifacts: [{{name: given, optional: {passed}, s3: {{key: k}}}}]}}}}
""")

    def act(name: str, pod: Object) -> Outcome:
        seen.extend(entry["optional"] for entry in told(pod, "init")["inputs"])
        return table()(name, pod)

    async with world(act, settings=SETTINGS) as here:
        await here.end_of(await here.submit(text))

    assert seen == ["true" in (declared, passed)]


@pytest.mark.spec("STEP-8")
async def test_an_artifact_that_a_template_hands_out_says_where_it_lay_and_one_from_nowhere_is_left_out() -> None:
    done = await done_with(flow(f"""{MAKE}
  - name: main
    steps: [[{{name: h, template: heads}}]]
    outputs: {{artifacts: [{{name: none}}, {{name: out, from: "{{{{steps.h.outputs.artifacts.result}}}}"}}]}}
"""), {})  # fmt: skip

    assert done["status"]["phase"] == "Succeeded"
    (out,) = named(done)["w"]["outputs"]["artifacts"]
    assert (out["name"], out["path"], out["s3"]["key"]) == ("out", "/r", "heads")


@pytest.mark.spec("ART-1", "ART-10")
async def test_a_path_may_be_relative_of_an_input_to_the_root_of_an_output_to_where_the_command_runs() -> None:
    seen: list[Any] = []
    text = flow("""
  - name: main
    inputs: {artifacts: [{name: given, path: in/put, raw: {data: x}}]}
    container: {image: busybox, command: [cat]}
    outputs: {artifacts: [{name: made, path: out/put, archive: {none: {}}}]}
""")

    def act(name: str, pod: Object) -> Outcome:
        main = next(entry for entry in pod["spec"]["containers"] if entry["name"] == "main")
        seen.append([mount["mountPath"] for mount in main["volumeMounts"] if mount.get("subPath") == "given"])
        return saving({})(name, pod)

    async with world(act, settings=SETTINGS) as here:
        done = await here.end_of(await here.submit(text))

    assert done["status"]["phase"] == "Succeeded"
    assert seen == [["/in/put"]]
    assert named(done)["w"]["outputs"]["artifacts"][0]["s3"]["key"].endswith("/put")
