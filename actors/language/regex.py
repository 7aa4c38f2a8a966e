"""Regular expressions are RE2's, as in Go: no pattern of a user can hang the controller."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import re2

PATTERN_MEMORY_MAX = 8 << 20  # bytes RE2 may spend on one pattern; beyond, it refuses the pattern


_GO_WORDS = {
    "missing )": "missing closing )",
    "missing ]": "missing closing ]",
    "no argument for repetition operator": "missing argument to repetition operator",
    "bad repetition operator": "invalid nested repetition operator",
    "trailing \\": "trailing backslash at end of expression",
    "invalid perl operator": "invalid or unsupported Perl syntax",
    "pattern too large - compile failed": "expression too large",
}


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
        what, colon, where = text.partition(": ")
        place = f": `{where}`" if colon else ""
        raise RegexError(f"error parsing regexp: {_GO_WORDS.get(what, what)}{place}") from None
