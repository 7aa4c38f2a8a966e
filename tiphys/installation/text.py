"""Manifests as people read them: YAML, with the reason of every right beside its rule."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import yaml

from runtime.objects import Object
from tiphys.installation import roles

WIDTH: Final = 120


LINE: Final = 90
"""Letters of a list that still stands on one line."""


class _Dumper(yaml.SafeDumper):
    """Writes equal parts out instead of pointing at the first of them: an anchor is no part of a manifest."""

    def ignore_aliases(self, data: Any) -> bool:
        """Whether a value is written out; always."""
        return True

    def represent_list(self, values: Any) -> Any:
        """Short lists of words stand on one line."""
        flow = all(isinstance(value, str) for value in values) and sum(map(len, values)) < LINE
        return self.represent_sequence("tag:yaml.org,2002:seq", values, flow_style=flow)

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        """Lists stand two columns in, as kubectl's users write them."""
        del indentless
        return super().increase_indent(flow, False)


_Dumper.add_representer(list, _Dumper.represent_list)


def documents(things: Iterable[Object]) -> str:
    """A stream of documents."""
    return "---\n".join(document(thing) for thing in things)


def document(thing: Object) -> str:
    """One object; the rules of our roles carry their reasons as comments."""
    why = roles.reasons(thing)
    if not any(why):
        return plain(thing)
    head = plain({name: part for name, part in thing.items() if name != "rules"})
    rules = []
    for rule, words in zip(thing["rules"], why, strict=True):
        rules += [f"  # {word}\n" for word in words]
        first, *rest = plain(rule).splitlines(keepends=True)
        rules += [f"  - {first}", *(f"    {line}" for line in rest)]
    return f"{head}rules:\n{''.join(rules)}"


def plain(thing: Any) -> str:
    """Any object as YAML."""
    return yaml.dump(thing, Dumper=_Dumper, sort_keys=False, width=WIDTH, allow_unicode=True)
