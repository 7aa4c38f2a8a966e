"""PostgreSQL's JSON has no NUL characters: they travel as upstream's word for them, and come back as themselves."""

from __future__ import annotations

from typing import Any, Final

import orjson

WORD: Final = "ARGO_POSTGRES_NULL_REPLACEMENT"
_MAY_HAVE_ONE: Final = b"\\u0000"


def without_nul(value: Any) -> Any:
    """The value, with the word for every NUL; the very value where there is none."""
    return _replaced(value) if _MAY_HAVE_ONE in orjson.dumps(value) else value


def _replaced(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\0", WORD)
    if isinstance(value, dict):
        return {_replaced(key): _replaced(entry) for key, entry in value.items()}
    return [_replaced(entry) for entry in value] if isinstance(value, list) else value


def read_json(text: str | bytes) -> Any:
    """JSON out of a database, with its NULs."""
    if isinstance(text, bytes):
        text = text.decode()
    return orjson.loads(text.replace(WORD, "\\u0000") if WORD in text else text)
