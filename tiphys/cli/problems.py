"""A problem says where it is, what is wrong and what to do; the command line ends with exit code 2 on one.

Every command raises `InputError` for what the person at the keyboard can repair; only `main` catches it.
"""

from __future__ import annotations

from typing import NamedTuple

EXIT_SUCCEEDED = 0
EXIT_FAILED = 1
EXIT_BAD_INPUT = 2


class Problem(NamedTuple):
    """One thing to repair. `line` 0 means that the problem belongs to no line."""

    message: str
    source: str = ""  # the file as it was named, "-" for standard input
    line: int = 0
    object: str = ""  # "Workflow/hello"
    column: int = 0  # from 1; 0 when only the line is known

    def __str__(self) -> str:
        """Write it as compilers do: file:line: object: message."""
        where = f"{self.source}:{self.line}" if self.line and self.source else self.source
        return ": ".join(part for part in (where, self.object, self.message) if part)


class InputError(Exception):
    """The input cannot be used; `problems` says why, one line each."""

    def __init__(self, *problems: Problem | str) -> None:
        self.problems = [Problem(problem) if isinstance(problem, str) else problem for problem in problems]
        super().__init__("\n".join(str(problem) for problem in self.problems))
