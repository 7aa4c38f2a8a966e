"""What an engine is asked to create for a pod's container."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiphys.devcluster.node.containers import CannotCreate
from tiphys.devcluster.node.engine.bodies import (
    GRANTED,
    Abilities,
    Image,
    Start,
    abilities_of,
    binds_of,
    command_of,
    container_body,
    image_of,
    unhonoured,
    user_of,
)
from tiphys.devcluster.node.volumes import Mount

IMAGE = Image("sha256:1", ("/entry",), ("by", "default"), "")


def body(container: dict[str, Any] | None = None, spec: dict[str, Any] | None = None, **can: bool) -> dict[str, Any]:
    pod = {"metadata": {"name": "shop-1", "uid": "u"}, "spec": spec or {}}
    binds = [{"source": "/scratch/v", "target": "/data", "read_only": True}]
    start = Start(IMAGE, ["/entry", "go"], {"A": "b c"}, binds, {"mine": "yes"})
    return container_body(pod, {"name": "main", **(container or {})}, start, Abilities()._replace(**can))


def secured(**security: Any) -> dict[str, Any]:
    return {"securityContext": security}


@pytest.mark.parametrize(
    ("container", "line"),
    [
        ({}, ["/entry", "by", "default"]),
        ({"args": ["mine"]}, ["/entry", "mine"]),
        ({"command": ["run"]}, ["run"]),
        ({"command": ["run"], "args": ["$(WHO)"]}, ["run", "me"]),
    ],
)
def test_command_replaces_the_entrypoint_and_args_the_cmd(container: dict[str, Any], line: list[str]) -> None:
    assert command_of(container, IMAGE, {"WHO": "me"}) == line


def test_an_image_that_starts_nothing_needs_a_command() -> None:
    with pytest.raises(CannotCreate, match="no command specified"):
        command_of({"name": "main"}, Image("sha256:1"), {})


def test_the_whole_command_line_is_told_so_that_nothing_of_the_image_is_added() -> None:
    made = body()
    assert (made["Image"], made["Entrypoint"], made["Cmd"]) == ("sha256:1", ["/entry", "go"], [])


def test_a_container_has_the_pods_name_its_variables_labels_and_volumes() -> None:
    made = body({"workingDir": "/srv"})
    assert made["Hostname"] == "shop-1"
    assert made["Env"] == ["A=b c"]
    assert made["Labels"] == {"mine": "yes"}
    assert made["WorkingDir"] == "/srv"
    assert made["HostConfig"]["Mounts"] == [
        {"Type": "bind", "Source": "/scratch/v", "Target": "/data", "ReadOnly": True}
    ]


def test_without_a_working_directory_the_images_own_holds() -> None:
    assert "WorkingDir" not in body()


def test_pods_share_the_machines_network_so_that_the_api_stays_on_loopback() -> None:
    assert body()["HostConfig"]["NetworkMode"] == "host"


@pytest.mark.parametrize(
    ("pod", "container", "image_user", "user"),
    [
        ({}, {}, "", ""),
        ({}, {}, "app", ""),
        ({"runAsUser": 7}, {}, "app", "7"),
        ({"runAsUser": 7}, {"runAsUser": 8, "runAsGroup": 9}, "", "8:9"),
        ({"runAsGroup": 9}, {}, "app:staff", "app:9"),
        ({"runAsGroup": 9}, {}, "", "0:9"),
        ({"runAsNonRoot": True}, {}, "1000:1000", ""),
        ({"runAsNonRoot": True}, {"runAsUser": 5}, "", "5"),
    ],
)
def test_the_user_is_the_containers_else_the_pods_else_the_images(
    pod: dict[str, Any], container: dict[str, Any], image_user: str, user: str
) -> None:
    made = {"metadata": {"name": "p"}, "spec": {"securityContext": pod}}
    assert user_of(made, secured(**container), IMAGE._replace(user=image_user)) == user


@pytest.mark.parametrize(
    ("uid", "image_user", "why"),
    [
        (None, "", "image will run as root"),
        (None, "0", "image will run as root"),
        (0, "app", "breaks non-root policy"),
        (None, "app", "non-numeric user"),
    ],
)
def test_who_must_not_be_root_is_not_started_as_root(uid: int | None, image_user: str, why: str) -> None:
    security: dict[str, Any] = {"runAsNonRoot": True} | ({} if uid is None else {"runAsUser": uid})
    with pytest.raises(CannotCreate, match=why):
        user_of({"spec": {}}, secured(**security), IMAGE._replace(user=image_user))


def test_limits_of_memory_and_cpu_are_the_engines_to_keep() -> None:
    host = body({"resources": {"limits": {"memory": "64Mi", "cpu": "250m"}, "requests": {"cpu": "100m"}}})["HostConfig"]
    assert (host["Memory"], host["MemorySwap"]) == (64 << 20, 64 << 20)
    assert (host["NanoCpus"], host["CpuShares"]) == (250_000_000, 102)


def test_an_engine_that_may_set_no_limits_is_not_asked_to_and_the_pod_is_told() -> None:
    limited = {"name": "main", "resources": {"limits": {"memory": "64Mi", "cpu": "1"}}}
    host = body(limited, memory=False, cpu_quota=False, cpu_shares=False)["HostConfig"]
    assert not {"Memory", "MemorySwap", "NanoCpus", "CpuShares"} & set(host)
    told = unhonoured({"spec": {"containers": [limited]}}, Abilities(memory=False, cpu_quota=False))
    assert len(told) == 2
    assert "memory" in told[0]


def test_a_limit_that_is_no_quantity_names_the_container() -> None:
    with pytest.raises(CannotCreate, match="cpu of container main"):
        body({"resources": {"limits": {"cpu": "much"}}})


def test_capabilities_are_dropped_as_asked_and_added_only_where_any_container_has_them() -> None:
    security = {"capabilities": {"add": ["NET_BIND_SERVICE", "SYS_ADMIN", "CAP_CHOWN"], "drop": ["ALL"]}}
    host = body(secured(**security))["HostConfig"]
    assert host["CapAdd"] == ["CHOWN", "NET_BIND_SERVICE"]
    assert host["CapDrop"] == ["ALL"]
    told = unhonoured({"spec": {"containers": [{"name": "main", **secured(**security)}]}}, Abilities())
    assert told == ["main is not given SYS_ADMIN"]


def test_nobody_is_privileged_and_the_pod_is_told() -> None:
    security = secured(privileged=True)
    assert "Privileged" not in body(security)["HostConfig"]
    assert unhonoured({"spec": {"containers": [{"name": "d", **security}]}}, Abilities()) == ["d is not privileged"]


@given(st.lists(st.text()), st.lists(st.sampled_from(sorted(GRANTED))))
def test_whatever_a_pod_adds_no_capability_beyond_the_usual_ones_is_granted(odd: list[str], usual: list[str]) -> None:
    host = body(secured(capabilities={"add": [*odd, *usual]}))["HostConfig"]
    assert set(usual) <= set(host["CapAdd"]) <= GRANTED


def test_security_options_are_those_of_the_pod() -> None:
    host = body(secured(allowPrivilegeEscalation=False, readOnlyRootFilesystem=True))["HostConfig"]
    assert host["ReadonlyRootfs"]
    assert "no-new-privileges" in host["SecurityOpt"]
    unconfined = body(spec={"securityContext": {"seccompProfile": {"type": "Unconfined"}}})["HostConfig"]
    assert "seccomp=unconfined" in unconfined["SecurityOpt"]


def test_a_profile_of_a_clusters_node_is_refused_with_the_remedy() -> None:
    with pytest.raises(CannotCreate, match="RuntimeDefault"):
        body(secured(seccompProfile={"type": "Localhost", "localhostProfile": "p.json"}))


def test_groups_of_the_pod_are_added() -> None:
    assert body(spec={"securityContext": {"fsGroup": 3, "supplementalGroups": [4]}})["HostConfig"]["GroupAdd"] == [
        "4",
        "3",
    ]


def test_a_volume_at_the_place_of_a_file_of_the_nodes_wins() -> None:
    mounts = [Mount(Path("/v"), "/etc/hosts", read_only=True, volume="v")]
    made = binds_of(mounts, {"/etc/hosts": "/own", "/dev/termination-log": "/t"})
    assert [(bind["source"], bind["target"]) for bind in made] == [
        ("/v", "/etc/hosts"),
        ("/t", "/dev/termination-log"),
    ]


def test_what_an_image_does_not_say_is_empty() -> None:
    assert image_of({"Id": "sha256:2", "Config": {"Entrypoint": None, "Cmd": None}}) == Image("sha256:2")
    assert image_of({"Id": "x", "Config": {"Entrypoint": ["a"], "Cmd": ["b"], "User": "u"}}) == Image(
        "x", ("a",), ("b",), "u"
    )


def test_what_an_engine_does_not_say_it_can_do_is_not_asked_of_it() -> None:
    assert abilities_of({"MemoryLimit": True}) == Abilities(True, False, False, False)
