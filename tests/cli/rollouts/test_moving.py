"""An update that moves is written row by row, none too early and none twice."""

from __future__ import annotations

import io

from tiphys.cli.rollouts.moving import Keyboard, RowWriter, complaints
from tiphys.cli.screen import Screen
from tiphys.simulate.timeline import Moment, Timeline


class Seconds:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def moment(at_s: float, phase: str) -> Moment:
    return Moment(at_s, phase, "", "1/2", 20, (4, 4), (1, 1))


def test_a_row_is_written_once_its_second_is_over_and_no_sooner() -> None:
    out, seconds, timeline = io.StringIO(), Seconds(), Timeline()
    writer = RowWriter(out, Screen(), seconds)
    timeline.add(moment(0.0, "Progressing"))
    writer.see(timeline)
    writer.settle()
    assert out.getvalue().split() == ["TIME", "PHASE", "STEP", "WEIGHT", "STABLE", "NEW"]
    timeline.add(moment(0.5, "Paused"))  # within the same second: it takes the row's place
    writer.see(timeline)
    seconds.now += 1.0
    writer.settle()
    writer.finish()
    lines = out.getvalue().splitlines()
    assert [line.split()[:2] for line in lines[1:]] == [["0s", "Paused"]]


def test_a_later_moment_settles_the_one_before_it() -> None:
    out, timeline = io.StringIO(), Timeline()
    writer = RowWriter(out, Screen(), Seconds())
    for at_s, phase in ((0.0, "Progressing"), (3.0, "Paused"), (9.0, "Healthy")):
        timeline.add(moment(at_s, phase))
        writer.see(timeline)
    assert [line.split()[1] for line in out.getvalue().splitlines()[1:]] == ["Progressing", "Paused"]
    writer.finish()
    assert out.getvalue().splitlines()[-1].split()[:2] == ["9s", "Healthy"]


def test_without_a_stream_nothing_is_written() -> None:
    timeline = Timeline()
    writer = RowWriter(None, Screen(), Seconds())
    timeline.add(moment(0.0, "Progressing"))
    writer.see(timeline)
    writer.finish()


def test_a_key_pressed_before_it_waited_promotes_nothing() -> None:
    out = io.StringIO()
    person = Keyboard(RowWriter(out, Screen()))
    person.press()
    assert person.answers("a pause", 0.0) is False
    person.press()
    assert person.answers("a pause", 0.5) is True
    assert person.answers("a pause", 0.0) is False
    assert out.getvalue().count("press Enter to promote") == 2


def test_a_container_that_will_not_run_is_told_once_with_the_reason() -> None:
    waiting = {"reason": "CrashLoopBackOff", "message": "back-off 10s"}
    ended = {"terminated": {"message": "no command specified"}}
    status = {"image": "app:1", "state": {"waiting": waiting}, "lastState": ended}
    pods = [{"metadata": {"name": name}, "status": {"containerStatuses": [status]}} for name in ("a", "b")]
    told: set[str] = set()
    assert list(complaints(pods, told)) == ["⚠ pod a: CrashLoopBackOff: no command specified"]
    assert list(complaints(pods, told)) == []


def test_a_container_that_is_only_starting_is_no_complaint() -> None:
    status = {"image": "app:1", "state": {"waiting": {"reason": "ContainerCreating"}}}
    assert list(complaints([{"metadata": {"name": "a"}, "status": {"containerStatuses": [status]}}], set())) == []
