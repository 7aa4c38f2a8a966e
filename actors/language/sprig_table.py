"""The `sprig` map."""

from __future__ import annotations

from actors.language.native import Native

SPRIG: dict[str, Native] = {}
