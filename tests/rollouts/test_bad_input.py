"""What is wrong is said in upstream's words, nothing is touched meanwhile, and what is put right goes on by itself."""

# ruff: noqa: E501  upstream's sentences are long

from __future__ import annotations

import copy
from typing import Any

import pytest

from actors.rollout import mind, wire
from actors.rollout.plan import Plan
from actors.rollout.room import rollout_rooms
from actors.rollout.scene import World
from actors.rollout.state import RolloutSettings
from runtime.api import Refused
from runtime.objects import CRDS, SERVICES, Object, Reference
from tests.rollouts.test_analysis import template
from tests.rollouts.world import rollout, rollout_world, service

pytestmark = pytest.mark.virtual_time


async def told(*things: Object) -> str:
    async with rollout_world() as here:
        await here.apply(*things)
        await here.until_phase("Degraded", limit_s=10)
        found = here.condition("InvalidSpec")
        assert found is not None
        assert here.status()["message"] == f"InvalidSpec: {found['message']}"
        assert here.stored("apps", "replicasets") == []
        return found["message"].removeprefix('The Rollout "r" is invalid: ')


def canary(**more: Any) -> Object:
    return rollout(canary=more)


def steps(*given: Object, **more: Any) -> Object:
    return canary(steps=list(given), **more)


PATH = "spec.strategy"
NGINX = {"nginx": {"stableIngress": "i"}}
BOTH = {"canaryService": "c", "stableService": "s"}

NO_TIME = "must be an RFC 3339 time, as 2006-01-02T15:04:05Z"

WRONG: list[tuple[Object, str]] = [
    (rollout(canary={}, blueGreen={"activeService": "a"}), f"{PATH}.strategy: Invalid value: \"blueGreen: true canary: true\": Multiple Strategies can not be listed"),
    (rollout(blueGreen={"activeService": "a", "previewService": "a"}), f'{PATH}.activeService: Invalid value: "a": This rollout uses the same service for the active and preview services, but two different services are required.'),
    (rollout(blueGreen={"activeService": "a", "scaleDownDelayRevisionLimit": 5}, revisionHistoryLimit=3), f"{PATH}.scaleDownDelayRevisionLimit: Invalid value: 5: This rollout's revision history limit can not be smaller than the rollout's scale down limit"),
    (canary(canaryService="x", stableService="x"), f'{PATH}.stableService: Invalid value: "x": This rollout uses the same service for the stable and canary services, but two different services are required.'),
    (canary(maxSurge=0, maxUnavailable="0%"), f"{PATH}.maxSurge: Invalid value: 0: MaxSurge and MaxUnavailable both can not be zero"),
    (steps({"setWeight": 110}), f"{PATH}.steps[0].setWeight: Invalid value: 110: SetWeight needs to be between 0 and 100"),
    (steps({"setWeight": -1}), f"{PATH}.steps[0].setWeight: Invalid value: -1: SetWeight needs to be between 0 and 100"),
    (steps({}), f'{PATH}.steps[0]: Invalid value: "step.Experiment: true step.Pause: true step.SetWeight: true step.Analysis: true step.SetCanaryScale: true step.SetHeaderRoute: true step.SetMirrorRoute: true step.Plugin: true": Step must have one of the following set: experiment, setWeight, setCanaryScale, plugin or pause'),
    (steps({"setWeight": 10, "pause": {}}), f'{PATH}.steps[0]: Invalid value: "step.Experiment: false step.Pause: true step.SetWeight: true step.Analysis: false": Step must have one of the following set: experiment, setWeight, setCanaryScale, plugin or pause'),
    (steps({"pause": {"duration": "soon"}}), f"{PATH}.steps[0].pause.duration: Invalid value: -1: Duration needs to be greater than 0"),
    (steps({"setCanaryScale": {"weight": 10}}), f"{PATH}.trafficRouting: Required value: SetCanaryScale requires TrafficRouting to be set"),
    (canary(scaleDownDelaySeconds=5), f"{PATH}.scaleDownDelaySeconds: Invalid value: 5: Canary scaleDownDelaySeconds can only be used with traffic routing"),
    (canary(dynamicStableScale=True), f"{PATH}.dynamicStableScale: Invalid value: true: Canary dynamicStableScale can only be used with traffic routing"),
    (canary(dynamicStableScale=True, scaleDownDelaySeconds=1, trafficRouting=NGINX, **BOTH), f"{PATH}.dynamicStableScale: Invalid value: true: Canary dynamicStableScale cannot be used with scaleDownDelaySeconds"),
    (canary(trafficRouting=NGINX), f'{PATH}.stableService: Invalid value: "": Canary service and Stable service must to be set to use Traffic Routing'),
    (steps({"setHeaderRoute": {"name": "h"}}), f'{PATH}.steps[0].setHeaderRoute: Invalid value: {{"name":"h"}}: SetHeaderRoute requires TrafficRouting, supports Istio and ALB and Apisix'),
    (steps({"setHeaderRoute": {"match": [{"headerValue": {"regex": "x", "prefix": "p"}, "headerName": "n"}], "name": "h"}}), f'{PATH}.steps[0].setHeaderRoute: Invalid value: {{"name":"h","match":[{{"headerName":"n","headerValue":{{"prefix":"p","regex":"x"}}}}]}}: SetHeaderRoute requires TrafficRouting, supports Istio and ALB and Apisix'),
    (steps({"setMirrorRoute": {"percentage": 5, "match": [{"path": {"exact": "/"}, "method": {"exact": "GET"}}], "name": "m"}}), f'{PATH}.steps[0].setMirrorRoute: Invalid value: {{"name":"m","match":[{{"method":{{"exact":"GET"}},"path":{{"exact":"/"}}}}],"percentage":5}}: SetMirrorRoute requires TrafficRouting, supports Istio and Plugins'),
    (canary(antiAffinity={}), f'{PATH}.antiAffinity: Invalid value: "antiAffinity.PreferredDuringSchedulingIgnoredDuringExecution: false antiAffinity.RequiredDuringSchedulingIgnoredDuringExecution: false": AntiAffinity must have exactly one strategy listed'),
    (rollout(canary={}, progressDeadlineSeconds=5, minReadySeconds=5), "spec.progressDeadlineSeconds: Invalid value: 5: must be greater than minReadySeconds"),
    (canary(stableService="no"), f'{PATH}.canary.stableService: Invalid value: "no": service "no" not found'),
    (steps({"analysis": {"templates": [{"templateName": "no"}]}}), f"{PATH}.canary.steps[0].analysis.templates: Invalid value: \"no\": AnalysisTemplate 'no' not found"),
]  # fmt: skip


