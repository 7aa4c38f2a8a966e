"""An AnalysisRun from a template, of the cluster or of a file, with arguments: as upstream's plugin makes it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

import crds
from actors.names import resources
from runtime.objects import CRDS, Object, Resource
from tests.rollouts.jobs import sleeper, template
from tests.virtual_time import VirtualClock
from tiphys.cli.connect import Connection
from tiphys.cli.problems import InputError
from tiphys.cli.rollouts.creating import RunWish, analysis_run, arguments, create
from tiphys.devcluster.inprocess import InProcessApi
from tiphys.devcluster.server import ApiServer

pytestmark = [pytest.mark.anyio, pytest.mark.virtual_time]

RUNS = Resource(*resources.ANALYSIS_RUN)


async def cluster(*things: Object) -> Connection:
    server = ApiServer(now=VirtualClock().wall)
    server.start()
    api = InProcessApi(server)
    for definition in crds.manifests():
        await api.create(CRDS, definition)
    for thing in things:
        fields = resources.CLUSTER_ANALYSIS_TEMPLATE if thing["kind"].startswith("C") else resources.ANALYSIS_TEMPLATE
        await api.create(Resource(*fields), thing)
    return Connection(api, "default")


async def made(at: Connection) -> Object:
    [run] = (await at.api.list(RUNS)).items
    return dict(run)


ARGS: list[dict[str, Any]] = [{"name": "who"}, {"name": "much", "value": "1"}]


@pytest.mark.spec("RO-1.14-create-analysisrun")
async def test_a_template_of_the_cluster_becomes_a_run_whose_name_begins_with_its_own(
    capsys: pytest.CaptureFixture[str],
) -> None:
    at = await cluster(template("t", sleeper(), args=ARGS))
    wish = RunWish("t", arguments=arguments(["who=me=you", "what=x"]), instance_id="mine")
    await analysis_run(at, wish)
    run, printed = await made(at), capsys.readouterr()
    assert run["metadata"]["generateName"] == "t-"
    assert run["metadata"]["labels"] == {"argo-rollouts.argoproj.io/controller-instance-id": "mine"}
    assert run["spec"]["args"] == [{"name": "who", "value": "me=you"}, {"name": "much", "value": "1"}]
    assert printed.out == f"analysisrun.argoproj.io/{run['metadata']['name']} created\n"
    assert "no template declares the argument 'what'" in printed.err


async def test_templates_that_it_names_are_measured_with_it(capsys: pytest.CaptureFixture[str]) -> None:
    inner = {**template("inner", sleeper("a")), "kind": "ClusterAnalysisTemplate"}
    del inner["metadata"]["namespace"]
    outer = template("t", sleeper("b"), templates=[{"templateName": "inner", "clusterScope": True}])
    at = await cluster(inner, outer)
    await analysis_run(at, RunWish("t", name="mine"))
    run = await made(at)
    assert ([each["name"] for each in run["spec"]["metrics"]], run["metadata"]["name"]) == (["b", "a"], "mine")
    capsys.readouterr()


async def test_a_template_of_a_file_need_not_be_in_the_cluster(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "t.yaml"
    path.write_text(
        "apiVersion: argoproj.io/v1alpha1\nkind: AnalysisTemplate\nmetadata: {name: filed}\n"
        "spec: {metrics: [{name: m, provider: {web: {url: http://x}}}]}\n"
    )
    at = await cluster()
    await analysis_run(at, RunWish(file=str(path), prefix="own-"))
    assert (await made(at))["metadata"]["generateName"] == "own-"
    with pytest.raises(InputError, match="there is no ClusterAnalysisTemplate in it"):
        await analysis_run(at, RunWish(file=str(path), is_clusters=True))
    capsys.readouterr()


async def test_what_is_missing_is_named_with_the_remedy() -> None:
    at = await cluster(template("t", sleeper(), args=ARGS))
    with pytest.raises(InputError, match=r"args.who was not resolved; give it with -a NAME=VALUE"):
        await analysis_run(at, RunWish("t"))
    with pytest.raises(InputError, match=r'clusteranalysistemplate.argoproj.io "t" not found'):
        await analysis_run(at, RunWish("t", is_clusters=True))
    with pytest.raises(InputError, match="NAME=VALUE"):
        arguments(["who"])


@pytest.mark.spec("RO-1.14-create")
async def test_objects_of_files_are_created_and_others_are_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    at, path = await cluster(), tmp_path / "t.yaml"
    path.write_text(yaml.safe_dump({**template("t", sleeper()), "metadata": {"name": "t"}}))
    await create(at, [str(path)])
    assert capsys.readouterr().out == "analysistemplate.argoproj.io/t created\n"
    with pytest.raises(InputError, match="already exists"):
        await create(at, [str(path)])
    path.write_text("apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {}\n")
    with pytest.raises(InputError, match="only Rollout, Experiment"):
        await create(at, [str(path)])
