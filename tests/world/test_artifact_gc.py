"""Artifacts are deleted when their strategy says so, marked as deleted, and never keep a workflow from going."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from actors.contract.instructions import from_env
from actors.names import labels
from actors.workflow.gather import TEMPLATES
from runtime.api import Gone
from runtime.objects import EVENTS, PODS, SERVICE_ACCOUNTS, Object
from tests.world.flows import flow, named, table
from tests.world.world import Outcome, Script, World, world
from tiphys.controllers import ControllerSettings

pytestmark = pytest.mark.virtual_time

REPOSITORY = {"s3": {"endpoint": "minio:9000", "bucket": "b", "accessKeySecret": {"name": "s", "key": "k"}}}
SETTINGS = ControllerSettings(repository=REPOSITORY)


def makes(*artifacts: str, spec: str = "") -> str:
    """A workflow whose one pod leaves these artifacts."""
    listed = ", ".join(artifacts)
    return flow(f"""
  - name: main
    container: {{image: busybox, command: [touch]}}
    outputs: {{artifacts: [{listed}]}}
""") + (f"  {spec}\n" if spec else "")  # fmt: skip


BOTH = makes(
    "{name: early, path: /e, s3: {key: early}, artifactGC: {strategy: OnWorkflowCompletion}}",
    "{name: late, path: /l, s3: {key: late}}",
    "{name: kept, path: /k, s3: {key: kept}, artifactGC: {strategy: Never}}",
    spec="artifactGC: {strategy: OnWorkflowDeletion}",
)


def is_collector(pod: Object) -> bool:
    return bool(pod["metadata"]["labels"].get(labels.COMPONENT) == "artifact-gc")


def saved(pod: Object) -> list[dict[str, Any]]:
    """What `wait` reports of all that it was told to save."""
    wait = next(entry for entry in pod["spec"]["containers"] if entry["name"] == "wait")
    told = from_env({entry["name"]: entry.get("value", "") for entry in wait["env"]})
    return [{"name": entry["name"], **entry["location"]} for entry in told["outputs"]]


def discards(pod: Object) -> list[str]:
    """The keys that a collector is told to delete."""
    told = from_env({entry["name"]: entry.get("value", "") for entry in pod["spec"]["containers"][0]["env"]})
    return [next(iter(entry["location"].values()))["key"] for entry in told["discard"]]


def script(seen: list[Object], *collects: Outcome, last: Outcome | None = None) -> Script:
    """Pods save what they should; collectors end one after the other as `collects` says, then as `last`."""
    ends = list(collects)

    def act(name: str, pod: Object) -> Outcome:
        if is_collector(pod):
            seen.append(pod)
            return ends.pop(0) if ends else last or Outcome(undeleted={})
        if any(entry["name"] == "wait" for entry in pod["spec"]["containers"]):
            return Outcome(artifacts=saved(pod))
        return table()(name, pod)

    return act


async def artifacts(here: World, ref: Any) -> dict[str, bool]:
    """The root's artifacts: name -> whether marked as deleted."""
    node = named(await here.api.get(ref))["w"]
    return {entry["name"]: bool(entry.get("deleted")) for entry in node["outputs"]["artifacts"]}


async def gone(here: World, ref: Any) -> bool:
    try:
        await here.api.get(ref)
    except Gone:
        return True
    return False


@pytest.mark.spec("AGC-1", "AGC-2", "AGC-3", "AGC-5", "TTL-4", "KIND-8")
async def test_each_artifact_goes_at_its_own_time_and_the_workflow_after_them() -> None:
    seen: list[Object] = []
    async with world(script(seen), settings=SETTINGS) as here:
        ref = await here.submit(BOTH)
        await here.after(0.5)
        held = (await here.api.get(ref))["metadata"]["finalizers"]
        await here.end_of(ref)
        await here.after(30)
        at_end, told_at_end = await artifacts(here, ref), [discards(pod) for pod in seen]
        still_held = (await here.api.get(ref))["metadata"]["finalizers"]
        await here.api.delete(ref, propagation="Background")
        await here.after(30)
        went = await gone(here, ref)

    assert held == still_held == ["workflows.argoproj.io/artifact-gc"]
    assert at_end == {"early": True, "late": False, "kept": False}
    assert told_at_end == [["early"]]
    assert [discards(pod) for pod in seen] == [["early"], ["late"]]
    assert seen[0]["metadata"]["name"].startswith("w-artgc-wfcomp-")
    assert seen[1]["metadata"]["name"].startswith("w-artgc-wfdel-")
    assert went


@pytest.mark.spec("AGC-1")
@pytest.mark.parametrize("spec", ["", "artifactGC: {strategy: Never}"])
async def test_without_a_deleting_strategy_there_is_neither_finalizer_nor_pod(spec: str) -> None:
    seen: list[Object] = []
    async with world(script(seen), settings=SETTINGS) as here:
        ref = await here.submit(makes("{name: a, path: /a, s3: {key: a}}", spec=spec))
        done = await here.end_of(ref)
        await here.after(30)

    assert "finalizers" not in done["metadata"]
    assert done["status"]["artifactGCStatus"] == {"notSpecified": True}
    assert seen == []


