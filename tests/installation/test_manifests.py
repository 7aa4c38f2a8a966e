"""The manifests: an API server takes them, they are restricted, and every right has its reason and its use."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import pytest
import yaml

from actors.cache.mind import CacheSettings
from actors.node.manifest_request import PodSettings
from runtime.objects import NAMESPACES, Object
from tiphys.controller.leading import rooms_of
from tiphys.controllers import ControllerSettings, rooms
from tiphys.devcluster.inprocess import InProcessApi
from tiphys.devcluster.server import ApiServer
from tiphys.installation import rights
from tiphys.installation.applying import apply
from tiphys.installation.choice import Choice, Scope
from tiphys.installation.manifests import manifests
from tiphys.installation.roles import controller_roles, event_server_roles, features, people_roles
from tiphys.installation.text import document, documents

CHOICES = [
    Choice(),
    Choice(scope="namespaced", namespace="mine"),
    Choice(scope="managed", managed="team", executor_plugins=True, cache_period="1h"),
    Choice(replicas=2, network_policy=True, executor_plugins=True),
    Choice(event_server=True, network_policy=True, instance_id="mine"),
    Choice(event_server=True, scope="managed", managed="team"),
]


def pods_of(choice: Choice) -> list[Object]:
    found = [thing for thing in manifests(choice) if thing["kind"] == "Deployment"]
    assert len(found) == 1 + choice.event_server
    return [thing["spec"]["template"]["spec"] for thing in found]


@pytest.mark.parametrize("choice", CHOICES)
async def test_an_api_server_takes_every_manifest_in_their_order(choice: Choice) -> None:
    server = ApiServer()
    server.start()
    api = InProcessApi(server)
    await api.create(NAMESPACES, {"metadata": {"name": "team"}})

    done = [str(applied) async for applied in apply(api, manifests(choice))]

    assert all(line.endswith(" applied") for line in done), done


@pytest.mark.parametrize("choice", CHOICES)
def test_what_is_printed_is_what_is_applied(choice: Choice) -> None:
    things = manifests(replace(choice, definitions=False))

    assert list(yaml.load_all(documents(things), yaml.CSafeLoader)) == things


@pytest.mark.parametrize("choice", CHOICES)
def test_every_pod_is_restricted_by_pod_securitys_standard(choice: Choice) -> None:
    for spec in pods_of(choice):
        (container,) = spec["containers"]

        assert spec["securityContext"]["runAsNonRoot"]
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(spec)
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}
        }  # fmt: skip
        assert {"livenessProbe", "readinessProbe"} <= set(container)


@pytest.mark.parametrize("scope", get_args(Scope))
@pytest.mark.parametrize(("plugins", "period"), [(False, ""), (True, "1h")])
@pytest.mark.parametrize("parts", [("workflows",), ("rollouts",), rights.PARTS])
def test_whatever_is_watched_may_be_watched_and_nothing_else_is_asked_for(
    scope: Scope, plugins: bool, period: str, parts: tuple[rights.Part, ...]
) -> None:
    choice = Choice(scope=scope, managed="m", executor_plugins=plugins, cache_period=period, parts=parts)
    settings = ControllerSettings(
        pods=PodSettings(executor_image="x", executor_plugins=plugins),
        caches=CacheSettings(period_s=3600.0 if period else 0.0),
        whole_cluster=scope == "cluster",
    )
    running = rooms_of(parts, rooms(settings))
    watched = {(watch.resource.group, watch.resource.plural) for room in running for watch in room.watches}
    table = [right for right in rights.rights(features(choice), choice.parts) if right.watched]
    allowed = {(right.group, plural) for right in table for plural in right.resources}

    assert watched == allowed


def test_every_verb_says_why() -> None:
    for right in (
        *rights.WORKFLOWS,
        *rights.ROLLOUTS,
        *rights.TRAFFIC,
        *rights.OWN,
        *rights.EXECUTOR,
        *rights.EVENT_SERVER,
        *rights.WEBHOOKS,
    ):
        assert right.reasons, right
        assert all(right.reasons.values()), right
    for role in (*controller_roles(Choice(executor_plugins=True)), *event_server_roles(Choice())):
        if "rules" in role:
            assert document(role).count("  # ") >= len(role["rules"])


def test_secrets_are_read_for_a_database_alone_and_in_its_own_namespace() -> None:
    roles = [thing for thing in controller_roles(Choice(database=True)) if "rules" in thing]
    found = {role["metadata"]["name"] for role in roles for rule in role["rules"] if "secrets" in rule["resources"]}

    assert found == {"tiphys-own"}


@pytest.mark.parametrize("choice", CHOICES)
def test_the_controller_may_read_no_secrets_and_has_no_wildcards(choice: Choice) -> None:
    for role in controller_roles(choice):
        for rule in role.get("rules", ()):
            assert "secrets" not in rule["resources"]
            assert "*" not in [*rule["resources"], *rule["verbs"], *rule["apiGroups"]]


def test_what_takes_events_reads_secrets_only_where_a_namespace_lets_it() -> None:
    bound = {role["roleRef"]["name"] for role in event_server_roles(Choice()) if "roleRef" in role}
    rules = {role["metadata"]["name"]: role["rules"] for role in event_server_roles(Choice()) if "rules" in role}

    assert bound == {"tiphys-server"}
    assert [rule["resources"] for rule in rules["tiphys-server"]] == [["events"]]
    assert [rule["resources"] for rule in rules["tiphys-webhooks"]] == [["secrets"], ["serviceaccounts"]]
    (alone, binding) = event_server_roles(Choice(scope="namespaced", namespace="mine", event_server=True))
    assert {binding["kind"], alone["kind"]} == {"RoleBinding", "Role"}
    assert [rule["resources"] for rule in alone["rules"]] == [["events"], ["secrets"], ["serviceaccounts"]]


def test_one_namespace_needs_nothing_of_the_whole_cluster() -> None:
    kinds = {thing["kind"] for thing in manifests(Choice(scope="namespaced", event_server=True, definitions=False))}

    assert not {kind for kind in kinds if kind.startswith("Cluster")}


def test_whom_a_cluster_lets_edit_may_run_workflows_and_whom_it_lets_view_may_look() -> None:
    by_name = {role["metadata"]["name"]: role for role in people_roles()}
    edit, view = by_name["tiphys-aggregate-to-edit"], by_name["tiphys-aggregate-to-view"]

    assert edit["metadata"]["labels"]["rbac.authorization.k8s.io/aggregate-to-edit"] == "true"
    assert {verb for rule in view["rules"] for verb in rule["verbs"]} == {"get", "list", "watch"}
    assert any("workflows" in rule["resources"] and "create" in rule["verbs"] for rule in edit["rules"])
    assert not any("workflowtasksets" in r["resources"] and "create" in r["verbs"] for r in edit["rules"])
