"""A campaign goes on when one of its runs does not end, and its report says so."""

from __future__ import annotations

from pathlib import Path

import anyio

from tiphys.bench import flame, report
from tiphys.bench.campaign import Report, Wish, campaign, leaves, turns
from tiphys.bench.measure import Result
from tiphys.bench.observer import Stuck
from tiphys.bench.rig import RigSettings
from tiphys.bench.scenarios import SCENARIOS, Scenario


def test_controllers_take_turns_within_a_size() -> None:
    wish = Wish(["S6"], sizes=[10, 20], controllers=["a", "b"], rounds=2)

    assert [(size, turn, who) for _, size, turn, who in turns(wish)] == [
        (10, 0, "a"), (10, 0, "b"), (10, 1, "a"), (10, 1, "b"), (20, 0, "a"), (20, 0, "b"), (20, 1, "a"), (20, 1, "b")
    ]  # fmt: skip


def test_all_means_every_scenario_in_its_short_form() -> None:
    assert len(turns(Wish(list(SCENARIOS)))) == sum(len(one.short) for one in SCENARIOS.values())


async def small_ones_end(scenario: Scenario, size: int, settings: RigSettings, told: Report) -> Result:
    """A way to run in which sizes above ten do not end."""
    del settings
    told(scenario.name, 0)
    async with anyio.create_task_group():
        if size > 10:
            raise Stuck("after 1800 s 3 of 20 workflows had ended, 5 pods were seen")
    return Result(scenario.name, {"size": size}, wall_s=1.0, workflows=size)


async def test_a_run_that_does_not_end_is_a_result_and_the_others_go_on(tmp_path: Path) -> None:
    wish = Wish(["S6"], sizes=[20, 5])
    results = [run.result async for run in campaign(wish, lambda what, ended: None, small_ones_end)]

    assert [(one.failed, "error" in one.more) for one in results] == [(1, True), (0, False)]
    page = next(path for path in report.write(tmp_path, results, ["tiphys", "bench"]) if path.name == "README.md")
    assert "S6: after 1800 s 3 of 20 workflows had ended" in page.read_text()
    assert "| S6 | 5 | 5 |" in page.read_text()


def test_exceptions_are_found_in_groups_of_groups() -> None:
    inner = ExceptionGroup("inner", [Stuck("a"), Stuck("b")])

    assert [str(one) for one in leaves(ExceptionGroup("outer", [inner, Stuck("c")]))] == ["a", "b", "c"]


async def test_without_py_spy_there_is_no_flame_graph(tmp_path: Path) -> None:
    assert await flame.flame(tmp_path, RigSettings(tmp_path), lambda what, ended: None) is None


def test_stalls_are_shown_where_a_controller_tells_them() -> None:
    silent, telling = Result("S1", {}), Result("S1", {}, more={"controller_metrics": {report.STALLS: 2.0}})
    head, *rows = report.rows([silent, telling])

    assert [row[head.index("stalls")] for row in rows] == [report.NOT_MEASURED, "2"]
