"""Regular expressions are RE2's, as in Go: no pattern of a user can hang the controller."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import re2

PATTERN_MEMORY_MAX = 8 << 20  # bytes RE2 may spend on one pattern; beyond, it refuses the pattern


class RegexError(ValueError):
    """A pattern RE2 does not accept."""


def _options() -> Any:
    options = re2.Options()
    options.log_errors = False
    options.max_mem = PATTERN_MEMORY_MAX
    return options


_OPTIONS = _options()


@lru_cache(maxsize=1024)
def compile_regex(pattern: str) -> Any:
    """Compile a pattern in Go's syntax. Raises RegexError with the reason."""
    try:
        return re2.compile(pattern, options=_OPTIONS)
    except re2.error as error:
        reason = error.args[0] if error.args else "unknown"
        text = reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)
        raise RegexError(f"error parsing regexp: {text}") from None
