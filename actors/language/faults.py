"""What goes wrong in an expression: a `Fault` inside, an `ExpressionError` with its place for the caller."""

from __future__ import annotations


class Fault(Exception):
    """An operation its values do not allow; the node that holds it adds where it stands."""


class ExpressionError(ValueError):
    """An expression that cannot be read or evaluated: what is wrong, and at which line and column (from 1)."""

    def __init__(self, message: str, line: int = 1, column: int = 1, source_line: str = "") -> None:
        super().__init__(message, line, column, source_line)
        self.message = message
        self.line = line
        self.column = column
        self.source_line = source_line

    def __str__(self) -> str:
        if not self.source_line:
            return f"{self.message} ({self.line}:{self.column})"
        pointer = "." * (self.column - 1) + "^"
        shown = self.source_line.replace("\t", " ")
        return f"{self.message} ({self.line}:{self.column})\n | {shown}\n | {pointer}"


class BudgetExceeded(ExpressionError):
    """An expression that would take too long or make too much."""


def located(message: str, text: str, position: int) -> ExpressionError:
    """Make an error at a character position of an expression."""
    line, column, source_line = _place(text, position)
    return ExpressionError(message, line, column, source_line)


def over_budget(message: str, text: str, position: int) -> BudgetExceeded:
    """Make a budget error at a character position of an expression."""
    line, column, source_line = _place(text, position)
    return BudgetExceeded(message, line, column, source_line)


def _place(text: str, position: int) -> tuple[int, int, str]:
    position = max(0, min(position, len(text)))
    start = text.rfind("\n", 0, position) + 1
    end = text.find("\n", start)
    return text.count("\n", 0, position) + 1, position - start + 1, text[start : end if end >= 0 else len(text)]
