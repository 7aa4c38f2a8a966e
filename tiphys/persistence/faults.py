"""What a database answers becomes one of the runtime's errors, by what to do next: back off, or tell somebody.

Only the class and the first line of a driver's text are passed on: statements and their values are nobody's business.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy.exc as sql

from runtime.api import ApiError, Refused, Unavailable

_AWAY_STATES = ("08", "28", "53", "55P03", "57", "40", "25006")
"""SQLSTATEs, or their beginnings, of what passes: no connection, a password that
was changed, no room, a shutdown, a lost race, a standby."""


@contextmanager
def answers(place: str) -> Iterator[None]:
    """Whatever the database raises inside is raised as Unavailable or Refused."""
    try:
        yield
    except ApiError:
        raise
    except sql.TimeoutError as error:
        raise Unavailable(f"the database {place} is busy: no connection is free") from error
    except sql.DBAPIError as error:
        raise of_driver(error, place) from error
    except sql.SQLAlchemyError as error:
        raise Refused(f"the database {place} refuses: {_first_line(error)}") from error
    except (OSError, TimeoutError) as error:
        raise Unavailable(f"the database {place} does not answer: {_first_line(error)}") from error


def of_driver(error: sql.DBAPIError, place: str) -> ApiError:
    """A driver's error by what to do next."""
    original: BaseException = error.orig or error
    state = str(getattr(original, "sqlstate", None) or getattr(original.__cause__, "sqlstate", None) or "")
    text = _first_line(original)
    cause = original.__cause__
    lost = error.connection_invalidated or isinstance(cause, OSError | TimeoutError)
    if lost or state.startswith(_AWAY_STATES) or isinstance(original, sqlite3.OperationalError):
        return Unavailable(f"the database {place} does not answer: {text}")
    if isinstance(error, sql.InterfaceError | sql.OperationalError) and not state:
        return Unavailable(f"the database {place} does not answer: {text}")
    return Refused(f"the database {place} refuses: {text}")


def _first_line(error: BaseException) -> str:
    text = str(error).strip().split("\n", 1)[0]
    if isinstance(error, sql.SQLAlchemyError) or not text:
        return type(error).__name__ if not text or "[SQL" in text else text
    return text.rpartition("<class '")[2].partition(">: ")[2] or text
