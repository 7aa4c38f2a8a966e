"""One log for the whole system: events are `noun.verb` with fields, written by structlog.

structlog is imported at the first line written, not before: a command line that logs nothing should not pay for it.
"""

from __future__ import annotations

import sys
import traceback
from typing import Any, TextIO

WRITTEN: dict[str, int] = {}
"""Lines so far by their level, those below the threshold too: who hears of no debugging may still count it."""


class Log:
    """A logger with bound fields; `bind` gives a new one."""

    __slots__ = ("_fields",)

    def __init__(self, **fields: Any) -> None:
        self._fields = fields

    def bind(self, **fields: Any) -> Log:
        """The same log with more fields on every line."""
        return Log(**self._fields, **fields)

    def debug(self, event: str, **fields: Any) -> None:
        """What only somebody who hunts a bug wants to read."""
        self._write("debug", event, fields)

    def info(self, event: str, **fields: Any) -> None:
        """What an operator wants to have read afterwards."""
        self._write("info", event, fields)

    def warning(self, event: str, **fields: Any) -> None:
        """Something is wrong outside, and we go on."""
        self._write("warning", event, fields)

    def error(self, event: str, **fields: Any) -> None:
        """Something is wrong with us."""
        self._write("error", event, fields)

    def exception(self, event: str, *, exc_info: BaseException, **fields: Any) -> None:
        """Something is wrong with us, and here is where."""
        self._write("error", event, {**fields, "exc_info": exc_info})

    def _write(self, level: str, event: str, fields: dict[str, Any]) -> None:
        WRITTEN[level] = WRITTEN.get(level, 0) + 1
        if LEVELS[level] < LEVELS[_Threshold.level]:
            return
        import structlog  # noqa: PLC0415  # 50 ms that a quiet command should not pay

        if not structlog.is_configured():
            configure(level=_Threshold.level)
        getattr(structlog.get_logger(), level)(event, **{**self._fields, **fields})


def _plain(stream: TextIO, error: Any) -> None:
    # structlog's own choice prints the local variables too: slow, long, and a user's secrets may be among them.
    traceback.print_exception(*error, file=stream)


LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}


class _Threshold:
    level = "warning"  # until `configure`: whoever has not asked for a log still hears what is wrong


def configure(*, level: str = "info", form: str = "auto", stream: TextIO | None = None) -> None:
    """Set what is written and how. `form` is "json", "console", or "auto" (console on a terminal, else json).

    Raises ValueError for an unknown level or form."""
    if level not in LEVELS or form not in {"auto", "json", "console"}:
        raise ValueError(
            f"log level {level!r} or form {form!r} is unknown: use one of {', '.join(LEVELS)} and auto, json or console"
        )
    import structlog  # noqa: PLC0415  # see _write

    _Threshold.level = level
    terminal = (stream or sys.stderr).isatty()
    as_json = form == "json" or (form == "auto" and not terminal)
    chain: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if as_json:
        chain += [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    else:
        chain.append(structlog.dev.ConsoleRenderer(colors=terminal, exception_formatter=_plain))
    structlog.configure(
        processors=chain,
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=lambda *_: structlog.PrintLogger(stream or sys.stderr),  # which may be another by then
        cache_logger_on_first_use=False,
    )
