"""A workflow is shown as a tree that a person can read, whatever its status holds."""

from __future__ import annotations

import base64
import gzip
import json
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiphys.cli import live, nodes, nodeselector, selected, show, table, tree
from tiphys.cli.problems import InputError
from tiphys.cli.screen import Screen

NOW = 1_767_225_700.0  # 2026-01-01T00:01:40Z


def node(key: str, name: str, kind: str = "Pod", **fields: Any) -> tuple[str, dict[str, Any]]:
    shown = fields.pop("shown", name.rsplit(".", 1)[-1])
    return key, {
        "id": key,
        "name": name,
        "displayName": shown,
        "type": kind,
        "phase": "Succeeded",
        "templateName": "say",
        "startedAt": "2026-01-01T00:00:00Z",
        "finishedAt": "2026-01-01T00:00:05Z",
        **fields,
    }


def workflow(*entries: tuple[str, dict[str, Any]], phase: str = "Running", **spec: Any) -> dict[str, Any]:
    meta = {"name": "w", "namespace": "default", "uid": "u"}
    return {"metadata": meta, "spec": spec, "status": {"phase": phase, "nodes": dict(entries)}}


def drawing(thing: dict[str, Any]) -> list[str]:
    return [f"{row.indent}{row.icon} {row.name}" for row in tree.rows(thing, NOW)]


STEPS = (
    node("w", "w", "Steps", children=["g0"]),
    node("g0", "w[0]", "StepGroup", boundaryID="w", children=["a"]),
    node("a", "w[0].a", boundaryID="w", children=["g1"]),
    node("g1", "w[1]", "StepGroup", boundaryID="w", children=["b", "c"]),
    node("b", "w[1].b", boundaryID="w", phase="Failed", message="main: Error (exit code 1)"),
    node("c", "w[1].c", "Skipped", boundaryID="w", phase="Skipped"),
)


def test_step_groups_have_no_row_of_their_own() -> None:
    assert drawing(workflow(*STEPS)) == ["✔ w", "├───✔ a", "└─┬─✖ b", "  └─○ c"]


def test_the_tasks_of_a_dag_stand_below_it_by_start_and_name() -> None:
    entries = [node("w", "w", "DAG", children=["a"])]
    entries += [node(f"t{n}", f"w.t{n}", boundaryID="w") for n in (10, 9, 1)]
    assert drawing(workflow(*entries)) == ["✔ w", "├─✔ t1", "├─✔ t9", "└─✔ t10"]


def test_a_retry_that_tried_once_is_its_attempt() -> None:
    once = workflow(node("w", "w", "Retry", children=["w0"]), node("w0", "w(0)", shown="w(0)"))
    assert drawing(once) == ["✔ w(0)"]
    twice = workflow(
        node("w", "w", "Retry", children=["w0", "w1"]),
        node("w0", "w(0)", shown="w(0)", phase="Failed"),
        node("w1", "w(1)", shown="w(1)"),
    )
    assert drawing(twice) == ["✔ w", "├─✖ w(0)", "└─✔ w(1)"]


def test_the_items_of_a_loop_stand_below_it_in_number() -> None:
    items = [f"i{n}" for n in range(11)]
    entries = [node("w", "w", "DAG"), node("t", "w.t", "TaskGroup", boundaryID="w", children=items)]
    entries += [node(f"i{n}", f"w.t({n}:x)", boundaryID="w", shown=f"t({n}:x)") for n in range(11)]
    assert drawing(workflow(*entries))[2:] == [f"  {'└' if n == 10 else '├'}─✔ t({n}:x)" for n in range(11)]


def test_the_exit_handler_stands_last_and_beside_the_tree() -> None:
    exit_node = node("e", "w.onExit", shown="w.onExit", startedAt="2025-01-01T00:00:00Z")
    assert drawing(workflow(exit_node, node("w", "w"))) == ["✔ w", "✔ w.onExit"]


def test_a_suspended_node_has_its_own_icon() -> None:
    assert drawing(workflow(node("w", "w", "Suspend", phase="Running"))) == ["ǁ w"]


def test_a_ring_of_boundaries_loses_no_node() -> None:
    ring = workflow(node("a", "a", boundaryID="b"), node("b", "b", boundaryID="a"), node("w", "w"))
    assert sorted(row.key for row in tree.rows(ring, NOW)) == ["a", "b", "w"]


def test_a_node_without_an_id_is_no_node() -> None:
    assert drawing(workflow(("", {"name": "x"}), node("w", "w"))) == ["✔ w"]