@pytest.mark.parametrize(("thing", "text"), WRONG, ids=[text[:60] for _, text in WRONG])
@pytest.mark.spec("RO-1.16-spec", "RO-1.2-minReadySeconds", "RO-1.2-strategy")
async def test_upstreams_words(thing: Object, text: str) -> None:
    assert await told(thing) == text


@pytest.mark.spec("RO-1.2-selector")
async def test_a_selector_that_its_template_does_not_meet() -> None:
    thing = canary()
    thing["spec"]["template"]["metadata"]["labels"] = {"app": "other"}
    text = 'spec.template.metadata.labels: Invalid value: {"app":"other"}: `selector` does not match template `labels`'
    assert await told(thing) == text


@pytest.mark.spec("RO-1.2-template")
async def test_a_missing_strategy_selector_or_container() -> None:
    thing = canary()
    thing["spec"]["strategy"] = {}
    assert (await told(thing)).endswith("missing field '.spec.strategy.canary or .spec.strategy.blueGreen'")
    thing = canary()
    del thing["spec"]["selector"]
    assert (await told(thing)).startswith("spec.selector: Required value: Rollout has missing field '.spec.selector'")
    thing = canary()
    thing["spec"]["template"]["spec"]["containers"] = []
    assert await told(thing) == "spec.template.spec.containers: Required value"
    del thing["spec"]["template"]["spec"]
    assert await told(thing) == "spec.template.spec.containers: Required value"
    thing = rollout(blueGreen={"activeService": "", "previewService": "p"})
    field = ".spec.strategy.blueGreen.activeService"
    assert await told(thing) == f"{PATH}.activeService: Required value: Rollout has missing field '{field}'"
    thing = rollout(restartAt="tomorrow")
    assert await told(thing) == f'spec.restartAt: Invalid value: "tomorrow": {NO_TIME}'


@pytest.mark.spec("RO-1.2-selector", "RO-1.16-spec")
async def test_a_selector_with_values_that_its_operator_does_not_take() -> None:
    thing = canary()
    thing["spec"]["selector"]["matchExpressions"] = [{"key": "app", "operator": "Exists", "values": ["r"]}]
    text = "Forbidden: may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
    assert await told(thing) == f"spec.selector.matchExpressions[0].values: {text}"


