"""OTP's promises for static children, on virtual time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest

from runtime.restarts import Budget
from runtime.supervisor import Child, Escalated, Reaction, Supervisor, react

pytestmark = [pytest.mark.virtual_time, pytest.mark.usefixtures("quiet")]

PERMANENT = ["permanent"] * 4


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        ("one_for_one", Reaction((), (1,))),
        ("one_for_all", Reaction((3, 2, 0), (0, 1, 2, 3))),
        ("rest_for_one", Reaction((3, 2), (1, 2, 3))),
    ],
)
def test_a_strategy_says_who_is_stopped_in_reverse_and_who_is_started_in_order(strategy, expected):
    assert react(strategy, PERMANENT, 1, failed=True) == expected
    assert react(strategy, PERMANENT, 1, failed=False) == expected


@pytest.mark.parametrize("strategy", ["one_for_one", "one_for_all", "rest_for_one"])
def test_transient_children_end_normally_and_temporary_ones_stay_down(strategy):
    kinds = ["permanent", "transient", "temporary", "permanent"]
    assert react(strategy, kinds, 1, failed=False) == Reaction()
    assert react(strategy, kinds, 1, failed=True).start
    assert react(strategy, kinds, 2, failed=True) == Reaction()
    assert 2 not in react("one_for_all", kinds, 0, failed=True).start


class Tree:
    """Children that note what happens to them, and fall when told."""

    def __init__(self, *names: str, slow_s: float = 0.0) -> None:
        self.notes: list[str] = []
        self.names = names
        self.slow_s = slow_s
        self.fall: dict[str, anyio.Event] = {}
        self.broken: set[str] = set()

    def child(self, name: str, **options: Any) -> Child:
        async def run(*, task_status: Any) -> None:
            if name in self.broken:
                raise RuntimeError(f"{name} cannot start")
            self.fall[name] = anyio.Event()
            self.notes.append(f"+{name}")
            task_status.started()
            try:
                await self.fall[name].wait()
            except BaseException:
                with anyio.CancelScope(shield=True):
                    await anyio.sleep(self.slow_s)
                self.notes.append(f"-{name}")
                raise
            raise RuntimeError(f"{name} fell")

        return Child(name, run, **options)

    def children(self, **options: Any) -> list[Child]:
        return [self.child(name, **options) for name in self.names]

    async def drop(self, name: str) -> list[str]:
        """Let one fall; what happened then."""
        self.notes.clear()
        self.fall[name].set()
        await anyio.sleep(1)
        return list(self.notes)


async def running(supervisor: Supervisor, body: Callable[[], Awaitable[None]]) -> None:
    async with anyio.create_task_group() as tasks:
        await tasks.start(supervisor.run)
        await body()
        tasks.cancel_scope.cancel()


@pytest.mark.parametrize(
    ("strategy", "happened"),
    [
        ("one_for_one", ["+b"]),
        ("one_for_all", ["-c", "-a", "+a", "+b", "+c"]),
        ("rest_for_one", ["-c", "+b", "+c"]),
    ],
)
async def test_a_fallen_child_is_restarted_by_the_strategy(strategy, happened):
    tree = Tree("a", "b", "c")

    async def body() -> None:
        assert tree.notes == ["+a", "+b", "+c"]
        assert await tree.drop("b") == happened

    await running(Supervisor("s", tree.children(), strategy=strategy), body)


async def test_children_stop_in_reverse_one_after_the_other():
    tree = Tree("a", "b", "c", slow_s=2.0)

    async def body() -> None:
        tree.notes.clear()

    supervisor = Supervisor("s", tree.children())
    await running(supervisor, body)
    assert tree.notes == ["-c", "-b", "-a"]
    assert supervisor.stopped_cleanly


async def test_a_child_that_is_late_to_stop_is_reported():
    tree = Tree("a", slow_s=60.0)

    async def body() -> None: ...

    supervisor = Supervisor("s", tree.children(shutdown_s=5.0))
    await running(supervisor, body)
    assert not supervisor.stopped_cleanly


async def test_a_child_may_drain_within_its_time():
    tree = Tree("a")
    drained: list[str] = []

    async def drain() -> None:
        await anyio.sleep(3)
        drained.append("a")

    async def never() -> None:
        await anyio.sleep_forever()

    async def body() -> None: ...

    await running(Supervisor("s", tree.children(drain=drain)), body)
    assert drained == ["a"]
    supervisor = Supervisor("s", tree.children(drain=never))
    await running(supervisor, body)
    assert not supervisor.stopped_cleanly


async def test_too_many_restarts_escalate_and_take_all_down():
    tree = Tree("a", "b")
    supervisor = Supervisor("s", tree.children(), budget=Budget(2, 60.0), monotonic=anyio.current_time)
    with pytest.raises(ExceptionGroup) as raised:  # noqa: PT012  # the group is what raises
        async with anyio.create_task_group() as tasks:
            await tasks.start(supervisor.run)
            await tree.drop("a")
            await tree.drop("a")
            assert await tree.drop("a") == ["-b"]
    (error,) = raised.value.exceptions
    assert isinstance(error, Escalated)
    assert str(error) == "s: more than 2 restarts in 60 s, the last of a"
    assert str(error.__cause__) == "a fell"


async def test_restarts_spread_over_time_do_not_escalate():
    tree = Tree("a")

    async def body() -> None:
        for _ in range(10):
            await tree.drop("a")
            await anyio.sleep(40)

    await running(Supervisor("s", tree.children(), budget=Budget(2, 60.0), monotonic=anyio.current_time), body)


async def test_an_escalation_is_a_fall_one_floor_up():
    tree = Tree("inner")
    inner = Supervisor("inner", tree.children(), budget=Budget(0, 60.0))
    outer = Supervisor("outer", [Child("inner", inner.run)])

    async def body() -> None:
        assert await tree.drop("inner") == ["+inner"]
        assert outer.statistics()[0].starts == 2

    await running(outer, body)


async def test_a_start_that_fails_stops_in_reverse_those_already_started():
    tree = Tree("a", "b", "c")
    tree.broken.add("c")
    with pytest.raises(Escalated, match="s: c did not start: c cannot start"):
        await Supervisor("s", tree.children()).run()
    assert tree.notes == ["+a", "+b", "-b", "-a"]


async def test_a_restart_that_fails_counts_as_a_restart():
    tree = Tree("a")
    supervisor = Supervisor("s", tree.children(), budget=Budget(3, 60.0))
    with pytest.raises(ExceptionGroup):  # noqa: PT012  # the group is what raises
        async with anyio.create_task_group() as tasks:
            await tasks.start(supervisor.run)
            tree.broken.add("a")
            await tree.drop("a")
            await anyio.sleep(1)
    assert supervisor.statistics()[0].starts == 4


async def test_a_supervisor_whose_children_have_all_ended_ends():
    async def once(*, task_status: Any) -> None:
        task_status.started()

    async def silent(*, task_status: Any) -> None: ...

    await Supervisor("s", [Child("a", once, "transient"), Child("b", silent, "temporary")]).run()
