"""The language's own functions, by name."""

from __future__ import annotations

from actors.language.builtin_lists import LISTS
from actors.language.builtin_numbers import NUMBERS
from actors.language.builtin_text import TEXT
from actors.language.native import Native

BUILTINS: dict[str, Native] = {
    name: Native(name, signature, function)
    for table in (TEXT, NUMBERS, LISTS)
    for name, (signature, function) in table.items()
}