UNFIT: list[tuple[Object, str]] = [
    ({"resources": {"requests": {"cpu": "2"}, "limits": {"cpu": "1"}}}, 'resources.requests: Invalid value: "2": must be less than or equal to cpu limit of 1'),
    ({"imagePullPolicy": "never"}, 'imagePullPolicy: Unsupported value: "never": supported values: "Always", "IfNotPresent", "Never"'),
    ({"readinessProbe": {"periodSeconds": 5}}, "readinessProbe: Required value: must specify a handler type"),
    ({"ports": [{"containerPort": 80, "name": "a--b"}], "env": [{"name": "="}]}, 'ports[0].name: Invalid value: "a--b": must not contain consecutive hyphens'),
]  # fmt: skip


@pytest.mark.parametrize(("fields", "text"), UNFIT, ids=[text[:30] for _, text in UNFIT])
@pytest.mark.spec("RO-1.2-template", "RO-1.16-spec")
async def test_a_container_that_no_replica_set_may_have(fields: Object, text: str) -> None:
    thing = canary()
    thing["spec"]["template"]["spec"]["containers"][0] |= fields
    assert await told(thing) == f"spec.template.spec.containers[0].{text}"


@pytest.mark.spec("RO-1.2-template", "RO-1.16-spec")
async def test_a_label_that_no_pod_may_have() -> None:
    thing = canary()
    thing["spec"]["template"]["metadata"]["labels"]["team"] = "a b"
    assert (await told(thing)).startswith('spec.template.labels: Invalid value: "a b": a valid label must be an empty')


async def test_an_analysis_that_never_ends_may_not_be_a_step() -> None:
    thing = steps({"analysis": {"templates": [{"templateName": "t"}]}})
    text = await told(template(interval="1m"), thing)
    assert "has metric m which runs indefinitely" in text


async def test_an_argument_of_a_background_analysis_that_points_at_no_metadata() -> None:
    args = [{"name": "x", "valueFrom": {"fieldRef": {"fieldPath": "metadata.nope"}}}]
    thing = canary(analysis={"templates": [{"templateName": "t"}], "args": args})
    text = await told(template(args=[{"name": "x"}]), thing)
    assert text == f'{PATH}.canary.analysis.templates: Invalid value: "templateNames: [t]": args.x was not resolved'


async def test_an_unresolved_argument() -> None:
    thing = steps({"analysis": {"templates": [{"templateName": "t"}]}})
    text = await told(template(args=[{"name": "x"}]), thing)
    assert (
        text
        == f'{PATH}.canary.steps[0].analysis.templates: Invalid value: "templateNames: [t]": args.x was not resolved'
    )


@pytest.mark.spec("RO-1.16-references")
async def test_a_service_of_other_pods_or_of_another_rollout() -> None:
    text = await told(service("s", app="other"), canary(stableService="s"))
    assert text == f'{PATH}.canary.stableService: Invalid value: "s": Service "s" has unmatch label "app" in rollout'
    managed = service("s")
    managed["metadata"]["annotations"] = {wire.MANAGED_BY: "somebody"}
    text = await told(managed, canary(stableService="s"))
    assert text == f'{PATH}.canary.stableService: Invalid value: "s": Service "s" is managed by another Rollout'


@pytest.mark.parametrize(("routing", "message"), [
    ({"nginx": {}}, "trafficRouting.nginx: Internal error: Either StableIngress or StableIngresses must be configured. Neither are configured."),
    ({"istio": {}}, "trafficRouting.istio: Internal error: either VirtualService or VirtualServices must be configured"),
])  # fmt: skip
async def test_a_router_that_is_named_without_any_settings_is_named(routing: Object, message: str) -> None:
    text = await told(service("c"), service("s"), canary(**BOTH, trafficRouting=routing))
    assert text == f"{PATH}.canary.{message}"


async def test_an_unfit_rollout_is_greeted_once_too() -> None:
    async with rollout_world() as here:
        await here.apply(canary(stableService="s"))
        await here.until_phase("Degraded")
        await here.apply(service("s"))
        await here.until_phase("Healthy")
        assert here.events("RolloutAddedToInformer") == ["Rollout resource added to informer: default/r"]