def test_compressed_nodes_are_shown_and_inline_ones_override_them() -> None:
    entries = dict(STEPS)
    members = b"".join(
        gzip.compress(part) for part in (json.dumps(entries).encode()[:50], json.dumps(entries).encode()[50:])
    )
    thing = workflow()
    thing["status"] = {
        "compressedNodes": base64.b64encode(members).decode(),
        "nodes": {"b": {**entries["b"], "phase": "Error"}},
    }
    assert drawing(thing) == ["✔ w", "├───✔ a", "└─┬─⚠ b", "  └─○ c"]


def test_a_pod_has_the_name_of_the_formula() -> None:
    thing = workflow(node("x", "steps-x[0].hello1", templateName="print-message"))
    thing["metadata"]["name"] = "steps-x"
    assert tree.rows(thing, NOW)[0].pod == "steps-x-print-message-2543571026"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (59.9, "59s"), (60, "1m0s"), (3_599, "59m59s"), (7_500, "2h5m"), (273_600, "3d4h"), (-5, "0s")],
)
def test_a_duration_is_said_as_a_person_says_it(seconds: float, text: str) -> None:
    assert tree.duration(seconds) == text


def test_a_running_node_has_run_until_now() -> None:
    thing = workflow(node("w", "w", phase="Running", finishedAt=None))
    assert tree.rows(thing, NOW)[0].duration == "1m40s"


def test_wide_letters_keep_the_columns_aligned() -> None:
    lines = table.aligned([("漢字⛵", "x"), ("abc", "x"), ("é", "x")])
    assert {table.width(line[: line.index("x")]) for line in lines} == {8}


def test_a_line_is_cut_to_the_terminal_by_cells() -> None:
    assert table.fit("漢字漢字", 5) == "漢字…"
    assert table.fit("abc", 3) == "abc"


def test_colours_are_used_only_where_they_are_wanted() -> None:
    rows = tree.rows(workflow(*STEPS), NOW)
    assert "\x1b" not in "\n".join(show.tree_lines(rows, Screen()))
    assert "\x1b[31m✖\x1b[0m" in "\n".join(show.tree_lines(rows, Screen(colour=True)))


def test_a_screen_without_utf8_gets_ascii() -> None:
    text = "\n".join(show.workflow(workflow(*STEPS), NOW, Screen(utf8=False)))
    assert text.isascii()
    assert "`-+ c" not in text
    assert "|---+ a" in text


@pytest.mark.spec("CLI-2")
def test_the_wide_form_has_artifacts_before_messages_and_the_short_one_is_the_tree_alone() -> None:
    outputs = {"artifacts": [{"name": "log"}, {"name": "out"}]}
    pod = node("w", "w", message="done", hostNodeName="n1", resourcesDuration={"cpu": 2}, outputs=outputs)
    wide = show.workflow(workflow(pod), NOW, Screen(), "wide")
    head = ["STEP", "TEMPLATE", "PODNAME", "DURATION", "ARTIFACTS", "MESSAGE", "RESOURCESDURATION", "NODENAME"]
    assert wide[0].startswith("Name:")
    assert wide[-2].split() == head
    assert wide[-1].split()[-4:] == ["log,out", "done", "2s*cpu", "n1"]
    short = show.workflow(workflow(pod), NOW, Screen(), "short")
    assert [line.split()[-2:] for line in short] == [["MESSAGE", "NODENAME"], ["done", "n1"]]


@pytest.mark.spec("CLI-2")
def test_a_workflow_without_an_account_says_which_it_will_have() -> None:
    own = show.header(workflow(), NOW, Screen())
    assert "ServiceAccount:      unset (will run with the default ServiceAccount)" in own
    assert "ServiceAccount:      unset" in show.header(workflow(workflowTemplateRef={"name": "x"}), NOW, Screen())


@pytest.mark.spec("CLI-2")
def test_a_tree_may_show_some_nodes_alone() -> None:
    shown = show.workflow(workflow(*STEPS), NOW, Screen(), "short", nodeselector.parse("phase=Failed"))
    assert [line.split()[:2] for line in shown] == [["STEP", "TEMPLATE"], ["└─┬─✖", "b"]]


def test_the_header_says_what_people_did() -> None:
    running = workflow(node("w", "w", "Suspend", phase="Running"))
    assert show.decorated_phase(running) == "Running (Suspended)"
    stopped = workflow(phase="Failed", shutdown="Stop")
    assert show.decorated_phase(stopped) == "Failed (Stopped)"
    assert show.decorated_phase(workflow(phase="Running", shutdown="Terminate")) == "Running (Terminated)"


