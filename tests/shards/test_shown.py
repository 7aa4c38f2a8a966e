"""Who holds what is said where people look: metrics, the tree of actors, `check` and `explain`."""

from __future__ import annotations

from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from actors.history.decide import Retention
from actors.names import buckets
from actors.node.manifest_request import PodSettings
from actors.pace import Pace
from actors.queue.mind import QueueSettings
from runtime.objects import Object
from runtime.system import Settings, System
from tests.shards.members import divided
from tests.world.world import Outcome
from tiphys.cli import actors_tree, unheld
from tiphys.controller import lease_names
from tiphys.controller.health import document, named
from tiphys.controller.sharding import problems
from tiphys.controllers import METRICS, ControllerSettings, rooms
from tiphys.installation.choice import Choice
from tiphys.installation.roles import controller_roles
from tiphys.installation.shard_findings import is_of_shards, of_shards
from tiphys.installation.workload import arguments
from tiphys.observability.gauges import exposition
from tiphys.observability.merged import merged

NOW = 1_800_000_000.0
FRESH, OLD = "2027-01-15T07:59:58.000000Z", "2027-01-15T07:00:00.000000Z"


def lease(name: str, holder: str, renewed: str = FRESH) -> Object:
    spec = {"holderIdentity": holder, "leaseDurationSeconds": 8, "renewTime": renewed}
    return {"metadata": {"name": name, "namespace": "tiphys"}, "spec": spec}


def shard(number: int, holder: str, renewed: str = FRESH) -> Object:
    return lease(lease_names.of_shard("workflow-controller", number, 4), holder, renewed)


STANDING = lease("workflow-controller", lease_names.together(4))
MEMBER = lease(lease_names.of_member("workflow-controller", "uid-1"), "uid-1")


def test_the_leases_of_shards_are_known_by_their_names() -> None:
    assert lease_names.shard_of("workflow-controller-blue-shard-3-of-12") == ("workflow-controller-blue", 3, 12)
    assert lease_names.shard_of("workflow-controller") is None
    assert all(is_of_shards(one) for one in (STANDING, MEMBER, shard(0, "")))
    assert not is_of_shards(lease("workflow-controller", "uid-1"))


def test_check_says_who_has_which_shards_and_which_are_nobodys() -> None:
    leases = [STANDING, MEMBER, shard(0, "uid-1"), shard(1, "uid-2"), shard(2, "uid-1"), shard(3, "uid-9", OLD)]
    found = [(one.level, one.text) for one in of_shards(leases, frozenset({"uid-1"}), NOW)]
    assert found == [
        ("ok", "lease tiphys/workflow-controller: our pod uid-1 has 0, 2 of 4 shards"),
        ("ok", "lease tiphys/workflow-controller: uid-2 has 1 of 4 shards"),
        (
            "wrong",
            "lease tiphys/workflow-controller: nobody holds 3 of 4 shards: nothing happens in their namespaces",
        ),
    ]


def test_what_is_left_of_a_division_means_nothing_once_one_leads_alone() -> None:
    left = [shard(number, "") for number in range(4)]
    assert [one.level for one in of_shards([STANDING, *left], frozenset(), NOW)] == ["wrong"]
    assert of_shards([lease("workflow-controller", "uid-1"), *left], frozenset(), NOW) == []


class Leases:
    """An API that has leases and nothing else."""

    def __init__(self, items: list[Object]) -> None:
        self.items = items

    async def list(self, resource: Any) -> Any:
        assert resource.plural == "leases"
        return self


async def test_explain_says_that_nobody_holds_the_shard_of_a_namespace() -> None:
    number = buckets.group("team", 4)
    others = [shard(other, "uid-1") for other in range(4) if other != number]
    (said,) = await unheld.sentences(Leases([STANDING, *others, shard(number, "", OLD)]), "team", NOW)  # type: ignore[arg-type]
    assert f"nobody holds shard {number} of 4, which namespace team is in" in said
    held = Leases([STANDING, *others, shard(number, "uid-2")])
    assert await unheld.sentences(held, "team", NOW) == []  # type: ignore[arg-type]
    assert await unheld.sentences(Leases([lease("workflow-controller", "uid-1")]), "team", NOW) == []  # type: ignore[arg-type]


def test_settings_that_cannot_be_divided_are_named_with_the_remedy() -> None:
    assert problems(ControllerSettings()) == []
    said = problems(
        ControllerSettings(
            queue=QueueSettings(5, 3), retention=Retention(completed=1), pods=PodSettings(pace=Pace(10, 10))
        )
    )
    assert [text.partition(":")[0] for text in said] == ["parallelism", "retentionPolicy", "resourceRateLimit"]
    assert all("leave it out, or run one controller without --shards" in text for text in said)
    assert problems(ControllerSettings(queue=QueueSettings(None, 3))) == []


def test_an_installation_with_shards_has_the_rights_and_the_argument() -> None:
    verbs = [rule["verbs"] for rule in controller_roles(Choice(shards=4))[0]["rules"]]
    assert ["list", "delete"] in verbs
    assert ["list", "delete"] not in [rule["verbs"] for rule in controller_roles(Choice())[0]["rules"]]
    assert arguments(Choice(shards=4)) == ["controller", "--shards=4"]


async def test_metrics_of_several_shards_are_one_valid_text_with_a_label() -> None:
    settings = Settings(metrics=METRICS, metrics_prefix="tiphys_")
    one, two, process = (System(None, of, settings=settings) for of in (rooms(), rooms(), ()))  # type: ignore[arg-type]
    text = merged(exposition(process, 0.0), {0: exposition(one, 0.0), 3: exposition(two, 0.0)}).decode()
    families = {family.name: family for family in text_string_to_metric_families(text)}
    assert [sample.labels for sample in families["process_cpu_seconds"].samples] == [{}]
    assert [sample.labels for sample in families["tiphys_timers"].samples] == [{"shard": "0"}, {"shard": "3"}]
    objects = families["tiphys_cache_objects"].samples
    assert {sample.labels["shard"] for sample in objects} == {"0", "3"}
    assert len(text.splitlines()) == len(set(text.splitlines())), "nothing is said twice"


@pytest.mark.virtual_time
async def test_the_tree_of_actors_begins_with_who_has_what() -> None:
    async with divided(lambda name, pod: Outcome(), 2) as here:
        member = await here.join("a")
        shards = member.shards
        told = {
            "division": {"identity": "a", **named(shards.statistics())},
            "shards": [{"shard": number, **document(system, "")} for number, system in shards.systems.items()],
        }
        lines = actors_tree.lines(told)
        assert lines[:2] == ["2 shards among 1 controllers", "└─ a (this one): 0, 1"]
        assert lines[2].startswith("shard 0 system: leads, ")
        assert shards.not_ready() == shards.not_alive() == []
