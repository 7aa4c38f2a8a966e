"""What validation has found so far, and the few questions all of its parts ask."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, TypeAlias

from crds.problems import Problem

Json: TypeAlias = Mapping[str, Any]

FIELD_NAME_MAX = 128
FIELD_NAME = re.compile(r"[a-zA-Z0-9][-a-zA-Z0-9]*")
PARAMETER_NAME = re.compile(r"[-a-zA-Z0-9_]+")
TAG = re.compile(r"\{\{.*?\}\}", re.DOTALL)

FIELD_NAME_RULE = (
    "name must consist of alpha-numeric characters or '-', and must start with an alpha-numeric character "
    "(e.g. My-name1-2, 123-NAME)"
)
PARAMETER_NAME_RULE = (
    "Parameter/Artifact name must consist of alpha-numeric characters, '_' or '-' e.g. my_param_1, MY-PARAM-1"
)


class Place(NamedTuple):
    """Where something is: by its names, for sentences, and by its fields, for tools."""

    names: str  # templates.main.steps[0].build
    path: str  # spec.templates[0].steps[0][1]

    def at(self, field: str) -> Place:
        """A field of this place."""
        return Place(f"{self.names}.{field}", f"{self.path}.{field}")

    def entry(self, field: str, index: int, name: str = "") -> Place:
        """An entry of a list; named, if it has a name."""
        return Place(
            f"{self.names}.{field}.{name}" if name else f"{self.names}.{field}[{index}]",
            f"{self.path}.{field}[{index}]",
        )


class Findings:
    """Collects problems in the order in which they are found; the first error is what a failed workflow says."""

    def __init__(self, *, thorough: bool = False) -> None:
        self.problems: list[Problem] = []
        self.thorough = thorough  # whether anybody wants to hear of what only a run would find

    def error(self, place: Place, message: str, remedy: str = "") -> None:
        """Something that cannot run."""
        self.problems.append(Problem(place.path, f"{place.names} {message}".strip(), remedy=remedy))

    def late(self, place: Place, message: str, remedy: str = "") -> None:
        """Something that upstream's validation lets pass, and a run would fail of."""
        if self.thorough:
            said = f"{place.names} {message}".strip()
            self.problems.append(Problem(place.path, said, remedy=remedy, late=True))

    def warning(self, place: Place, message: str, remedy: str = "") -> None:
        """Something that runs, but hardly as meant."""
        self.problems.append(Problem(place.path, f"{place.names} {message}".strip(), "warning", remedy))

    def names(self, place: Place, field: str, entries: Iterable[Json], pattern: re.Pattern[str]) -> None:
        """Judge the names of a list: there, well-formed (tags count as letters), and each once."""
        seen: set[str] = set()
        for index, entry in enumerate(entries):
            name = text(entry.get("name"))
            if name and name not in seen and not name_fault(name, pattern):
                seen.add(name)  # as nearly all: there is nothing to say, and no need to say where
                continue
            where = place.entry(field, index).at("name")
            if place.names.endswith(".outputs"):  # upstream's very words, space and all
                where = where._replace(names=f"{place.names}.{field} [{index}].name")
            if not name:
                self.error(where, "is required")
            elif rule := name_fault(name, pattern):
                self.error(where._replace(names=f"{where.names}:"), f"'{name}' is invalid: {rule}")
            elif name in seen:
                self.error(where, f"'{name}' is not unique")
            seen.add(name)


def name_fault(name: str, pattern: re.Pattern[str]) -> str:
    """Why a name, in which tags count as letters, is not well-formed; empty when it is."""
    if pattern.fullmatch(name) and len(name) <= FIELD_NAME_MAX:
        return ""  # as nearly all
    name = TAG.sub("x", name)
    if pattern is not FIELD_NAME:
        return "" if pattern.fullmatch(name) else PARAMETER_NAME_RULE
    long = [f"must be no more than {FIELD_NAME_MAX} characters"] if len(name) > FIELD_NAME_MAX else []
    return ";".join([*long, *([] if pattern.fullmatch(name) else [FIELD_NAME_RULE])])


def text(value: Any) -> str:
    """A scalar as the text that upstream keeps; nothing for null."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def mapping(value: Any) -> Json:
    """An object; empty when there is none."""
    return value if isinstance(value, (dict, Mapping)) else {}  # nearly all are dicts, and those are told at once


def entries(holder: Any, field: str) -> list[Json]:
    """The objects of a list field; empty when there is none."""
    return [mapping(entry) for entry in mapping(holder).get(field) or ()]


def is_dynamic(value: Any) -> bool:
    """Whether a text has tags, so that only the running workflow knows what it says."""
    return isinstance(value, str) and "{{" in value


def is_given(holder: Json, *fields: str) -> bool:
    """Whether any of these fields says something."""
    return any(holder.get(field) not in (None, "") for field in fields)