def test_the_change_log_has_one_line_a_change() -> None:
    log = live.ChangeLog(stream=None, screen=Screen())  # type: ignore[arg-type]
    running = workflow(
        node("w", "w", "DAG", phase="Running"), node("a", "w.A", boundaryID="w", phase="Running", finishedAt=None)
    )
    ended = workflow(node("w", "w", "DAG"), node("a", "w.A", boundaryID="w"))
    first, again, last = (log.lines(thing, NOW) for thing in (running, running, ended))
    assert [line.split(" ", 1)[1] for line in first] == ["● w.A"]
    assert again == []
    assert [line.split(" ", 1)[1] for line in last] == ["✔ w.A  5s", "✔ w  5s"]


@pytest.mark.spec("CLI-5")
def test_who_watches_may_see_some_nodes_alone(capsys: pytest.CaptureFixture[str]) -> None:
    with selected.Selected(live.ChangeLog(sys.stdout, Screen()), selected.terms_of("Failed", "")) as display:
        display.update(workflow(*STEPS))
        display.tick()
        display.say("and that is all")
    change, said = capsys.readouterr().out.splitlines()
    assert change.split(" ", 1)[1] == "✖ w[1].b  5s  main: Error (exit code 1)"
    assert said == "and that is all"
    with pytest.raises(InputError, match="cannot use both --status and --node-field-selector"):
        selected.terms_of("Failed", "displayName=b")


def test_a_tree_that_is_too_high_keeps_the_root_and_what_failed() -> None:
    entries = [node("w", "w", "DAG")] + [node(f"t{n}", f"w.t{n}", boundaryID="w") for n in range(50)]
    entries[20][1]["phase"] = "Failed"
    rows = tree.rows(workflow(*entries), NOW)
    kept = live.cropped(rows, 5)
    assert len(kept) == 5
    assert kept[0].name == "w"
    assert "✖" in {row.icon for row in kept}
    assert live.cropped(rows, 0) == rows


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
keys = st.sampled_from(["", "w", "a", "b", "c", "d"])
names = st.sampled_from(
    ["w", "w[0]", "w[0].a", "w.a", "w.a(0)", "w.a(0:x)", "w.onExit", "漢字", "\ud800", "x\n\x1b[2J"]
)
odd_node = st.fixed_dictionaries(
    {},
    optional={
        "id": keys | anything,
        "name": names | anything,
        "displayName": names | anything,
        "type": st.sampled_from(["Pod", "Steps", "StepGroup", "DAG", "TaskGroup", "Retry", "Suspend", "Skipped"])
        | anything,
        "phase": st.sampled_from(["Running", "Succeeded", "Failed", "Error", "Pending", "Skipped", "Omitted", ""])
        | anything,
        "boundaryID": keys | anything,
        "children": st.lists(keys | anything, max_size=4) | anything,
        "startedAt": st.sampled_from(["2026-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "soon"]) | anything,
        "finishedAt": st.sampled_from(["2026-01-01T00:00:00Z", "0001-01-01T00:00:00Z"]) | anything,
        "message": st.text(max_size=10) | anything,
        "templateRef": st.fixed_dictionaries({"name": names}) | anything,
        "nodeFlag": anything,
        "templateName": names | anything,
    },
)
odd_status = st.fixed_dictionaries(
    {},
    optional={
        "phase": anything,
        "nodes": st.dictionaries(keys, odd_node | anything, max_size=5) | anything,
        "compressedNodes": st.text(max_size=10) | anything,
        "conditions": anything,
        "outputs": anything,
        "resourcesDuration": anything,
        "startedAt": anything,
    },
)


@given(odd_status | anything, anything)
def test_rendering_never_fails_and_shows_every_node_at_most_once(status: Any, spec: Any) -> None:
    thing = {"metadata": {"name": "w", "uid": "u"}, "spec": spec, "status": status}
    rows = tree.rows(thing, NOW)
    assert len({row.key for row in rows}) == len(rows)
    assert all(line.isprintable() for line in show.workflow(thing, NOW, Screen()))
    assert all(line.isprintable() for line in live.ChangeLog(None, Screen()).lines(thing, NOW))  # type: ignore[arg-type]
    assert not nodes.is_finished(thing) or nodes.phase_of(thing) in nodes.FINAL_PHASES
