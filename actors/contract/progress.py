"""Progress as a program says it of itself: the last line `N/M` of what it has written."""

from __future__ import annotations

TAIL_BYTES = 4096  # of a file that is only ever appended to
_DIGITS_MAX = 18


def last_progress(written: bytes) -> str:
    """The last `N/M` with whole numbers, 0 <= N <= M and M > 0 (PROG-2); empty when no line says one."""
    for line in reversed(written.split(b"\n")):
        done, _, total = line.strip().partition(b"/")
        digits = done.isdigit() and total.isdigit() and max(len(done), len(total)) <= _DIGITS_MAX
        if digits and int(total) > 0 and int(done) <= int(total):
            return line.strip().decode()
    return ""
