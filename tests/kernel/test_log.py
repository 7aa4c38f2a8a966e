"""The log: events with fields, above a level, in one of two forms."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator

import pytest
import structlog

from runtime import log


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    yield
    log._Threshold.level = "warning"
    structlog.reset_defaults()


def test_an_event_is_one_line_of_json_with_its_fields():
    stream = io.StringIO()
    log.configure(level="info", form="json", stream=stream)
    log.Log(room="node").bind(name="x").info("pod.created", node="n")
    line = json.loads(stream.getvalue())

    assert line.pop("timestamp").endswith("Z")
    assert line == {"event": "pod.created", "level": "info", "room": "node", "name": "x", "node": "n"}


def test_what_is_below_the_level_is_not_written():
    stream = io.StringIO()
    log.configure(level="warning", form="json", stream=stream)
    log.Log().info("pod.created")
    log.Log().debug("pod.created")
    log.Log().warning("pod.lost")

    assert json.loads(stream.getvalue())["event"] == "pod.lost"


@pytest.mark.parametrize("form", ["json", "console"])
def test_an_exception_shows_where(form: str):
    stream = io.StringIO()
    log.configure(level="info", form=form, stream=stream)
    try:
        int("no number")
    except ValueError as error:
        log.Log().exception("actor.crashed", exc_info=error)

    assert "actor.crashed" in stream.getvalue()
    assert "ValueError: invalid literal" in stream.getvalue()
    assert "test_an_exception_shows_where" in stream.getvalue()


def test_an_unknown_level_or_form_is_refused_with_the_choices():
    with pytest.raises(ValueError, match=r"'loud'.*use one of debug, info, warning, error"):
        log.configure(level="loud")
    with pytest.raises(ValueError, match="'xml' is unknown"):
        log.configure(form="xml")


def test_who_configures_nothing_hears_what_is_wrong_on_stderr(capsys: pytest.CaptureFixture[str]):
    log.Log().info("system.ready")
    log.Log().error("actor.crashed")
    captured = capsys.readouterr()

    assert captured.out == ""
    assert "actor.crashed" in captured.err
    assert "system.ready" not in captured.err
