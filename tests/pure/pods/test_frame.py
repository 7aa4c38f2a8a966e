"""What goes into a frame comes out of it, and nothing else is a frame."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.contract import frame
from actors.contract.instructions import from_env, to_env

NONCE = "0123456789abcdef"
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)
contents = st.fixed_dictionaries(
    {"code": st.integers(0, 255)},
    optional={
        "result": texts,
        "message": texts,
        "error": texts,
        "progress": texts,
        "parameters": st.dictionaries(texts, texts, max_size=5),
        "artifacts": st.lists(st.fixed_dictionaries({"name": texts, "s3": st.dictionaries(texts, texts)}), max_size=3),
    },
)
limits = st.sampled_from([frame.FRAME_BYTES_MIN, 1500, 4096])


@given(contents, limits)
def test_what_goes_in_comes_out(content: Any, limit: int) -> None:
    text, lines = frame.encode(content, NONCE, limit)
    assert len(text) <= limit
    assert text.isascii()
    read = frame.decode(text, NONCE)
    assert read is not None
    log = ("before\n" + "\n".join(lines) + "\n").encode()
    assert frame.decode_spill(log, read, NONCE) == content


@given(st.text(), st.text())
def test_no_text_is_a_frame(text: str, nonce: str) -> None:
    assert frame.decode(text, nonce) is None


@given(contents, st.data())
def test_a_changed_frame_is_none(content: Any, data: st.DataObject) -> None:
    text, _ = frame.encode(content, NONCE, 4096)
    at = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.characters().filter(lambda c: c != text[at]))
    assert frame.decode(text[:at] + other + text[at + 1 :], NONCE) is None
    assert frame.decode(text[:at], NONCE) is None


@given(contents)
def test_a_frame_of_another_pod_is_none(content: Any) -> None:
    text, _ = frame.encode(content, "another-nonce", 4096)
    assert frame.decode(text, NONCE) is None
    assert frame.decode(text, "") is None


@given(contents, st.lists(texts, max_size=4), st.integers(0, 100))
def test_a_spill_survives_what_others_write_and_not_a_loss(content: Any, noise: list[str], cut: int) -> None:
    content["result"] = "".join(f"{number * 7919 % 10007:x}" for number in range(4000))
    text, lines = frame.encode(content, NONCE, 600)
    read = frame.decode(text, NONCE)
    assert read is not None
    assert lines
    loud = [part for line in lines for part in (*noise, line)]
    assert frame.decode_spill("\n".join(loud).encode(), read, NONCE) == content
    lost = lines[: cut % len(lines)] + lines[cut % len(lines) + 1 :]
    assert frame.decode_spill("\n".join(lost).encode(), read, NONCE) is None


def test_logs_are_shown_without_what_was_spilled() -> None:
    _, lines = frame.encode({"result": "0123456789" * 40000}, NONCE, 600)
    log = ["hello", "no newline at the end" + lines[0], *lines[1:], "tiphys-spill/1 is a word too"]
    assert list(frame.strip_spill(log)) == ["hello", "no newline at the end", "tiphys-spill/1 is a word too"]


def test_outputs_beyond_all_limits_are_an_error_in_the_frame() -> None:
    text, lines = frame.encode({"code": 0, "result": "x" * (frame.CONTENT_BYTES_MAX + 1)}, NONCE, 400)
    read = frame.decode(text, NONCE)
    assert read is not None
    assert not lines
    assert "artifact" in read["error"]
    assert read["code"] == 0


def test_a_small_frame_is_readable_and_a_bomb_is_none() -> None:
    assert '"result":"heads"' in frame.encode({"code": 0, "result": "heads"}, NONCE, 1500)[0]
    bomb = frame._packed(" " * (frame.CONTENT_BYTES_MAX * 2))
    assert frame.decode(f"tiphys/1 {NONCE} z {len(bomb)} {frame._crc(bomb)} {bomb}", NONCE) is None


@pytest.mark.parametrize(
    "payload",
    ["[]", "1", '{"code":"0"}', '{"code":true}', '{"parameters":{"a":1}}', '{"spilled":{}}', '{"artifacts":[1]}'],
)
def test_a_frame_that_says_something_else_is_none(payload: str) -> None:
    assert frame.decode(f"tiphys/1 {NONCE} j {len(payload)} {frame._crc(payload)} {payload}", NONCE) is None


@pytest.mark.parametrize(
    ("containers", "wished", "bytes_"), [(1, 1500, 1500), (1, 9999, 4096), (6, 4096, 2048), (3, 4096, 4096)]
)
def test_the_budget_is_the_kubelets(containers: int, wished: int, bytes_: int) -> None:
    assert frame.budget(containers, wished) == bytes_


@given(texts, st.integers(0, 200_000))
def test_instructions_arrive_whatever_is_in_them(text: str, size: int) -> None:
    told: Any = {"container": "init", "source": text + "$(HOME) $$ " + "x" * size}
    env = to_env(told)
    assert all("$" not in entry["value"] and len(entry["value"]) < 128 << 10 for entry in env)
    assert from_env({entry["name"]: entry["value"] for entry in env}) == told


def test_instructions_too_large_for_an_environment_are_refused() -> None:
    with pytest.raises(ValueError, match="bytes of instructions"):
        to_env({"container": "init", "source": "x" * (2 << 20)})
    with pytest.raises(ValueError, match="inside a workflow's pod"):
        from_env({})
