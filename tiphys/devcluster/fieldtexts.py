"""What `kubectl explain` says of a built-in field is what the installed client library says of it.

Its model files are read as text, one by one and only when somebody asks: importing them takes half a second.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

_JSON_NAMES = re.compile(r"attribute_map = \{(.*?)\n    \}", re.S)
_PAIR = re.compile(r"'(\w+)': '([^']+)'")
_GETTER = re.compile(r'    def (\w+)\(self\):\n        """Gets the [^"]*?noqa: E501\n(.*?)"""', re.S)
_REQUIRED = re.compile(r"Invalid value for `(\w+)`, must not be `None`")


class Texts(NamedTuple):
    """The fields of one message: what each is for, and which must be there."""

    descriptions: dict[str, str]
    required: tuple[str, ...]


@cache
def _models() -> dict[str, Path]:
    """The library's model files by their name without underscores."""
    spec = find_spec("kubernetes_asyncio")
    folder = Path(spec.origin).parent / "client" / "models" if spec and spec.origin else Path()
    return {file.stem.replace("_", ""): file for file in folder.glob("*.py")}


@cache
def texts(message: str) -> Texts:
    """What is said of a message ("core.v1.PodSpec"); nothing when the library does not know it."""
    group, version, name = message.split(".")
    names = (f"{version}{name}".lower(), f"{group}{version}{name}".lower())
    file = next((_models()[stem] for stem in names if stem in _models()), None)
    found = _JSON_NAMES.search(source := file.read_text()) if file is not None else None
    if found is None:
        return Texts({}, ())
    json_names = dict(_PAIR.findall(found[1]))
    said = {json_names.get(name, name): text for name, text in _GETTER.findall(source)}
    required = {json_names.get(name, name) for name in _REQUIRED.findall(source)}
    return Texts({name: _plain(text) for name, text in said.items()}, tuple(sorted(required)))


def _plain(text: str) -> str:
    return text.partition(":return:")[0].replace("  # noqa: E501", "").replace('\\"', '"').strip()