@pytest.mark.spec("AGC-1", "AGC-2")
@pytest.mark.parametrize("archived", [False, True])
async def test_where_nothing_is_kept_but_logs_these_are_what_there_is_to_delete(archived: bool) -> None:
    text = flow("  - {name: main, container: {image: busybox, command: [touch]}}\n", archiveLogs=str(archived).lower(),
                artifactGC="{strategy: OnWorkflowDeletion}")  # fmt: skip
    async with world(script([]), settings=SETTINGS) as here:
        done = await here.end_of(await here.submit(text))

    assert done["metadata"].get("finalizers", []) == ["workflows.argoproj.io/artifact-gc"] * archived
    assert done["status"]["artifactGCStatus"] == ({} if archived else {"notSpecified": True})


@pytest.mark.spec("AGC-2")
async def test_when_all_is_deleted_at_the_end_nothing_holds_the_workflow() -> None:
    seen: list[Object] = []
    text = makes("{name: a, path: /a, s3: {key: a}}", spec="artifactGC: {strategy: OnWorkflowCompletion}")
    async with world(script(seen), settings=SETTINGS) as here:
        ref = await here.submit(text)
        await here.end_of(ref)
        done = await here.at_rest(ref)
        pods = [pod for pod in (await here.api.list(PODS)).items if is_collector(pod)]

    assert "finalizers" not in done["metadata"]
    assert len(seen) == 1
    assert pods == []
    recouped = {pod["metadata"]["name"]: True for pod in seen}
    assert done["status"]["artifactGCStatus"] == {
        "strategiesProcessed": {"OnWorkflowCompletion": True},
        "podsRecouped": recouped,
    }


@pytest.mark.spec("AGC-4")
async def test_pods_are_made_by_account_and_metadata_the_artifacts_own_first() -> None:
    seen: list[Object] = []
    own = "artifactGC: {serviceAccountName: mine, podMetadata: {labels: {x: y}, annotations: {n: o}}}"
    text = makes(
        f"{{name: a, path: /a, s3: {{key: a}}, {own}}}",
        "{name: b, path: /b, s3: {key: b}}",
        "{name: c, path: /c, s3: {key: c}}",
        spec="artifactGC: {strategy: OnWorkflowCompletion, serviceAccountName: ours, podSpecPatch: '{hostname: x}',"
        " podMetadata: {labels: {x: w, z: all}}}",
    )
    async with world(script(seen), settings=SETTINGS) as here:
        for name in ("mine", "ours"):
            meta = {"name": name, "namespace": "default"}
            await here.api.create(SERVICE_ACCOUNTS, {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta})
        ref = await here.submit(text)
        await here.end_of(ref)
        await here.at_rest(ref)

    by_account = {pod["spec"]["serviceAccountName"]: pod for pod in seen}
    assert discards(by_account["mine"]) == ["a"]
    assert sorted(discards(by_account["ours"])) == ["b", "c"]
    assert {pod["metadata"]["labels"]["z"] for pod in seen} == {"all"}
    assert by_account["ours"]["metadata"]["labels"]["x"] == "w"
    assert by_account["mine"]["metadata"]["labels"]["x"] == "y"
    assert by_account["mine"]["metadata"]["annotations"]["n"] == "o"
    strategies = {pod["metadata"]["annotations"]["workflows.argoproj.io/artifact-gc-strategy"] for pod in seen}
    assert strategies == {"OnWorkflowCompletion"}
    assert {pod["spec"]["hostname"] for pod in seen} == {"x"}
    assert {pod["spec"]["automountServiceAccountToken"] for pod in seen} == {False}


@pytest.mark.spec("AGC-5")
async def test_what_cannot_be_deleted_is_a_condition_and_holds_the_workflow_until_its_deletion_succeeds() -> None:
    seen: list[Object] = []
    refuses = Outcome(undeleted={"0": "403 Forbidden"})
    text = makes(
        "{name: a, path: /a, s3: {key: a}}", "{name: b, path: /b, s3: {key: b}}",
        spec="artifactGC: {strategy: OnWorkflowCompletion}",
    )  # fmt: skip
    async with world(script(seen, *[refuses] * 3), settings=SETTINGS) as here:
        ref = await here.submit(text)
        await here.end_of(ref)
        await here.after(300)
        after = await here.api.get(ref)
        events = [event for event in (await here.api.list(EVENTS)).items if event["reason"] == "ArtifactGCFailed"]
        marks = await artifacts(here, ref)
        await here.api.delete(ref)
        await here.after(30)
        went = await gone(here, ref)

    (condition,) = [entry for entry in after["status"]["conditions"] if entry["type"] == "ArtifactGCError"]
    assert condition["message"] == "artifact s3:b/a was not deleted: 403 Forbidden"
    said = "Artifact Garbage Collection failed for strategy OnWorkflowCompletion, err:403 Forbidden"
    assert [(event["type"], event["message"]) for event in events] == [("Warning", said)]
    assert after["metadata"]["finalizers"] == ["workflows.argoproj.io/artifact-gc"]
    assert marks == {"a": False, "b": True}
    assert [discards(pod) for pod in seen] == [["a", "b"], ["a"], ["a"], ["a"]]
    assert went


