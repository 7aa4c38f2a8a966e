"""What one process shows of several systems: each one's series with its shard, and the process's own as they are.

In the text format all samples of a metric stand together, so texts are taken apart by metric and put together again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from tiphys.observability import own

LABEL: Final = "shard"
WHOLE: Final = tuple(
    metric.name for metric in (own.CPU, own.MEMORY, own.VERSION, own.REQUESTS, own.REQUEST_DURATION, own.LOG_MESSAGES)
)
"""What is counted once for the process (the names may have a prefix)."""


class _Family:
    """A metric: what it is, and its samples."""

    def __init__(self) -> None:
        self.head: list[str] = []
        self.samples: list[str] = []


def merged(process: bytes, shards: Mapping[int, bytes]) -> bytes:
    """One text: of `process` what is the process's, of each shard all the rest."""
    found = {name: family for name, family in _families(process.decode()) if name.endswith(WHOLE)}
    for number, text in sorted(shards.items()):
        for name, family in _families(text.decode()):
            if name.endswith(WHOLE):
                continue
            kept = found.setdefault(name, _Family())
            kept.head = kept.head or family.head
            kept.samples += [_labelled(line, number) for line in family.samples]
    return _text(found.values()).encode()


def _families(text: str) -> Iterator[tuple[str, _Family]]:
    name, family = "", _Family()
    for line in text.splitlines():
        if line.startswith(("# HELP ", "# TYPE ")):
            told = line.split(" ", 3)[2]
            if told != name:
                if name:
                    yield name, family
                name, family = told, _Family()
            family.head.append(line)
        elif line and not line.startswith("#"):
            family.samples.append(line)
    if name:
        yield name, family


def _labelled(line: str, number: int) -> str:
    """The sample with its shard as the first label."""
    name, brace, rest = line.partition("{")
    if brace and " " not in name:
        return f'{name}{{{LABEL}="{number}"{"" if rest.startswith("}") else ","}{rest}'
    name, _, value = line.partition(" ")
    return f'{name}{{{LABEL}="{number}"}} {value}'


def _text(families: Iterable[_Family]) -> str:
    return "".join(f"{line}\n" for family in families for line in (*family.head, *family.samples))
