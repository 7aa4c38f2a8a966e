"""No message that reaches an object or a log carries a password."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tiphys.devcluster.cluster import DevCluster
from tiphys.executor import artifacts
from tiphys.executor.agent_http import HttpTasks
from tiphys.executor.artifacts import StoreError
from tiphys.executor.redaction import redacted

CANARY = "canary-7f31"


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("GET https://u:p@host/x: no", "GET https://…@host/x: no"),
        ("fatal: unable to access 'https://token@host/r.git/'", "fatal: unable to access 'https://…@host/r.git/'"),
        ("https://h/b?sv=1&sig=abc%3D&x=1", "https://h/b?sv=1&sig=…&x=1"),
        ("https://h/b?X-Amz-Signature=abc&x=1", "https://h/b?X-Amz-Signature=…&x=1"),
        ("mail me@host about http://host/a@b", "mail me@host about http://host/a@b"),
    ],
)
def test_only_what_is_secret_is_left_out(said: str, shown: str) -> None:
    assert redacted(said) == shown


@pytest.mark.parametrize(
    "location",
    [
        {"http": {"url": f"http://u:{CANARY}@127.0.0.1:9/x"}},
        {"git": {"repo": f"http://u:{CANARY}@127.0.0.1:9/x.git"}},
        {"hdfs": {"addresses": [f"http://u:{CANARY}@127.0.0.1:9"], "path": "/x"}},
    ],
)
def test_a_password_in_an_artifacts_url_is_in_no_message(location: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(StoreError) as caught:
        artifacts.load(location, tmp_path / "in", root="", mount="")
    assert CANARY not in str(caught.value)
    assert "127.0.0.1:9" in str(caught.value)


async def test_a_password_in_a_templates_url_is_in_no_message() -> None:
    async with DevCluster() as cluster, aiohttp.ClientSession() as session:
        section = {"url": f"http://u:{CANARY}@127.0.0.1:9/x"}
        answer = await HttpTasks(session, cluster.api, "default").execute({"http": section})
    assert answer.node["phase"] == "Failed"
    assert CANARY not in str(answer.node)