@pytest.mark.spec("AGC-2", "TTL-4")
@pytest.mark.parametrize("end", [Outcome(undeleted={"0": "no route to host"}), Outcome(delay_s=1e6), Outcome(code=1)])
async def test_a_deletion_never_hangs_and_names_what_stays_behind(end: Outcome) -> None:
    text = makes("{name: a, path: /a, s3: {key: a}}", spec="artifactGC: {strategy: OnWorkflowDeletion}")
    async with world(script([], last=end), settings=SETTINGS) as here:
        ref = await here.submit(text)
        await here.end_of(ref)
        await here.api.delete(ref)
        await here.after(20)
        early = await gone(here, ref)
        await here.after(900)
        went = await gone(here, ref)
        events = [event for event in (await here.api.list(EVENTS)).items if event["reason"] == "ArtifactGCOrphaned"]

    assert (early, went) == (False, True)
    assert "s3:b/a" in events[0]["message"]


@pytest.mark.spec("AGC-2")
async def test_force_lets_the_workflow_go_all_the_same() -> None:
    text = makes(
        "{name: a, path: /a, s3: {key: a}}",
        spec="artifactGC: {strategy: OnWorkflowCompletion, forceFinalizerRemoval: true}",
    )
    async with world(script([], last=Outcome(undeleted={"0": "no"})), settings=SETTINGS) as here:
        ref = await here.submit(text)
        await here.end_of(ref)
        await here.after(300)
        done = await here.api.get(ref)

    assert "finalizers" not in done["metadata"]
    assert "ArtifactGCError" in [entry["type"] for entry in done["status"]["conditions"]]


@pytest.mark.spec("AGC-1", "WFT-2")
async def test_what_a_workflow_says_of_collecting_is_laid_over_what_its_template_says() -> None:
    seen: list[Object] = []
    template = yaml.safe_load(
        makes("{name: a, path: /a, s3: {key: a}}", spec="artifactGC: {strategy: OnWorkflowCompletion}")
    )
    meta = {"name": "lib", "namespace": "default"}
    thing = {"apiVersion": "argoproj.io/v1alpha1", "kind": "WorkflowTemplate", "metadata": meta, **template}
    async with world(script(seen), settings=SETTINGS) as here:
        await here.api.create(TEMPLATES, thing)
        text = "spec: {workflowTemplateRef: {name: lib}, artifactGC: {forceFinalizerRemoval: true}}"
        ref = await here.submit(text)
        await here.end_of(ref)
        done = await here.at_rest(ref)

    assert [discards(pod) for pod in seen] == [["a"]]
    assert "finalizers" not in done["metadata"]


@pytest.mark.spec("AGC-6")
async def test_a_running_workflow_that_is_deleted_ends_first_and_its_artifacts_go_too() -> None:
    seen: list[Object] = []
    text = flow("""
  - name: leaves
    container: {image: busybox, command: [touch]}
    outputs: {artifacts: [{name: a, path: /a, s3: {key: a}}]}
  - name: main
    steps: [[{name: m, template: leaves}], [{name: r, template: rest}]]
""", artifactGC="{strategy: OnWorkflowDeletion}")  # fmt: skip
    async with world(script(seen), settings=SETTINGS) as here:
        ref = await here.submit(text)
        await here.after(20)
        await here.api.delete(ref)
        await here.after(60)
        went = await gone(here, ref)

    assert [discards(pod) for pod in seen] == [["a"]]
    assert went


@pytest.mark.spec("AGC-6")
async def test_a_store_that_deletes_nothing_is_said_and_holds_nobody_up() -> None:
    seen: list[Object] = []
    text = makes("{name: a, path: /a, http: {url: 'http://x/a'}}", spec="artifactGC: {strategy: OnWorkflowDeletion}")
    async with world(script(seen), settings=SETTINGS) as here:
        ref = await here.submit(text)
        await here.end_of(ref)
        await here.api.delete(ref)
        await here.after(10)
        went = await gone(here, ref)

    assert (seen, went) == ([], True)


@pytest.mark.spec("AGC-3")
@pytest.mark.parametrize("seed", range(3))
async def test_nothing_is_forgotten_when_the_controllers_die(seed: int) -> None:
    seen: list[Object] = []
    async with world(script(seen), settings=SETTINGS, seed=seed, deaths_every_s=1.5) as here:
        ref = await here.submit(BOTH)
        await here.end_of(ref)
        await here.after(60)
        marks = await artifacts(here, ref)
        await here.api.delete(ref)
        await here.after(120)
        went = await gone(here, ref)

    assert marks == {"early": True, "late": False, "kept": False}
    assert went
    assert "kept" not in [key for pod in seen for key in discards(pod)]
