"""What a program of ours says goes to its stdout, and to a file when logs are archived."""

from __future__ import annotations

import sys
from pathlib import Path


class Log:
    """Where the program says what it does: its stdout, and a file when logs are archived."""

    def __init__(self, copy: Path | None = None) -> None:
        self._copy = copy

    def say(self, line: str) -> None:
        """One line."""
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
        if self._copy is not None:
            with self._copy.open("a", encoding="utf-8") as file:
                file.write(line + "\n")
