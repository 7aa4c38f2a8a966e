"""kubectl's JSONPath templates: text with `{.paths}` in braces, as in `get -o jsonpath=…`.

Several values are written with blanks between them, maps and lists as JSON; what is not there is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any, NamedTuple

from actors.language.gotext import printed
from actors.language.jsonpath import Keys, PathError, parse_path, select
from actors.language.jsontext import dumps

OUTPUT_MAX = 1_000_000  # characters
NESTING_MAX = 20  # of {range}
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", '"': '"', "'": "'", "\\": "\\"}


class _Block(NamedTuple):
    """A piece of a template: literal text, a path, or a range over a path with the pieces inside."""

    kind: str
    text: str
    inner: tuple[_Block, ...] = ()


def render_template(template: str, value: Any) -> str:
    """Write what a template finds in an object; text outside braces stands for itself. Raises PathError."""
    out: list[str] = []
    room = OUTPUT_MAX
    for piece in _written(_blocks(template), value, value):
        room -= len(piece)
        if room < 0:
            raise PathError(f"the JSONPath template makes more than {OUTPUT_MAX} characters")
        out.append(piece)
    return "".join(out)


def find(template: str, value: Any) -> list[Any]:
    """The values that a template finds, in order; text outside braces is a value of its own. Raises PathError."""
    found: list[Any] = []
    for block in _blocks(template):
        if block.kind == "text":
            found.append(block.text)
        elif block.kind == "path":
            found += _found(block.text, value, value)
        else:
            raise PathError("{range} stands where one value is looked for")
    return found


def _written(blocks: tuple[_Block, ...], current: Any, root: Any) -> Iterator[str]:
    for block in blocks:
        if block.kind == "text":
            yield block.text
        elif block.kind == "path":
            yield " ".join(map(_shown, _found(block.text, current, root)))
        else:
            for element in _found(block.text, current, root):
                yield from _written(block.inner, element, root)


def _found(path: str, current: Any, root: Any) -> list[Any]:
    values = [root if path.startswith("$") else current]
    for step in parse_path(path):
        if not isinstance(step, Keys):
            values = select(values, (step,), root)
            continue
        _check_indexes(step, values)
        values = [found for name in step.names for found in select(values, (Keys((name,)),), root)]
    return values


def _check_indexes(step: Keys, values: list[Any]) -> None:
    for name in step.names:
        for value in values:
            if isinstance(value, list) and isinstance(name, int) and not -len(value) <= name < len(value):
                raise PathError(f"array index out of bounds: index {name}, length {len(value)}")


def _shown(value: Any) -> str:
    if value is None:
        return "null"
    return dumps(value) if isinstance(value, (dict, list)) else printed(value)


@lru_cache(maxsize=512)
def _blocks(template: str) -> tuple[_Block, ...]:
    reader = _Reader(template)
    blocks = reader.blocks(depth=0)
    return tuple(blocks)


class _Reader:
    """Reads one template from left to right."""

    def __init__(self, template: str) -> None:
        self._template = template
        self._at = 0

    def blocks(self, *, depth: int) -> list[_Block]:
        if depth > NESTING_MAX:
            raise PathError(f"a JSONPath template nests more than {NESTING_MAX} ranges")
        found: list[_Block] = []
        while self._at < len(self._template):
            start = self._template.find("{", self._at)
            if start != self._at:
                end = start if start >= 0 else len(self._template)
                found.append(_Block("text", self._template[self._at : end]))
                self._at = end
                continue
            action = self._action()
            if action == "end":
                if not depth:
                    raise PathError("unexpected {end} in a JSONPath template")
                return found
            found.append(self._block(action, depth))
        return found  # a {range} that is not closed reaches to the end

    def _block(self, action: str, depth: int) -> _Block:
        word, _, rest = action.partition(" ")
        if word == "range":
            return _Block("range", rest.strip(), tuple(self.blocks(depth=depth + 1)))
        if action[:1] in {"'", '"'}:
            return _Block("text", _unquoted(action))
        return _Block("path", action)

    def _action(self) -> str:
        """Take what stands between braces; braces in quotes do not count."""
        quote = ""
        for at in range(self._at + 1, len(self._template)):
            character = self._template[at]
            if quote:
                quote = "" if character == quote and self._template[at - 1] != "\\" else quote
            elif character in "'\"":
                quote = character
            elif character == "}":
                action = self._template[self._at + 1 : at].strip()
                self._at = at + 1
                return action
        raise PathError(f"unclosed action in the JSONPath template '{self._template}'")


def _unquoted(text: str) -> str:
    out: list[str] = []
    characters: Callable[[], str | None] = iter([*text[1:-1], None]).__next__
    while (character := characters()) is not None:
        if character == "\\":
            following = characters() or ""
            out.append(_ESCAPES.get(following, f"\\{following}"))
        else:
            out.append(character)
    return "".join(out)
