"""Experiments, from the object's creation to the end of their pods, in virtual time."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from actors.experiment.makes import REPLICA_SETS
from actors.names.podhash import HASH_LABEL, pod_hash
from actors.names.timestamps import seconds
from runtime.api import Refused
from runtime.objects import SERVICES
from tests.analysis.trials import analysis, analysis_template, experiment, sizes, statuses, template, world
from tests.analysis.world import EXPERIMENTS, RUNS, TEMPLATES, Script, metric
from tests.controllers.world import Fate
from tests.kernel.coat import Coat

pytestmark = pytest.mark.virtual_time


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


@pytest.mark.spec("RO-EX-1")
async def test_a_template_of_no_pods_has_its_replica_set_too():
    async with world() as here:
        ref = await here.create(EXPERIMENTS, experiment(template("a", replicas=0), template("b"), duration="1m"))
        status = await here.phase(ref, "Running")
        assert (statuses(status), sizes(here)) == ({"a": "Running", "b": "Running"}, {"e-a": 0, "e-b": 1})
        await here.phase(ref, "Successful")
        await anyio.sleep(40)
        assert sizes(here) == {"e-a": 0, "e-b": 0}


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


@pytest.mark.spec("RO-EX-11")
async def test_a_replica_set_that_is_refused_is_told_once_in_upstreams_words():
    wanted = template("a")
    wanted["selector"] = {"matchLabels": {"app": "another"}}
    async with world() as here:
        ref = await here.create(EXPERIMENTS, experiment(wanted, duration="1m"))
        status = await here.phase(ref, "Error")
        assert status["message"].startswith("Failed to create ReplicaSet for template 'a': ")
        await anyio.sleep(60)
        [told] = [text for reason, text in here.events() if reason == "ReplicaSetCreateError"]
        assert told.startswith('Failed to create new replica set "e-a": ')


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
