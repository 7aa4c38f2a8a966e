"""Promises about every experiment, along walks of pods that come and go and analyses that end this way or that."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from actors.analysis_templates import COMPLETED, TemplateRef
from actors.experiment.makes import REPLICA_SETS, template_of
from actors.experiment.mind import decided
from actors.experiment.model import ENDED, Ex, invalid
from actors.experiment.scene import Known, Plan
from actors.experiment.verdict import with_condition
from actors.kube_events import difference
from runtime.messages import Create, Delete, Patch
from runtime.objects import SERVICES

START = 1_767_225_600.0
TEMPLATE = {"spec": {"metrics": [{"name": "m", "provider": {"web": {"url": "http://x"}}}]}}
STEPS = st.lists(
    st.sampled_from(["ready", "ready", "unready", "tick", "tick", "long", "good", "bad", "running", "end"]),
    min_size=4, max_size=40,
)  # fmt: skip


def experiment(templates: int, **spec: Any) -> dict[str, Any]:
    """An experiment of some templates."""
    wanted = [
        {
            "name": f"t{n}",
            "replicas": n + 1,
            "service": {} if n else None,
            "selector": {"matchLabels": {"app": "x"}},
            "template": {
                "metadata": {"labels": {"app": "x"}},
                "spec": {"containers": [{"name": "c", "image": "i", "ports": [{"containerPort": 80}]}]},
            },
        }
        for n in range(templates)
    ]
    meta = {"name": "e", "namespace": "n", "uid": "u", "resourceVersion": "1"}
    return {"metadata": meta, "spec": {"templates": wanted, **spec}}


@dataclass
class Play:
    """An experiment by hand: every command is done at once, pods do what the walk says."""

    object: dict[str, Any]
    now: float = START
    sets: dict[str, dict[str, Any]] = field(default_factory=dict)
    services: dict[str, dict[str, Any]] = field(default_factory=dict)
    runs: dict[str, dict[str, Any]] = field(default_factory=dict)
    made: dict[str, str] = field(default_factory=dict)
    created: list[str] = field(default_factory=list)

    def known(self) -> Known:
        found = {TemplateRef("t"): {"metadata": {"name": "t"}, **copy.deepcopy(TEMPLATE)}}
        ex = Ex(self.object)
        return Known(ex, self.sets, self.services, self.runs, self.made, found, {}, {})

    def settle(self) -> Plan:
        """Decide until nothing is left to do; what was decided last."""
        for _ in range(30):
            plan = decided(self.known(), self.now)
            patch = difference(self.object.get("status") or {}, plan.status)
            if not plan.commands and not patch:
                return plan
            self._check(plan)
            for command in plan.commands:
                self._perform(command)
            self.object = {**self.object, "status": plan.status}
            self.made.clear() if not any(isinstance(each, Create) for each in plan.commands) else None
        raise AssertionError("it never comes to rest")

    def _check(self, plan: Plan) -> None:
        before = {each["name"]: each for each in (self.object.get("status") or {}).get("templateStatuses") or ()}
        for each in plan.status.get("templateStatuses") or ():
            old = before.get(each["name"], {}).get("status")
            assert old not in ENDED or each["status"] == old, "a template's end is its end"
        phase = (self.object.get("status") or {}).get("phase")
        assert phase not in COMPLETED or plan.status["phase"] == phase, "an experiment's end is its end"

    def _perform(self, command: Any) -> None:
        match command:
            case Create(resource, thing):
                made = copy.deepcopy(thing)
                made["metadata"] |= {"uid": f"uid-{len(self.created)}", "resourceVersion": "1"}
                self.created.append(f"{resource.plural}/{made['metadata']['name']}")
                if resource in (REPLICA_SETS, SERVICES):
                    store = self.sets if resource == REPLICA_SETS else self.services
                    store[template_of(Ex(self.object), made)] = made
                else:
                    self.runs[made["metadata"]["name"]] = made
                    self.made[command.tag.partition("/")[2]] = made["metadata"]["name"]
            case Patch(ref, body) if ref.resource == REPLICA_SETS:
                found = next(each for each in self.sets.values() if each["metadata"]["uid"] == ref.uid)
                notes = body["metadata"].get("annotations") or {}
                kept = {**(found["metadata"].get("annotations") or {}), **notes}
                found["metadata"]["annotations"] = {key: value for key, value in kept.items() if value is not None}
                if "spec" in body:
                    found["spec"]["replicas"] = body["spec"]["replicas"]
                    number = min((found.get("status") or {}).get("availableReplicas", 0), body["spec"]["replicas"])
                    self._pods(found, number)
            case Patch(ref, body):
                self.runs[ref.name]["spec"].update(body["spec"])
            case Delete(ref):
                self.services = {key: each for key, each in self.services.items() if each["metadata"]["uid"] != ref.uid}

    def _pods(self, found: dict[str, Any], available: int) -> None:
        size = found["spec"]["replicas"]
        found["status"] = {"replicas": size, "readyReplicas": available, "availableReplicas": available}

    def step(self, word: str) -> None:
        """Something happens."""
        match word:
            case "ready" | "unready":
                for found in self.sets.values():
                    self._pods(found, found["spec"]["replicas"] if word == "ready" else 0)
            case "tick" | "long":
                self.now += 7 if word == "tick" else 100
            case "good" | "bad" | "running":
                phase = {"good": "Successful", "bad": "Failed", "running": "Running"}[word]
                for run in self.runs.values():
                    if (run.get("status") or {}).get("phase") not in COMPLETED:
                        run["status"] = {"phase": phase}
            case "end":
                self.object = {**self.object, "spec": {**self.object["spec"], "terminate": True}}


SPECS = st.fixed_dictionaries(
    {"scaleDownDelaySeconds": st.sampled_from([0, 30]), "progressDeadlineSeconds": st.just(60)},
    optional={
        "duration": st.sampled_from(["20s", "2m"]),
        "analyses": st.sampled_from(
            [
                [{"name": "a", "templateName": "t"}],
                [{"name": "a", "templateName": "t", "requiredForCompletion": True}],
                [{"name": "a", "templateName": "t", "requiredForCompletion": True}, {"name": "b", "templateName": "t"}],
            ]
        ),
    },
)


@settings(max_examples=60)
@given(st.integers(1, 3), SPECS, STEPS)
def test_along_every_walk_the_books_are_in_order_and_in_the_end_nothing_is_left(templates, spec, steps):
    play = Play(experiment(templates, **spec))
    play.settle()
    for word in steps:
        play.step(word)
        play.settle()
        for name, found in play.sets.items():
            most = next(each["replicas"] for each in play.object["spec"]["templates"] if each["name"] == name)
            assert 0 <= found["spec"]["replicas"] <= most
        assert len(play.created) == len(set(play.created)), "nothing is made twice"

    play.step("end")
    for word in ("ready", "tick", "long", "good", "ready", "long", "unready", "tick"):
        play.step(word)
        play.settle()
    assert play.object["status"]["phase"] in COMPLETED
    assert all(found["spec"]["replicas"] == 0 for found in play.sets.values())
    assert play.services == {}
    for run in play.runs.values():
        assert run["spec"].get("terminate") or (run.get("status") or {}).get("phase") in COMPLETED


@settings(max_examples=60)
@given(st.integers(1, 2), STEPS)
def test_a_service_is_there_only_while_pods_are_wanted_or_left(templates, steps):
    play = Play(experiment(templates, duration="20s", scaleDownDelaySeconds=30, progressDeadlineSeconds=60))
    for word in steps:
        play.step(word)
        play.settle()
        for name in play.services:
            found = play.sets[name]
            assert found["spec"]["replicas"] or found["status"]["availableReplicas"]


@settings(max_examples=60)
@given(SPECS, STEPS)
def test_analyses_begin_only_when_all_pods_are_available(spec, steps):
    play = Play(experiment(2, **spec))
    for word in steps:
        before = bool(play.runs)
        play.step(word)
        play.settle()
        if play.runs and not before:
            assert play.object["status"]["availableAt"]


def test_pods_may_take_as_long_as_the_deadline_to_count_as_available():
    thing = experiment(1, progressDeadlineSeconds=60)
    thing["spec"]["templates"][0]["minReadySeconds"] = 60
    assert invalid(Ex(thing)) == ""

    thing["spec"]["templates"][0]["minReadySeconds"] = 61
    assert "MinReadySeconds" in invalid(Ex(thing))


def test_a_condition_that_stays_true_keeps_the_time_since_when_it_is():
    old = {"type": "P", "status": "True", "reason": "a", "lastTransitionTime": "then", "message": "m"}
    new = {**old, "reason": "b", "lastTransitionTime": "now"}
    no = {**new, "status": "False"}

    assert with_condition({"conditions": [old]}, new)["conditions"] == [{**new, "lastTransitionTime": "then"}]
    assert with_condition({"conditions": [old]}, no)["conditions"] == [no]
    assert with_condition({"conditions": [old]}, {**old, "message": "n"})["conditions"] == [old]


ODD = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["a", "labels", "spec"]), inner),
    max_leaves=8,
)
PLACES = st.sampled_from(["template", "selector", "replicas", "minReadySeconds", "service", "name"])


@settings(max_examples=60)
@given(st.dictionaries(PLACES, ODD), st.dictionaries(st.sampled_from(["duration", "analyses"]), ODD))
def test_whatever_a_cluster_lets_pass_is_a_plan_or_a_condition(changed, spec):
    thing = experiment(1, **spec)
    thing["spec"]["templates"][0].update(changed)
    play = Play(thing)

    plan = decided(play.known(), START)
    assert plan.status