@pytest.mark.spec("RO-1.16-recovery")
async def test_what_is_missing_may_come_later() -> None:
    async with rollout_world() as here:
        await here.apply(steps({"analysis": {"templates": [{"templateName": "t"}]}}, stableService="s"))
        await here.until_phase("Degraded")
        await here.apply(service("s"))
        await here.settle(3)
        assert "AnalysisTemplate 't' not found" in here.status()["message"]
        await here.apply(template())
        await here.until_phase("Healthy")
        assert here.condition("InvalidSpec") is None


@pytest.mark.spec("RO-2.15-conditions")
async def test_an_unfit_change_leaves_what_runs_alone() -> None:
    async with rollout_world() as here:
        await here.apply(steps({"setWeight": 50}))
        await here.until_phase("Healthy")
        await here.patch({"spec": {"strategy": {"canary": {"steps": [{"setWeight": 101}]}}}})
        await here.until_phase("Degraded")
        assert here.sizes() == {1: 1}
        assert here.pods_of(1)
        await here.patch({"spec": {"strategy": {"canary": {"steps": [{"setWeight": 51}]}}}})
        await here.until_phase("Healthy")


async def test_two_rollouts_on_one_service() -> None:
    async with rollout_world() as here:
        other = rollout("q", blueGreen={"activeService": "a"})
        other["spec"]["selector"] = {"matchLabels": {"app": "r"}}
        other["spec"]["template"]["metadata"]["labels"] = {"app": "r"}
        await here.apply(service("a"), rollout(blueGreen={"activeService": "a"}))
        await here.until_phase("Healthy")
        await here.apply(other)
        await here.until_phase("Degraded", "q")
        assert 'Service "a" is managed by another Rollout' in here.status("q")["message"]


async def test_a_service_is_given_back_when_its_rollout_goes() -> None:
    async with rollout_world() as here:
        await here.apply(service("a"), rollout(blueGreen={"activeService": "a"}))
        await here.until_phase("Healthy")
        await here.api.delete(Reference(wire.ROLLOUTS, "default", "r"))
        await here.settle(3)
        assert here.selected("a") == ""
        found = await here.api.get(Reference(SERVICES, "default", "a"))
        assert wire.MANAGED_BY not in (found["metadata"].get("annotations") or {})
        assert here.stored("apps", "replicasets") == []
        assert here.events("RolloutDeleted") == ["Rollout r/default is deleted."]


@pytest.mark.spec("RO-1.1-selector")
async def test_the_selector_cannot_be_changed() -> None:
    async with rollout_world() as here:
        await here.apply(canary())
        await here.until_phase("Healthy")
        with pytest.raises(Refused, match="immutable"):
            await here.patch({"spec": {"selector": {"matchLabels": {"app": "x"}}}})


FENCES = [
    (canary(maxSurge="abc"), f'{PATH}.maxSurge: Invalid value: "abc"'),
    (canary(maxUnavailable="%"), f'{PATH}.maxUnavailable: Invalid value: "%"'),
    (canary(maxSurge="2.5%"), f'{PATH}.maxSurge: Invalid value: "2.5%"'),
    (rollout(blueGreen={"activeService": "a", "maxUnavailable": "1_0%"}), f'{PATH}.maxUnavailable: Invalid value: "1_0%"'),
]  # fmt: skip


@pytest.mark.parametrize(("thing", "text"), FENCES, ids=[text[-6:] for _, text in FENCES])
@pytest.mark.spec("RO-1.3-maxSurge")
async def test_a_fence_that_is_no_number_is_refused(thing: Object, text: str) -> None:
    """Upstream takes both fences for 0 then, and waits at a step whose pods it may not make."""
    async with rollout_world() as here:
        await here.apply(service("a"), thing)
        await here.until_phase("Degraded")
        wanted = (
            f'InvalidSpec: The Rollout "r" is invalid: {text}: must be a number of pods or a percentage, as 2 or 25%'
        )
        assert here.status()["message"] == wanted


@pytest.mark.spec("RO-1.1-malformed")
async def test_malformed_quantities_are_dropped_and_equal_ones_are_equal() -> None:
    async with rollout_world() as here:
        hashes = []
        for number, cpu in enumerate((0.001, "0.001", "1m")):
            thing = rollout(f"r{number}", canary={})
            labels = {"matchLabels": {"app": "x"}}
            thing["spec"]["selector"] = labels
            thing["spec"]["template"]["metadata"] = {"labels": {"app": "x"}}
            resources = {"requests": {"cpu": cpu, "memory": "10Z"}}
            thing["spec"]["template"]["spec"]["containers"][0]["resources"] = resources
            await here.apply(thing)
            await here.until_phase("Healthy", f"r{number}")
            hashes.append(here.hash(1, f"r{number}"))
            await here.settle(1)
            found = here.rollout(f"r{number}")["spec"]["template"]["spec"]["containers"][0]["resources"]
            assert found == {"requests": {"cpu": cpu}}, "a Go client could read no list with this Rollout in it"
        assert len(set(hashes)) == 1


