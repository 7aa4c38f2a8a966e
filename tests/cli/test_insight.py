"""Looking inside a controller: its tree, its door and who may come in, its recordings run again."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from random import Random
from typing import Any

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest

from runtime.actor import Room, Watch
from runtime.clock import SystemClock
from runtime.election import Election
from runtime.messages import Address, Spawn, Started
from runtime.objects import CONFIGMAPS, LEASES, Object, Reference
from runtime.system import Settings, System
from tests.golden.record import path_of, read
from tests.kernel.kernel import Scripted
from tiphys.cli import actors_tree, controller_door, main
from tiphys.cli.controller_door import Door
from tiphys.cli.problems import InputError
from tiphys.controller.health import answering
from tiphys.devcluster.inprocess import InProcessApi
from tiphys.devcluster.server import ApiServer


def own(thing: Object) -> Address:
    meta = thing["metadata"]
    return Address("a", meta["namespace"], meta["name"], meta["uid"])


def fertile(state: Any, message: Any, now: float) -> Any:
    return (
        [Spawn(Address("b", "default", "c", "", part)) for part in ("x", "y")] if isinstance(message, Started) else ()
    )


async def asked(path: str, token: str = "", bearer: str = "") -> str:
    """What a running system answers."""
    server = ApiServer()
    server.start()
    api = InProcessApi(server)
    await api.create(CONFIGMAPS, {"metadata": {"name": "c", "namespace": "default"}})
    rooms = [Room("a", Scripted(fertile), (Watch(CONFIGMAPS, own, wakes=True),)), Room("b", Scripted())]
    election = Election(api, Reference(LEASES, "default", "l"), "me", SystemClock())
    system = System(api, rooms, settings=Settings("default", election=election), dice=Random(1))
    async with anyio.create_task_group() as tasks:
        await tasks.start(system.run)
        await anyio.lowlevel.checkpoint()
        async with answering(system, "127.0.0.1", 0, token) as url:
            try:
                said = await anyio.to_thread.run_sync(controller_door.read, Door(url, bearer), path)
            except InputError as error:
                said = str(error)
        tasks.cancel_scope.cancel()
    return said


async def test_the_tree_shows_supervisors_caches_rooms_and_families():
    lines = actors_tree.lines(json.loads(await asked("/debug/actors")))
    assert lines[0] == "system: leads, 1 a, 2 b"
    text = "\n".join(lines)
    assert "├─ election: runs" in text
    assert "│  └─ configmaps: 1 objects, watching, heard 0 s ago" in text
    assert lines[-5:] == [
        "│  └─ a: runs",
        "│     └─ a:default/c: read 2 messages",
        "│        ├─ b:default/c#x: read 1 messages",
        "│        └─ b:default/c#y: read 1 messages",
        "└─ opening: runs",
    ]


async def test_one_room_may_be_asked_for_and_what_is_wrong_is_named():
    assert [entry["actor"] for entry in json.loads(await asked("/debug/actors?room=b"))["actors"]] == [
        "b:default/c#x",
        "b:default/c#y",
    ]
    assert await asked("/livez") == "ok\n"
    assert await asked("/readyz") == "ok\n"
    assert "answers 404: nothing is recorded" in await asked("/debug/recording")


async def test_a_door_with_a_token_opens_for_nobody_else():
    assert await asked("/livez", token="secret", bearer="secret") == "ok\n"
    for wrong in ("", "other"):
        assert "answers 401: the token is missing" in await asked("/livez", token="secret", bearer=wrong)


def test_many_children_are_counted():
    children = [{"actor": f"a:n/{number}", "room": "a", "waits": "for x"} for number in range(300)]
    branches = list(actors_tree._family(None, "a", {None: children}))
    assert len(branches) == 201
    assert branches[-1][0] == "… and 100 more"


def test_a_door_is_kept_beside_the_kubeconfig_for_its_user_alone(tmp_path: Path):
    kubeconfig = tmp_path / "kubeconfig"
    path = controller_door.note(kubeconfig, Door("http://127.0.0.1:1", "t"))
    assert path.stat().st_mode & 0o777 == 0o600
    assert controller_door.door(kubeconfig=str(kubeconfig)) == Door("http://127.0.0.1:1", "t")
    assert controller_door.door("127.0.0.1:9090") == Door("http://127.0.0.1:9090")
    path.unlink()
    with pytest.raises(InputError, match="no running `tiphys dev`"):
        controller_door.door(kubeconfig=str(kubeconfig))


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "file:///etc/passwd"])
def test_a_door_that_nobody_answers_is_a_sentence(url: str):
    with pytest.raises(InputError):
        controller_door.read(Door(url), "/livez")


def test_a_recording_is_replayed_and_the_first_difference_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["replay", str(path_of("hello-world"))]) == 0
    assert "decisions, all the same" in capsys.readouterr().out

    lines = read("hello-world")
    other = [line.replace('"alpine"', '"debian"') if '"is": "Create"' in line else line for line in lines]
    (tmp_path / "other.jsonl").write_text("\n".join(other))
    assert main(["replay", str(tmp_path / "other.jsonl")]) == 1
    shown = capsys.readouterr().out
    assert "--- recorded" in shown
    assert '"debian"' in shown


@pytest.mark.parametrize("content", [b"", b"nonsense", gzip.compress(b"[]", mtime=0), b"\x1f\x8b"])
def test_what_is_no_recording_is_a_sentence(content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    path = tmp_path / "file"
    path.write_bytes(content)
    assert main(["replay", str(path)]) == 2
    assert str(path) in capsys.readouterr().err
