"""What a container sees at its paths: volumes, configuration, environment, tokens."""

from __future__ import annotations

import base64
import json
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from runtime.api import Selection
from runtime.objects import CLAIMS, CONFIGMAPS, EVENTS, PODS, SECRETS, SERVICE_ACCOUNTS, Reference
from tests.node.cluster import Cluster, hindered, isolated_cluster, over, pod, shell, state
from tiphys.devcluster.inprocess import InProcessApi
from tiphys.devcluster.node import Endpoint
from tiphys.devcluster.node.accounts import AccountTokens, Wish
from tiphys.devcluster.node.atomicfiles import write_files
from tiphys.devcluster.node.projections import File
from tiphys.devcluster.server import ApiServer

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="namespaces are Linux'")


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("shown")


@pytest.fixture(scope="module")
async def made(tmp_path_factory: pytest.TempPathFactory, shown: Path) -> AsyncIterator[Cluster]:
    root = tmp_path_factory.mktemp("volumes") / "node"
    endpoint = Endpoint("127.0.0.1", 6443, "the CA")
    async with isolated_cluster(root, endpoint=endpoint, host_paths=(shown,)) as built:
        await built.create({"metadata": {"name": "cm"}, "data": {"a": "1", "b.txt": "two\n"}}, CONFIGMAPS)
        secret = {"metadata": {"name": "sec"}, "data": {"pass": base64.b64encode(b"s3cret").decode()}}
        await built.create(secret, SECRETS)
        yield built


def volumes(*entries: dict) -> dict:
    return {"volumes": list(entries)}


def claims(token: str) -> dict[str, Any]:
    """What a token says of its holder."""
    part = token.split(".")[1]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return found


def mounts(**paths: str) -> list[dict]:
    return [{"name": name, "mountPath": path} for name, path in paths.items()]


async def test_config_maps_and_secrets_are_files_with_their_modes(made: Cluster) -> None:
    spec = volumes(
        {"name": "c", "configMap": {"name": "cm", "items": [{"key": "a", "path": "deep/er", "mode": 0o400}]}},
        {"name": "s", "secret": {"secretName": "sec", "defaultMode": 0o600}},
        {"name": "o", "configMap": {"name": "absent", "optional": True}},
    )
    script = (
        "cat /c/deep/er; stat -Lc %a /c/deep/er /s/pass; cat /s/pass; ls /o | wc -l; touch /c/x 2>/dev/null || echo ro"
    )
    text = await made.output(shell("files", script, spec=spec, volumeMounts=mounts(c="/c", s="/s", o="/o")))
    assert text == "1400\n600\ns3cret0\nro\n"


async def test_volumes_mount_inside_read_only_system_directories(made: Cluster) -> None:
    spec = volumes({"name": "c", "configMap": {"name": "cm"}}, {"name": "e", "emptyDir": {}})
    script = "cat /etc/deep/config/a; head -c4 /etc/passwd; cd /usr/share/own; echo hi > x; cat x; ls /usr/bin/env"
    where = mounts(c="/etc/deep/config", e="/usr/share/own")
    text = await made.output(shell("inside", script, spec=spec, volumeMounts=where))
    assert text == "1roothi\n/usr/bin/env\n"


