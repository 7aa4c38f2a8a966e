"""A packed status reads back as it was, by anybody's gzip; what is no pack says so."""

from __future__ import annotations

import base64
import gzip
import json
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.packing import MEMBER_NODES, BadPack, NodePack, nodes_of, unpacked

ENTRIES = st.dictionaries(st.text(max_size=5), st.text(max_size=20) | st.integers(-5, 5), max_size=3)


@pytest.mark.spec("OFF-1")
@given(st.lists(st.tuples(st.sampled_from([f"n{i}" for i in range(600)]), ENTRIES), max_size=40), st.integers(0, 600))
def test_whatever_was_put_last_is_read_back(changes: list[tuple[str, dict[str, Any]]], many: int) -> None:
    pack, known = NodePack(), {}
    for number in range(many):
        pack.put(f"n{number}", {})
        known[f"n{number}"] = {}
    for node_id, entry in changes:
        pack.put(node_id, entry)
        known[node_id] = entry
        pack.text()

    assert unpacked(pack.text()) == known
    assert json.loads(gzip.decompress(base64.b64decode(pack.text()))) == known
    assert pack.size == sum(len(json.dumps(k)) + len(json_bytes(v)) + 2 for k, v in known.items())


def json_bytes(entry: dict[str, Any]) -> bytes:
    return json.dumps(entry, separators=(",", ":"), ensure_ascii=False).encode()


def test_a_change_presses_one_member_again() -> None:
    pack = NodePack()
    for number in range(3 * MEMBER_NODES):
        pack.put(str(number), {})
    pack.text()
    pack.put("0", {"phase": "Failed"})

    assert [part is None for part in pack.pressed] == [True, False, False]


@pytest.mark.spec("OFF-1")
def test_inline_entries_override_compressed_ones() -> None:
    pack = NodePack()
    pack.put("a", {"phase": "Running"})
    pack.put("b", {"phase": "Running"})
    status = {"compressedNodes": pack.text(), "nodes": {"a": {"phase": "Succeeded"}}}

    assert nodes_of(status) == {"a": {"phase": "Succeeded"}, "b": {"phase": "Running"}}
    assert nodes_of({}) == {}


@pytest.mark.parametrize(
    "text",
    ["%%%", base64.b64encode(b"no gzip").decode(), base64.b64encode(gzip.compress(b"[1]", mtime=0)).decode(),
     base64.b64encode(gzip.compress(b"{}", mtime=0)[:-4]).decode(), base64.b64encode(zlib.compress(b"{}")).decode()],
)  # fmt: skip
def test_what_is_no_pack_says_so(text: str) -> None:
    with pytest.raises(BadPack, match="compressedNodes"):
        unpacked(text)