@pytest.mark.spec("RO-2.4-collision")
async def test_a_replica_set_of_the_wanted_name_that_is_anothers_is_avoided() -> None:
    async with rollout_world() as here:
        await here.apply(canary())
        await here.until_phase("Healthy")
        wanted = here.hash(1)
        await here.api.delete(Reference(wire.ROLLOUTS, "default", "r"))
        await here.settle(5)
        squatter = {
            "apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {"name": f"r-{wanted}", "namespace": "default"},
            "spec": {"replicas": 0, "selector": {"matchLabels": {"z": "z"}},
                     "template": {"metadata": {"labels": {"z": "z"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}},
        }  # fmt: skip
        await here.apply(squatter, canary())
        await here.until_phase("Healthy")
        assert here.status()["collisionCount"] == 1
        assert here.hash(1) != wanted


@pytest.mark.spec("RO-2.4-adoption")
async def test_replica_sets_that_lost_their_owner_are_adopted_again() -> None:
    async with rollout_world() as here:
        await here.apply(canary())
        await here.until_phase("Healthy")
        [one] = here.stored("apps", "replicasets")
        await here.api.delete(Reference(wire.ROLLOUTS, "default", "r"), propagation="Orphan")
        await here.settle(5)
        await here.apply(canary())
        await here.until_phase("Healthy")
        [same] = here.stored("apps", "replicasets")
        assert same["metadata"]["uid"] == one["metadata"]["uid"]


async def test_a_replica_set_deleted_or_scaled_by_hand_is_put_right() -> None:
    async with rollout_world() as here:
        await here.apply(rollout(replicas=3, canary={}))
        await here.until_phase("Healthy")
        [one] = here.stored("apps", "replicasets")
        ref = Reference(wire.REPLICA_SETS, "default", one["metadata"]["name"])
        await here.api.patch(ref, {"spec": {"replicas": 1}})
        await here.settle(5)
        assert here.sizes() == {1: 3}
        await here.api.delete(ref)
        await here.settle(10)
        await here.until_phase("Healthy")
        assert list(here.sizes().values()) == [3]


async def test_without_rights_in_the_cluster_there_are_no_cluster_templates() -> None:
    settings = RolloutSettings(whole_cluster=False)
    analysis = {"templates": [{"templateName": "t", "clusterScope": True}]}
    assert all(watch.resource.namespaced for room in rollout_rooms(settings) for watch in room.watches)
    async with rollout_world(settings=settings) as here:
        await here.apply(rollout(canary={"steps": [{"analysis": analysis}]}))
        await here.until_phase("Degraded")
        assert "Invalid value: \"t\": ClusterAnalysisTemplate 't' not found" in here.status()["message"]


async def test_a_definition_that_lacks_fields_of_the_status_makes_no_circle(monkeypatch: pytest.MonkeyPatch) -> None:
    decisions: list[float] = []

    def decide(world: World, now: float) -> Plan:
        decisions.append(now)
        return mind_decide(world, now)

    mind_decide = mind.decide
    monkeypatch.setattr(mind, "decide", decide)
    async with rollout_world() as here:
        definition = Reference(CRDS, "", "rollouts.argoproj.io")
        versions = copy.deepcopy((await here.api.get(definition))["spec"]["versions"])
        for version in versions:
            status = version["schema"]["openAPIV3Schema"]["properties"]["status"]
            del status["properties"]["duration"], status["x-kubernetes-preserve-unknown-fields"]
        await here.api.patch(definition, {"spec": {"versions": versions}})
        await here.apply(rollout(replicas=2, canary={"steps": [{"setWeight": 50}, {"pause": {"duration": 5}}]}))
        await here.until_phase("Healthy")
        await here.image("v2")
        await here.settle(60)
        assert here.phase() == "Healthy"
        assert "duration" not in here.status()
        assert len(decisions) < 100
        before = len(decisions)
        await here.settle(3600)
        assert len(decisions) - before < 10
