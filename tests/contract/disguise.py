"""A recorded conversation in other words: names, labels, namespace and custom kind changed, the rest as it was.

The new names keep the order of the old ones, so that pages and lists come in the recorded order.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from random import Random
from typing import Any

_WORD = re.compile(r"[a-z][a-z0-9]*")
_CONDITIONS = frozenset({"in", "notin"})


NAMED = (("metadata", "name"), ("details", "name"), ("involvedObject", "name"), ("rows", "cells"))
RECORDED_NAMESPACE = re.compile(r"\{ns\}|(?<=nope-)lab\b")


@dataclass
class Disguise:
    """One seed's other words."""

    namespace: str
    prefix: str  # of objects' names
    mark: str  # behind label keys and values
    custom: dict[str, str]  # what the custom kind's words become
    names: set[str] = field(default_factory=set)
    labels: set[str] = field(default_factory=set)
    pairs: set[tuple[str, str]] = field(default_factory=set)

    @classmethod
    def of(cls, dice: Random, steps: list[Any]) -> Disguise:
        """Other words for the names and labels that the requests of a conversation use."""
        letters = "".join(dice.choice("bcdfghjkm") for _ in range(7))  # no two scenarios share a namespace
        noun = "x" + "".join(dice.choice("aeiou") + dice.choice("lmnrst") for _ in range(3))
        custom = {
            "lab.example.com": f"{letters}.example.org",
            "Gizmo": noun.capitalize(),
            "gizmo": noun,
            "gz": noun[:3],
        }
        found = cls(f"ns-{letters}", f"{letters}-", dice.choice("uvwyz") + str(dice.randrange(100)), custom)
        for step in steps:
            found._learn(step["request"])
        return found

    @classmethod
    def none(cls, namespace: str) -> Disguise:
        """The recorded words themselves."""
        return cls(namespace, "", "", {})

    def _learn(self, request: Any) -> None:
        parts = request["path"].partition("?")[0].split("/{ns}/")
        if len(parts) > 1 and "/" in parts[1]:
            self.names.add(parts[1].split("/")[1])
        for labels in _label_maps(request.get("body")):
            self.labels |= set(labels) | {v for v in labels.values() if v}
            self.pairs |= {(k, v) for k, v in labels.items() if v}
        if isinstance(request.get("body"), dict):
            name = (request["body"].get("metadata") or {}).get("name")
            if name and _WORD.match(name):
                self.names.add(name)

    # -------------------------------------------------------------------------------------------- words

    def name(self, name: str) -> str:
        """An object's new name."""
        return self.prefix + name if name in self.names else name

    def label(self, word: str) -> str:
        """A label's new key or value."""
        return word + self.mark if word in self.labels and _WORD.fullmatch(word) else word

    def text(self, value: str) -> str:
        """What every text undergoes: the namespace and the custom kind."""
        value = RECORDED_NAMESPACE.sub(self.namespace, value)
        for old, new in self.custom.items():
            value = re.sub(rf"\b{old}(?=\b|s\b|List\b)", new, value)
        return value

    # -------------------------------------------------------------------------------------------- requests, answers

    def path(self, path: str) -> str:
        """A request's path and query."""
        place, mark, query = path.partition("?")
        head, ns, tail = place.partition("/{ns}/")
        parts = tail.split("/")
        if len(parts) > 1:
            parts[1] = self.name(parts[1])
        query = re.sub(r"(?<=metadata\.name%3D)\w+", lambda found: self.name(found[0]), query)
        if "bad+selector" not in query:
            query = re.sub(r"(?<=labelSelector=)[^&]*", lambda found: self._selector(found[0]), query)
        return self.text(head + ns + "/".join(parts) + mark + query)

    def _selector(self, text: str) -> str:
        word = re.compile(r"%3D|[a-z][a-z0-9]*|\d+")
        return word.sub(lambda f: f[0] if f[0] in _CONDITIONS | {"%3D"} else self.label(f[0]), text)

    def value(self, value: Any, path: tuple[str, ...] = ()) -> Any:
        """A body, of a request or an answer."""
        if isinstance(value, dict):
            if _is_label_map(path) and not any(isinstance(v, dict) for v in value.values()):
                return {
                    self.label(k): self.name(v) if k.endswith("job-name") else self.label(v) if v else v
                    for k, v in value.items()
                }
            return {self.text(k): self.value(v, (*path, k)) for k, v in value.items()}
        if isinstance(value, list):
            return [self.value(item, path) for item in value]
        return self._string(value, path) if isinstance(value, str) else value

    def _string(self, value: str, path: tuple[str, ...]) -> str:
        if path[-2:] in NAMED:
            return self.text(self.name(value))
        if path[-1:] == ("message",):
            for name in self.names:
                value = value.replace(f'"{name}"', f'"{self.name(name)}"').replace(f"({name})", f"({self.name(name)})")
            for k, v in self.pairs:
                value = value.replace(f'"{k}":"{v}"', f'"{self.label(k)}":"{self.label(v)}"')
        if path[-2:] == ("status", "selector"):
            return re.sub(r"\w+", lambda found: self.label(found[0]), value)
        return self.text(value)


def _is_label_map(path: tuple[str, ...]) -> bool:
    return path[-1:] in (("labels",), ("matchLabels",)) or path[-2:] == ("spec", "selector")


def _label_maps(value: Any, path: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    if isinstance(value, list):
        return [found for item in value for found in _label_maps(item, path)]
    if not isinstance(value, dict):
        return []
    if _is_label_map(path) and all(v is None or isinstance(v, str) for v in value.values()):
        return [value]
    return [found for k, v in value.items() for found in _label_maps(v, (*path, k))]


def definition(disguise: Disguise, crd: Any) -> Any:
    """The custom kind under its other name."""
    return json.loads(disguise.text(json.dumps(crd)))
