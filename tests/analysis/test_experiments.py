"""Experiments, from the object's creation to the end of their pods, in virtual time."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from actors.analysis.room import analysis_room
from actors.analysis.state import AnalysisSettings
from actors.experiment.makes import REPLICA_SETS
from actors.experiment.room import experiment_room
from actors.names.podhash import HASH_LABEL, pod_hash
from actors.names.timestamps import seconds
from runtime.api import Refused
from runtime.objects import SERVICES, Object, Reference
from tests.analysis.world import CLUSTER_TEMPLATES, EXPERIMENTS, RUNS, TEMPLATES, Lab, Script, lab, metric
from tests.controllers.world import Fate
from tests.kernel.coat import Coat

pytestmark = pytest.mark.virtual_time


def rooms(measure):
    return [analysis_room(measure, AnalysisSettings("system")), experiment_room()]


def world(script: Script | None = None, **options: Any):
    return lab(script, rooms=rooms, **options)


def template(name: str, **fields: Any) -> Object:
    container = {"name": "c", "image": f"demo:{name}", "ports": [{"containerPort": 8080, "name": "http"}]}
    return {
        "name": name,
        "selector": {"matchLabels": {"app": "demo"}},
        "template": {"metadata": {"labels": {"app": "demo"}}, "spec": {"containers": [container]}},
        **fields,
    }


def experiment(*templates: Object, **spec: Any) -> Object:
    return {"metadata": {"name": "e"}, "spec": {"templates": list(templates), **spec}}


def analysis_template(name: str, *metrics: Object, **spec: Any) -> Object:
    return {"metadata": {"name": name}, "spec": {"metrics": list(metrics or (metric(),)), **spec}}


def sizes(here: Lab) -> dict[str, int]:
    return {each["metadata"]["name"]: each["spec"]["replicas"] for each in here.stored(REPLICA_SETS)}


def statuses(status: Object) -> dict[str, str]:
    return {each["name"]: each["status"] for each in status["templateStatuses"]}


@pytest.mark.spec("RO-EX-1", "RO-EX-8")
async def test_templates_run_side_by_side_for_their_time_and_their_pods_go_after_a_delay():
    async with world() as here:
        ref = await here.create(EXPERIMENTS, experiment(template("a", replicas=2), template("b"), duration="1m"))
        status = await here.phase(ref, "Running")
        assert statuses(status) == {"a": "Running", "b": "Running"}
        assert sizes(here) == {"e-a": 2, "e-b": 1}

        status = await here.phase(ref, "Successful")
        ended = here.world.server.now()
        assert 60 <= ended - seconds(status["availableAt"]) < 63
        assert sizes(here) == {"e-a": 2, "e-b": 1}
        await anyio.sleep(25)
        assert sizes(here) == {"e-a": 2, "e-b": 1}
        await anyio.sleep(8)
        assert sizes(here) == {"e-a": 0, "e-b": 0}
        await here.world.until(lambda: not here.world.pods())


@pytest.mark.spec("RO-EX-11")
async def test_the_status_is_upstreams_to_the_letter():
    async with world() as here:
        ref = await here.create(EXPERIMENTS, experiment(template("a"), duration="1m", scaleDownDelaySeconds=0))
        await here.phase(ref, "Successful")
        await anyio.sleep(10)
        status = await here.status(ref)

        times = ("lastTransitionTime", "lastUpdateTime")
        conditions = [{k: v for k, v in each.items() if k not in times} for each in status.pop("conditions")]
        assert conditions == [
            {
                "type": "Progressing",
                "status": "False",
                "reason": "ExperimentCompleted",
                "message": 'Experiment "e" has successfully ran and completed.',
            }
        ]
        [found] = status.pop("templateStatuses")
        found.pop("lastTransitionTime")
        status.pop("availableAt")
        assert found == {
            "name": "a",
            "replicas": 0,
            "updatedReplicas": 0,
            "readyReplicas": 0,
            "availableReplicas": 0,
            "status": "Successful",
        }
        assert status == {"phase": "Successful"}


@pytest.mark.spec("RO-EX-12")
async def test_pods_of_a_rollouts_very_template_have_another_hash():
    async with world() as here:
        wanted = template("a")
        own = pod_hash(wanted["template"])
        wanted["template"]["metadata"]["labels"][HASH_LABEL] = own
        await here.create(EXPERIMENTS, experiment(wanted, duration="1m"))
        await here.world.until(lambda: bool(here.stored(REPLICA_SETS)))

        [found] = here.stored(REPLICA_SETS)
        other = found["metadata"]["labels"][HASH_LABEL]
        assert other != own
        assert found["spec"]["selector"]["matchLabels"] == {"app": "demo", HASH_LABEL: other}
        assert found["spec"]["template"]["metadata"]["labels"] == {"app": "demo", HASH_LABEL: other}
        assert found["metadata"]["annotations"] == {
            "experiment.argoproj.io/name": "e",
            "experiment.argoproj.io/template-name": "a",
        }


@pytest.mark.spec("RO-EX-2")
@pytest.mark.parametrize(("service", "name"), [({}, "e-a"), ({"name": "mine"}, "mine")])
async def test_a_service_is_there_as_long_as_pods_are(service, name):
    async with world() as here:
        wanted = template("a", service=service)
        ref = await here.create(EXPERIMENTS, experiment(wanted, duration="1m", scaleDownDelaySeconds=10))
        status = await here.phase(ref, "Running")

        [found] = here.stored(SERVICES)
        [replicas] = here.stored(REPLICA_SETS)
        assert found["metadata"]["name"] == name
        assert found["spec"]["selector"] == replicas["metadata"]["labels"]
        [port] = found["spec"]["ports"]
        assert {key: port[key] for key in ("name", "port", "targetPort", "protocol")} == {
            "name": "http", "port": 8080, "targetPort": 8080, "protocol": "TCP",
        }  # fmt: skip
        [entry] = status["templateStatuses"]
        assert (entry["serviceName"], entry["podTemplateHash"]) == (name, replicas["metadata"]["labels"][HASH_LABEL])

        await here.phase(ref, "Successful")
        await anyio.sleep(7)
        assert len(here.stored(SERVICES)) == 1, "its pods are still there"
        await here.world.until(lambda: not here.stored(SERVICES))
        status = await here.until(ref, lambda each: "serviceName" not in each["templateStatuses"][0])


async def test_a_service_has_every_port_of_the_pods():
    async with world() as here:
        wanted = template("a", service={})
        named = [{"containerPort": 80, "name": "http"}, {"containerPort": 443, "name": "tls", "protocol": "TCP"}]
        wanted["template"]["spec"]["containers"] += [{"name": "d", "image": "i", "ports": named}]
        wanted["template"]["spec"]["containers"][0]["ports"][0]["name"] = "main"
        await here.create(EXPERIMENTS, experiment(wanted, duration="1m"))
        await here.world.until(lambda: bool(here.stored(SERVICES)))

        [found] = here.stored(SERVICES)
        assert sorted(port["port"] for port in found["spec"]["ports"]) == [80, 443, 8080]


async def test_an_experiment_without_ports_has_no_service():
    async with world() as here:
        wanted = template("a", service={})
        del wanted["template"]["spec"]["containers"][0]["ports"]
        ref = await here.create(EXPERIMENTS, experiment(wanted, duration="20s"))
        await here.phase(ref, "Successful")

        assert here.stored(SERVICES) == []


async def test_a_service_of_somebody_else_is_an_error():
    async with world() as here:
        await here.create(SERVICES, {"metadata": {"name": "mine"}, "spec": {"ports": [{"port": 1}]}})
        ref = await here.create(EXPERIMENTS, experiment(template("a", service={"name": "mine"}), duration="1m"))
        status = await here.phase(ref, "Error")

        assert status["message"] == (
            "Failed to create Service mine for template 'a': "
            "service mine already exists and is not owned by experiment template a"
        )


@pytest.mark.spec("RO-EX-4")
async def test_pods_that_never_get_ready_fail_at_the_deadline():
    async with world(fate=lambda pod: Fate(ready_s=1e9)) as here:
        ref = await here.create(EXPERIMENTS, experiment(template("a"), progressDeadlineSeconds=20))
        status = await here.phase(ref, "Failed")

        told = "Template 'a' exceeded its progressDeadlineSeconds (20)"
        assert status["message"] == told
        await anyio.sleep(1)
        assert ("TemplateFailed", f"Template 'a' transitioned from Progressing -> Failed: {told}") in here.events()


async def test_a_replica_set_of_somebody_else_is_left_alone_and_another_name_is_taken():
    async with world() as here:
        foreign = {"metadata": {"name": "e-a"}, "spec": {
            "replicas": 0, "selector": {"matchLabels": {"x": "y"}},
            "template": {"metadata": {"labels": {"x": "y"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}},
        }}  # fmt: skip
        await here.create(REPLICA_SETS, foreign)
        ref = await here.create(EXPERIMENTS, experiment(template("a"), duration="1m"))
        status = await here.phase(ref, "Running")

        assert status["templateStatuses"][0]["collisionCount"] == 1
        assert sizes(here) == {"e-a": 0, "e-a-1": 1}


@pytest.mark.spec("RO-EX-5")
async def test_a_user_ends_an_experiment():
    async with world() as here:
        ref = await here.create(EXPERIMENTS, experiment(template("a")))
        await here.phase(ref, "Running")
        await here.edit(ref, terminate=True)
        await here.phase(ref, "Successful")
        await here.world.until(lambda: not here.world.pods())


# ---------------------------------------------------------------------------------------------- analyses


def analysis(name: str, template_name: str = "t", **fields: Any) -> Object:
    return {"name": name, "templateName": template_name, **fields}


@pytest.mark.spec("RO-AN-19")
async def test_analyses_begin_when_the_pods_are_available_and_know_their_hashes():
    async with world() as here:
        texts = {"hash": "{{templates.a.podTemplateHash}}", "set": "{{templates.a.replicaset.name}}"}
        declared = [{"name": name} for name in texts]
        await here.create(TEMPLATES, analysis_template("t", args=declared))
        args = [{"name": name, "value": value} for name, value in texts.items()]
        wanted = experiment(template("a"), analyses=[analysis("x", args=args)], duration="1m",
                            analysisRunMetadata={"labels": {"l": "1"}, "annotations": {"n": "2"}})  # fmt: skip
        ref = await here.create(EXPERIMENTS, wanted)
        status = await here.phase(ref, "Successful")

        [replicas] = here.stored(REPLICA_SETS)
        [run] = here.stored(RUNS)
        assert run["metadata"]["name"] == "e-x"
        assert run["metadata"]["labels"] == {"l": "1"}
        assert run["metadata"]["annotations"] == {"n": "2"}
        assert run["spec"]["args"] == [
            {"name": "hash", "value": replicas["metadata"]["labels"][HASH_LABEL]},
            {"name": "set", "value": "e-a"},
        ]
        assert status["analysisRuns"] == [{"name": "x", "analysisRun": "e-x", "phase": "Successful"}]


@pytest.mark.spec("RO-EX-6")
async def test_a_failed_analysis_ends_the_experiment():
    async with world(Script({"bad": [1.0, 0.0]})) as here:
        await here.create(TEMPLATES, analysis_template("t", metric("bad", interval="10s", count=5)))
        await here.create(CLUSTER_TEMPLATES, analysis_template("c", metric("endless", interval="10s")))
        both = [analysis("x"), analysis("y", "c", clusterScope=True)]
        ref = await here.create(EXPERIMENTS, experiment(template("a"), analyses=both))
        status = await here.phase(ref, "Failed")

        assert status["message"] == 'Metric "bad" assessed Failed due to failed (1) > failureLimit (0)'
        other = Reference(RUNS, "default", "e-y")
        found = await here.phase(other, "Successful")
        assert found["message"] == "Run Terminated"
        await here.world.until(lambda: not here.world.pods())
        assert ("AnalysisRunTerminating", "Terminating y (e-y)") in here.events()


@pytest.mark.spec("RO-EX-7")
@pytest.mark.parametrize("endless", [False, True])
async def test_the_experiment_ends_when_what_is_required_has_succeeded_whatever_else_runs(endless):
    async with world() as here:
        await here.create(TEMPLATES, analysis_template("t", metric(interval="10s", count=3)))
        await here.create(TEMPLATES, analysis_template("endless", metric(interval="10s")))
        more = [analysis("y", "endless")] if endless else []
        ref = await here.create(EXPERIMENTS, experiment(template("a"), analyses=[
            analysis("x", requiredForCompletion=True), *more]))  # fmt: skip
        status = await here.phase(ref, "Successful")

        assert status["message"] == "Required AnalysisRuns completed"
        if endless:
            assert (await here.phase(Reference(RUNS, "default", "e-y"), "Successful"))["message"] == "Run Terminated"


async def test_an_experiment_that_is_told_to_end_waits_for_no_required_analysis():
    async with world() as here:
        await here.create(TEMPLATES, analysis_template("t", metric(interval="10s")))
        ref = await here.create(EXPERIMENTS, experiment(template("a"), analyses=[
            analysis("x", requiredForCompletion=True)]))  # fmt: skip
        await here.until(ref, lambda status: (status.get("analysisRuns") or [{}])[0].get("phase") == "Running")
        await here.edit(ref, terminate=True)
        await here.phase(ref, "Successful")


@pytest.mark.spec("RO-EX-3")
async def test_an_experiment_without_required_analyses_waits_for_its_duration_only():
    async with world() as here:
        await here.create(TEMPLATES, analysis_template("t", metric(interval="10s")))
        ref = await here.create(EXPERIMENTS, experiment(template("a"), analyses=[analysis("x")], duration="30s"))
        await here.phase(ref, "Successful")

        found = await here.phase(Reference(RUNS, "default", "e-x"), "Successful")
        assert found["message"] == "Run Terminated"


@pytest.mark.parametrize("cluster", [False, True])
async def test_a_template_that_is_missing_is_an_error_before_anything_is_measured(cluster):
    async with world() as here:
        ref = await here.create(EXPERIMENTS, experiment(template("a"), analyses=[
            analysis("x", clusterScope=cluster)]))  # fmt: skip
        status = await here.phase(ref, "Error")

        kind = "ClusterAnalysisTemplate" if cluster else "AnalysisTemplate"
        assert status["message"] == (
            f"{kind} verification failed for analysis 'x': {kind.lower()}.argoproj.io \"t\" not found"
        )
        assert here.stored(RUNS) == []


async def test_an_argument_that_nobody_gives_is_an_error():
    async with world() as here:
        await here.create(TEMPLATES, analysis_template("t", args=[{"name": "who"}]))
        ref = await here.create(EXPERIMENTS, experiment(template("a"), analyses=[analysis("x")]))
        status = await here.phase(ref, "Error")

        assert status["message"] == "Failed to create AnalysisRun for analysis 'x': args.who was not resolved"


async def test_nested_templates_are_measured_together():
    async with world() as here:
        await here.create(TEMPLATES, analysis_template("inner", metric("inner")))
        outer = analysis_template("t", metric("outer"), templates=[{"templateName": "inner"}])
        await here.create(TEMPLATES, outer)
        ref = await here.create(EXPERIMENTS, experiment(template("a"), analyses=[analysis("x")], duration="20s"))
        await here.phase(ref, "Successful")

        [run] = here.stored(RUNS)
        assert [each["name"] for each in run["spec"]["metrics"]] == ["outer", "inner"]


@pytest.mark.spec("RO-EX-9")
async def test_dry_run_and_retention_of_the_experiment_reach_its_runs():
    async with world(Script({"m": [0.0]})) as here:
        await here.create(TEMPLATES, analysis_template("t", metric(interval="1s", count=4, failureLimit=4)))
        rules = {"dryRun": [{"metricName": ".*"}], "measurementRetention": [{"metricName": "m", "limit": 2}]}
        ref = await here.create(EXPERIMENTS, experiment(template("a"), analyses=[
            analysis("x", requiredForCompletion=True)], **rules))  # fmt: skip
        await here.phase(ref, "Successful")

        status = here.stored(RUNS)[0]["status"]
        assert status["dryRunSummary"] == {"count": 1, "successful": 1}
        assert len(status["metricResults"][0]["measurements"]) == 2


async def test_a_run_that_is_there_already_is_left_and_another_name_is_taken():
    async with world() as here:
        await here.create(TEMPLATES, analysis_template("t"))
        await here.create(RUNS, {"metadata": {"name": "e-x"}, "spec": {"metrics": [metric()]}})
        ref = await here.create(EXPERIMENTS, experiment(template("a"), analyses=[analysis("x")], duration="20s"))
        status = await here.phase(ref, "Successful")

        assert status["analysisRuns"][0]["analysisRun"] == "e-x.1"


async def test_an_experiment_whose_status_is_wiped_runs_once_more():
    async with world() as here:
        await here.create(TEMPLATES, analysis_template("t"))
        wanted = experiment(template("a"), analyses=[analysis("x")], duration="20s", scaleDownDelaySeconds=5)
        ref = await here.create(EXPERIMENTS, wanted)
        await here.phase(ref, "Successful")
        await here.world.until(lambda: not here.world.pods())
        await here.world.api.patch(ref, {"status": None})
        await here.phase(ref, "Running")
        status = await here.phase(ref, "Successful")

        assert status["analysisRuns"] == [{"name": "x", "analysisRun": "e-x.1", "phase": "Successful"}]
        await here.world.until(lambda: not here.world.pods())
        assert sizes(here) == {"e-a": 0}


@pytest.mark.spec("RO-EX-10")
@pytest.mark.parametrize(("change", "message"), [
    ({"selector": {}}, "This experiment is selecting all pods at index 0. A non-empty selector is required."),
    ({"minReadySeconds": 700}, "MinReadySeconds cannot be longer than ProgressDeadlineSeconds. Check template index 0"),
    ({"name": ""}, "Experiment e has empty template name at index 0"),
    ({"name": "b"}, "Experiment e has repeated template name 'b' in templates"),
])  # fmt: skip
async def test_a_spec_that_cannot_be_carried_out_gets_a_condition_and_nothing_else(change, message):
    async with world() as here:
        ref = await here.create(EXPERIMENTS, experiment({**template("a"), **change}, template("b")))
        status = await here.until(ref, lambda each: bool(each.get("conditions")))

        [condition] = status["conditions"]
        assert (condition["type"], condition["status"], condition["message"]) == ("InvalidSpec", "True", message)
        assert list(status) == ["conditions"]
        assert here.stored(REPLICA_SETS) == []


async def test_a_run_that_somebody_deletes_is_an_error():
    async with world() as here:
        await here.create(TEMPLATES, analysis_template("t", metric(interval="5s")))
        ref = await here.create(EXPERIMENTS, experiment(template("a"), analyses=[analysis("x")]))
        await here.until(ref, lambda status: (status.get("analysisRuns") or [{}])[0].get("phase") == "Running")
        await here.world.api.delete(Reference(RUNS, "default", "e-x"))
        status = await here.phase(ref, "Error")

        assert status["message"] == 'analysisruns.argoproj.io "e-x" not found'


@pytest.mark.parametrize("verb", ["create", "patch"])
async def test_what_is_refused_is_not_asked_for_all_the_time(verb):
    tries: list[Any] = []

    def fault(called: str, subject: Any) -> Exception | None:
        if called == verb and str(subject).startswith("e-"):
            tries.append(subject)
            return Refused("no right")
        return None

    async with world(coat=lambda api: Coat(api, fault=fault)) as here:
        await here.create(TEMPLATES, analysis_template("t", metric(interval="5s")))
        ref = await here.create(EXPERIMENTS, experiment(template("a"), analyses=[analysis("x")]))
        status = await here.phase(ref, "Error")
        await anyio.sleep(300)

        assert "no right" in status["message"]
        assert len(tries) < 30


async def test_events_tell_the_story():
    async with world() as here:
        await here.create(TEMPLATES, analysis_template("t"))
        wanted = experiment(template("a"), analyses=[analysis("x")], duration="20s", scaleDownDelaySeconds=0)
        ref = await here.create(EXPERIMENTS, wanted)
        await here.phase(ref, "Successful")
        await anyio.sleep(5)

        others = ("Metric 'm'", "Analysis Completed", "Experiment ")
        assert [text for _, text in here.events() if text.startswith("Experiment ")] == [
            "Experiment transitioned from  -> Pending",
            "Experiment transitioned from Pending -> Running",
            "Experiment transitioned from Running -> Successful",
        ]
        assert [said for said in here.events() if not said[1].startswith(others)] == [
            ("TemplateProgressing", "Template 'a' transitioned from  -> Progressing"),
            ("ScalingReplicaSet", "Scaled up ReplicaSet e-a from 0 to 1"),
            ("TemplateRunning", "Template 'a' transitioned from Progressing -> Running"),
            ("AnalysisRunPending", "AnalysisRun 'x' transitioned from  -> Pending"),
            ("AnalysisRunRunning", "AnalysisRun 'x' transitioned from Pending -> Running"),
            ("AnalysisRunSuccessful", "AnalysisRun 'x' transitioned from Running -> Successful"),
            ("TemplateSuccessful", "Template 'a' transitioned from Running -> Successful"),
            ("ScalingReplicaSet", "Scaled down ReplicaSet e-a from 1 to 0"),
        ]


# ------------------------------------------------------------------------------------------- bad weather


@pytest.mark.parametrize("seed", range(4))
async def test_whatever_dies_and_gets_lost_the_experiment_ends_the_same(seed):
    async with world(Script({"m": [1.0]}), seed=seed, bad=0.2, deaths_every_s=12.0) as here:
        await here.create(TEMPLATES, analysis_template("t", metric(interval="7s", count=4)))
        wanted = experiment(template("a", replicas=2, service={}), template("b"), duration="40s",
                            analyses=[analysis("x", requiredForCompletion=True)])  # fmt: skip
        ref = await here.create(EXPERIMENTS, wanted)
        status = await here.phase(ref, "Successful", "Failed", "Error", "Inconclusive")
        await here.world.until(lambda: not here.world.pods())
        await here.world.until(lambda: not here.stored(SERVICES))

        assert status["phase"] == "Successful"
        assert sizes(here) == {"e-a": 0, "e-b": 0}
        assert len(here.stored(RUNS)) == 1
