"""What an output can show: colours, letters beyond ASCII, a live picture.

Asked once, from the stream and the environment; everything that draws takes the answer as a value.
"""

from __future__ import annotations

import os
from typing import Final, NamedTuple, TextIO

from tiphys.cli.tree import COLOURS, PLAIN_ICONS, PLAIN_LINES

_CODES: Final = {"green": "32", "red": "31", "yellow": "33", "cyan": "36", "bright_black": "90", "bold": "1"}
_ASCII: Final = str.maketrans({**PLAIN_ICONS, **PLAIN_LINES, "…": "."})


class Screen(NamedTuple):
    """The abilities of one output."""

    colour: bool = False
    utf8: bool = True
    live: bool = False  # a terminal that can redraw
    width: int = 0  # cells in a row; 0 when there is no limit

    def paint(self, text: str, colour: str) -> str:
        """The text in a colour, where colours are wanted."""
        return f"\x1b[{_CODES[colour]}m{text}\x1b[0m" if self.colour and text else text

    def icon(self, icon: str) -> str:
        """An icon in its own colour."""
        return self.paint(self.plain(icon), COLOURS.get(icon, "bold"))

    def plain(self, text: str) -> str:
        """The text in letters that the output has."""
        return text if self.utf8 else text.translate(_ASCII)


def screen_of(stream: TextIO, *, no_colour: bool = False, no_utf8: bool = False) -> Screen:
    """What `stream` can show. NO_COLOR and TERM=dumb are respected; unknown letters will be shown as `?`."""
    terminal = stream.isatty()
    dumb = os.environ.get("TERM") in (None, "", "dumb")
    plain = no_colour or bool(os.environ.get("NO_COLOR")) or dumb or not terminal
    utf8 = (getattr(stream, "encoding", "") or "").lower().replace("-", "") == "utf8"
    if hasattr(stream, "reconfigure"):
        stream.reconfigure(errors="replace")
    cells = os.get_terminal_size(stream.fileno()).columns if terminal else 0
    return Screen(colour=not plain, utf8=utf8 and not no_utf8, live=terminal and not dumb, width=cells)