async def test_a_sub_path_mounts_one_file_or_folder_of_a_volume(made: Cluster) -> None:
    spec = volumes({"name": "c", "configMap": {"name": "cm"}}, {"name": "e", "emptyDir": {}})
    where = [
        {"name": "c", "mountPath": "/etc/one.txt", "subPath": "b.txt"},
        {"name": "e", "mountPath": "/x", "subPathExpr": "of/$(POD)"},
        {"name": "e", "mountPath": "/whole"},
    ]
    env = [{"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]
    script = "cat /etc/one.txt; echo y > /x/f; cat /whole/of/sub/f"
    assert await made.output(shell("sub", script, spec=spec, volumeMounts=where, env=env)) == "two\ny\n"


async def test_a_sub_path_cannot_lead_out_of_its_volume(made: Cluster) -> None:
    spec = volumes({"name": "e", "emptyDir": {}})
    inits = [{"name": "i", "image": "b", "command": ["ln", "-s", "/", "/e/out"], "volumeMounts": mounts(e="/e")}]
    where = [{"name": "e", "mountPath": "/x", "subPath": "out/etc"}]
    await made.create(shell("escape", "true", spec={**spec, "initContainers": inits}, volumeMounts=where))
    stuck = await made.until("escape", hindered)
    assert "leads out of its volume" in state(stuck)["waiting"]["message"]
    await made.delete("escape")


async def test_downward_files_follow_labels_and_projected_volumes_join_sources(made: Cluster) -> None:
    labels = {"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}
    script_item = {"path": "script", "fieldRef": {"fieldPath": "metadata.annotations['script']"}}
    spec = volumes(
        {"name": "d", "downwardAPI": {"items": [labels]}},
        {
            "name": "p",
            "projected": {
                "sources": [
                    {"configMap": {"name": "cm"}},
                    {"secret": {"name": "sec"}},
                    {"downwardAPI": {"items": [script_item]}},
                ]
            },
        },
    )
    source = "print('quotes \" \\' and {{braces}} and 🐙')\n"
    meta = {"labels": {"app": "x"}, "annotations": {"script": source}}
    script = "cat /d/labels; ls /p; cat /p/script; until grep -q new /d/labels; do sleep 0.01; done; cat /d/labels"
    await made.create(shell("down", script, spec=spec, meta=meta, volumeMounts=mounts(d="/d", p="/p")))
    await made.until_log("down", source)
    await made.api.patch(Reference(PODS, "default", "down"), {"metadata": {"labels": {"app": "new"}}})
    await made.until("down", over)
    assert await made.log("down") == f'app="x"a\nb.txt\npass\nscript\n{source}app="new"'


async def test_a_claim_is_a_folder_that_outlives_its_pods_and_is_bound(made: Cluster) -> None:
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    await made.create({"metadata": {"name": "work"}, "spec": claim}, CLAIMS)
    spec = volumes({"name": "v", "persistentVolumeClaim": {"claimName": "work"}})
    await made.output(shell("writer", "echo kept > /v/f", spec=spec, volumeMounts=mounts(v="/v")))
    assert await made.output(shell("reader", "cat /v/f", spec=spec, volumeMounts=mounts(v="/v"))) == "kept\n"
    bound = await made.api.get(Reference(CLAIMS, "default", "work"))
    assert bound["status"]["phase"] == "Bound"
    assert bound["status"]["capacity"] == {"storage": "1Gi"}


async def test_host_paths_are_shown_only_where_the_settings_allow(made: Cluster, shown: Path) -> None:
    (shown / "f").write_text("shown\n")
    spec = volumes({"name": "h", "hostPath": {"path": str(shown)}})
    assert await made.output(shell("host", "cat /h/f", spec=spec, volumeMounts=mounts(h="/h"))) == "shown\n"
    spec = volumes({"name": "h", "hostPath": {"path": "/etc"}})
    await made.create(shell("host-refused", "true", spec=spec, volumeMounts=mounts(h="/h")))
    stuck = await made.until("host-refused", hindered)
    assert "hostPath /etc is not below a directory" in state(stuck)["waiting"]["message"]
    events = await made.api.list(EVENTS)
    assert any(e["reason"] == "FailedMount" and "hostPath /etc" in e["message"] for e in events.items)
    await made.delete("host-refused")
    await made.gone("host-refused")


async def test_a_missing_config_map_volume_is_waited_for(made: Cluster) -> None:
    spec = volumes({"name": "c", "configMap": {"name": "later"}})
    await made.create(shell("waits", "cat /c/k", spec=spec, volumeMounts=mounts(c="/c")))
    stuck = await made.until("waits", hindered)
    assert state(stuck)["waiting"]["reason"] == "ContainerCreating"
    assert 'configmap "later" not found' in state(stuck)["waiting"]["message"]
    await made.create({"metadata": {"name": "later"}, "data": {"k": "v"}}, CONFIGMAPS)
    await made.until("waits", over)
    assert await made.log("waits") == "v"


async def test_the_environment_has_all_its_sources_and_no_other(made: Cluster) -> None:
    env = [
        {"name": "PLAIN", "value": "p"},
        {"name": "REF", "value": "$(PLAIN)-$(C_a)-$$(PLAIN)-$(NOT)"},
        {"name": "KEY", "valueFrom": {"configMapKeyRef": {"name": "cm", "key": "a"}}},
        {"name": "SEC", "valueFrom": {"secretKeyRef": {"name": "sec", "key": "pass"}}},
        {"name": "NONE", "valueFrom": {"secretKeyRef": {"name": "absent", "key": "x", "optional": True}}},
        {"name": "UID", "valueFrom": {"fieldRef": {"fieldPath": "metadata.uid"}}},
        {"name": "CPU", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu", "divisor": "1m"}}},
        {"name": "ODD", "value": "quotes \" ' \\ \n braces {{}} 🐙"},
    ]
    dump = "import json, os, sys; json.dump(dict(os.environ), sys.stdout)"
    thing = pod(
        "env", "python", "-c", dump, image="python:3", env=env, resources={"limits": {"cpu": "250m"}},
        envFrom=[{"prefix": "C_", "configMapRef": {"name": "cm"}}, {"secretRef": {"name": "gone", "optional": True}}],
    )  # fmt: skip
    seen = json.loads(await made.output(thing))
    uid = (await made.api.get(Reference(PODS, "default", "env")))["metadata"]["uid"]
    assert seen["REF"] == "p-1-$(PLAIN)-$(NOT)"
    assert (seen["KEY"], seen["SEC"], seen["UID"], seen["CPU"]) == ("1", "s3cret", uid, "250")
    assert seen["ODD"] == env[-1]["value"]
    assert seen["C_b.txt"] == "two\n"
    assert seen["HOSTNAME"] == "env"
    assert seen["HOME"] == "/root"
    assert "NONE" not in seen
    known = {e["name"] for e in env} | {
        "C_a",
        "C_b.txt",
        "PATH",
        "HOSTNAME",
        "HOME",
        "PWD",
        "LC_CTYPE",
        "OLDPWD",
        "SHLVL",
        "_",
    }
    assert {name for name in seen if not name.startswith("KUBERNETES_")} <= known


async def test_pods_get_a_token_unless_they_say_no(made: Cluster) -> None:
    folder = "/var/run/secrets/kubernetes.io/serviceaccount"
    script = f"cd {folder} && cat ca.crt namespace; echo $KUBERNETES_SERVICE_HOST:$KUBERNETES_SERVICE_PORT; cat token"
    around, token = (await made.output(shell("token", script))).split("\n")
    assert around == "the CAdefault127.0.0.1:6443"
    assert claims(token)["sub"] == "system:serviceaccount:default:default"
    refused = shell("no-token", f"test ! -e {folder}", spec={"automountServiceAccountToken": False})
    assert await made.output(refused) == ""


async def test_a_token_is_for_whom_and_how_long_the_volume_says_and_bound_to_the_pod(made: Cluster) -> None:
    await made.create({"metadata": {"name": "sailor"}}, SERVICE_ACCOUNTS)
    wish = {"serviceAccountToken": {"audience": "harbour", "expirationSeconds": 900, "path": "t"}}
    spec = {"serviceAccountName": "sailor", **volumes({"name": "p", "projected": {"sources": [wish]}})}
    said = claims(await made.output(shell("wished", "cat /p/t", spec=spec, volumeMounts=mounts(p="/p"))))
    assert (said["sub"], said["aud"]) == ("system:serviceaccount:default:sailor", ["harbour"])
    assert said["exp"] - said["iat"] == 900
    assert said["kubernetes.io"]["pod"]["name"] == "wished"


async def test_a_pod_of_an_account_that_is_not_there_waits_and_says_so(made: Cluster) -> None:
    await made.create(shell("orphan", "true", spec={"serviceAccountName": "nobody"}))
    await made.until("orphan", hindered)
    events = await made.api.list(EVENTS, Selection("default"))
    assert any('serviceaccounts "nobody" not found' in e["message"] for e in events.items)
    await made.create({"metadata": {"name": "nobody"}}, SERVICE_ACCOUNTS)
    await made.until("orphan", over)


async def test_a_token_is_kept_until_most_of_its_life_is_over() -> None:
    server = ApiServer(now=time.time)
    server.start()
    api = InProcessApi(server)
    tokens = AccountTokens(api, make_accounts=True)
    spec = {"serviceAccountName": "new", "containers": [{"name": "main", "image": "i"}]}
    thing = await api.create(PODS, {"metadata": {"name": "p", "namespace": "default"}, "spec": spec})
    uid = thing["metadata"]["uid"]
    first = await tokens.get(thing, Wish(lasts_s=1000))
    assert await api.get(Reference(SERVICE_ACCOUNTS, "default", "new"))
    assert await tokens.get(thing, Wish(lasts_s=1000)) == first
    assert not tokens.due()
    brief = await tokens.get(thing, Wish(lasts_s=0))
    assert claims(brief)["sub"] == "system:serviceaccount:default:new"
    assert tokens.due() == [uid]
    tokens.forget(uid)
    assert not tokens.due()


async def test_arguments_are_expanded_and_arrive_unharmed(made: Cluster) -> None:
    text = "a \"b\" 'c' \\ {{d}} \n 🐙 $HOME"
    thing = pod("args", "printf", "%s|", args=[text, "$(X)", "$$(X)"], env=[{"name": "X", "value": "x y"}])
    assert await made.output(thing) == f"{text}|x y|$(X)|"


async def test_stand_ins_serve_for_the_images_that_examples_love(made: Cluster) -> None:
    assert await made.output(pod("say", image="argoproj/argosay:v2")) == "hello argo\n"
    script = "/argosay echo hi /tmp/deep/f && /argosay cat /tmp/deep/f && argosay assert_contains /tmp/deep/f h"
    assert await made.output(shell("say2", script, image="argoproj/argosay:v2")) == "hi"
    code = state(await made.run(pod("say3", image="argoproj/argosay:v2", args=["exit", "4"])))["terminated"]["exitCode"]
    assert code == 4
    assert "< hello world >" in await made.output(pod("cow", "cowsay", image="docker/whalesay", args=["hello world"]))
    which = await made.output(pod("py", "/usr/local/bin/python", "-c", "import sys; print(sys.version)"))
    assert which == f"{sys.version}\n"


async def test_the_executor_image_is_this_interpreter_and_package(made: Cluster) -> None:
    code = "import sys, tiphys.devcluster, yaml; print(sys.executable)"
    told = pod("executor", "python", "-c", code, image="tiphys:1.2")
    assert await made.output(told) == f"{sys.executable}\n"


async def test_the_working_directory_is_root_or_as_asked(made: Cluster) -> None:
    assert await made.output(pod("pwd", "pwd")) == "/\n"
    assert await made.output(pod("pwd2", "pwd", workingDir="/stuff/deep")) == "/stuff/deep\n"


LIVE = """
trap 'exit 0' TERM
while :; do
  echo "now $(cat /v/a 2>&1) $(cat /v/new 2>/dev/null) $(cat /one) $(cat /o/late 2>/dev/null)"
  sleep 0.05
done"""


async def test_what_a_volume_shows_changes_with_its_source_all_at_once(made: Cluster) -> None:
    await made.create({"metadata": {"name": "live"}, "data": {"a": "old", "gone": "x"}}, CONFIGMAPS)
    shows = [
        {"name": "v", "configMap": {"name": "live"}},
        {"name": "o", "secret": {"secretName": "later", "optional": True}},
    ]
    mounts = [
        {"name": "v", "mountPath": "/v"},
        {"name": "v", "mountPath": "/one", "subPath": "a"},
        {"name": "o", "mountPath": "/o"},
    ]
    await made.create(shell("live", LIVE, spec=volumes(*shows), volumeMounts=mounts))
    await made.until_log("live", "now old  old ")
    await made.create({"metadata": {"name": "later"}, "data": {"late": base64.b64encode(b"here").decode()}}, SECRETS)
    await made.until_log("live", "now old  old here")
    change = {"data": {"a": "fresh", "new": "too", "gone": None}}
    await made.api.patch(Reference(CONFIGMAPS, "default", "live"), change)
    await made.until_log("live", "now fresh too old here")  # a subPath stays what it was
    assert "now fresh  " not in await made.log("live")
    await made.api.delete(Reference(CONFIGMAPS, "default", "live"))
    lines = (await made.log("live")).count("\n")
    await eventually_lines(made, "live", lines + 3)
    assert (await made.log("live")).splitlines()[-1] == "now fresh too old here"
    await made.delete("live", grace_s=0)


async def eventually_lines(made: Cluster, name: str, count: int) -> None:
    while (await made.log(name)).count("\n") < count:  # noqa: ASYNC110 - the log is in files
        await anyio.sleep(0.01)


def test_files_that_are_the_same_are_not_written_again_and_old_ones_go(tmp_path: Path) -> None:
    folder = tmp_path / "v"
    write_files(folder, {"a": File(b"1", 0o644), "sub/b": File(b"2", 0o600)})
    first = (folder / "..data").readlink()
    write_files(folder, {"a": File(b"1", 0o644), "sub/b": File(b"2", 0o600)})
    assert (folder / "..data").readlink() == first
    write_files(folder, {"a": File(b"1", 0o640), "c": File(b"3", 0o644)})
    assert sorted(entry.name for entry in folder.iterdir() if entry.name[0] != ".") == ["a", "c"]
    assert len([entry for entry in folder.iterdir() if entry.name.startswith("..")]) == 2
    assert (folder / "a").stat().st_mode & 0o777 == 0o640
