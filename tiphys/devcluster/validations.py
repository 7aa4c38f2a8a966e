"""`x-kubernetes-validations`: the rules that a custom kind's author wrote, judged as Kubernetes does.

Only the parts of a schema that have rules are walked. A rule with `oldSelf` is judged when there is an old value to
compare with, any other when the value is new: what was stored before a rule came does not hinder later changes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import orjson

from runtime.objects import Object
from tiphys.devcluster.errors import Cause, forbidden_value, required
from tiphys.devcluster.expressions import Evaluate, EvaluationError, Unusable, compiled
from tiphys.devcluster.rules import shown
from tiphys.devcluster.schema import predecessor

_RULES = "x-kubernetes-validations"
_OLD = re.compile(r"\boldSelf\b")
_WORDS = re.compile(
    "true|false|null|in|as|break|const|continue|else|for|function|if|import|let|loop|package|namespace|return|var|void|while"
)
_OPTIONAL = "cel.bind(oldSelf, oldSelf == null ? optional.none() : optional.of(oldSelf), %s)"
_ESCAPES = (("__", "__underscores__"), (".", "__dot__"), ("-", "__dash__"), ("/", "__slash__"))


class Rule(NamedTuple):
    """One rule of one place of a schema."""

    text: str
    holds: Evaluate
    is_transition: bool  # compares with the old value
    takes_none: bool  # `oldSelf` is an optional value, absent when there is none
    message: str
    tells: Evaluate | None  # a message that is computed
    reason: str
    field: str  # the path below, of the field that is to blame


class Place(NamedTuple):
    """A part of a schema with rules in it or below it."""

    schema: Object
    rules: tuple[Rule, ...]
    properties: dict[str, Place]
    others: Place | None  # of additionalProperties
    items: Place | None
    has_transitions: bool  # here or below: then an unchanged value is looked at too


class Judged(NamedTuple):
    """A value, and the one it replaces (None when there is none to compare with)."""

    new: Any
    old: Any
    path: str


# ------------------------------------------------------------------------------------------------ reading a schema


def read(structure: Object) -> Place | None:
    """The rules of a kind's whole schema; None when it has none, which its text tells sooner than a walk."""
    return place(structure) if _RULES.encode() in orjson.dumps(structure) else None


def place(schema: Any) -> Place | None:
    """The rules of a schema; None when it has none. Rules that cannot be used are left out: see `unusable`."""
    if not isinstance(schema, dict):
        return None
    properties = {name: place(sub) for name, sub in (schema.get("properties") or {}).items()}
    known = {name: found for name, found in properties.items() if found is not None}
    others, items = place(schema.get("additionalProperties")), place(schema.get("items"))
    rules = tuple(rule for rule in map(_rule, schema.get(_RULES) or ()) if rule is not None)
    below = [found for found in (*known.values(), others, items) if found is not None]
    if not rules and not below:
        return None
    has_transitions = any(rule.is_transition for rule in rules) or any(found.has_transitions for found in below)
    return Place(schema, rules, known, others, items, has_transitions)


def _rule(said: Object) -> Rule | None:
    text = str(said.get("rule") or "")
    takes_none = bool(said.get("optionalOldSelf"))
    telling = str(said.get("messageExpression") or "")
    try:
        holds = compiled(_OPTIONAL % text if takes_none else text)
        tells = compiled(_OPTIONAL % telling if takes_none else telling) if telling else None
    except Unusable:
        return None
    field = str(said.get("fieldPath") or "").lstrip(".")
    message = str(said.get("message") or "").strip()
    is_transition = _OLD.search(text) is not None
    return Rule(text, holds, is_transition, takes_none, message, tells, str(said.get("reason") or ""), field)


def unusable(definition: Object) -> Iterator[str]:
    """A sentence for every rule of a CustomResourceDefinition that is not judged here."""
    for version in definition["spec"].get("versions") or ():
        structure = (version.get("schema") or {}).get("openAPIV3Schema")
        yield from _unusable(structure, str(version.get("name") or ""))


def _unusable(schema: Any, path: str) -> Iterator[str]:
    if not isinstance(schema, dict):
        return
    for said in schema.get(_RULES) or ():
        for text in (said.get("rule"), said.get("messageExpression")):
            try:
                compiled(str(text or "true"))
            except Unusable as e:
                yield f"{path}: the validation rule {shown(text)} is not judged: {e}"
    for name, sub in (schema.get("properties") or {}).items():
        yield from _unusable(sub, f"{path}.{name}")
    yield from _unusable(schema.get("additionalProperties"), f"{path}[*]")
    yield from _unusable(schema.get("items"), f"{path}[*]")


# ------------------------------------------------------------------------------------------------ judging


def faults(there: Place, judged: Judged) -> list[Cause]:
    """The rules that a value breaks, outermost first."""
    new, old, path = judged
    if new is None:
        return []
    is_same = old is not None and new == old
    if is_same and not there.has_transitions:
        return []
    found = [cause for rule in there.rules for cause in _judge(rule, there.schema, judged, is_same=is_same)]
    if isinstance(new, dict):
        before = old if isinstance(old, dict) else {}
        for name, item in new.items():
            below = there.properties.get(name) or (there.others if name not in _known(there.schema) else None)
            if below is not None:
                found += faults(below, Judged(item, before.get(name), f"{path}.{name}" if path else name))
    elif isinstance(new, list) and there.items is not None:
        for index, item in enumerate(new):
            found += faults(there.items, Judged(item, predecessor(item, there.schema, old), f"{path}[{index}]"))
    return found


def _known(schema: Object) -> Object:
    return schema.get("properties") or {}


def _judge(rule: Rule, schema: Object, judged: Judged, *, is_same: bool) -> list[Cause]:
    new, old, path = judged
    if rule.is_transition:
        if old is None and not rule.takes_none:
            return []
    elif is_same:
        return []
    variables = {"self": typed(new, schema)}
    if rule.is_transition:
        variables["oldSelf"] = typed(old, schema)
    try:
        if rule.holds(variables) is True:
            return []
    except EvaluationError as e:
        return [Cause(path, f'Invalid value: "{schema.get("type", "")}": {e} evaluating rule: {_name(rule)}')]
    field = f"{path}.{rule.field}" if path and rule.field else rule.field or path
    return [_cause(rule, field, new, _message(rule, variables))]


def _name(rule: Rule) -> str:
    return rule.message or rule.text.strip()


def _message(rule: Rule, variables: dict[str, Any]) -> str:
    if rule.tells is not None:
        try:
            text = str(rule.tells(variables)).strip()
        except EvaluationError:
            text = ""
        if text and "\n" not in text:
            return text
    return rule.message or f"failed rule: {rule.text.strip()}"


def _cause(rule: Rule, field: str, value: Any, message: str) -> Cause:
    if rule.reason == "FieldValueForbidden":
        return forbidden_value(field, message)
    if rule.reason == "FieldValueRequired":
        return required(field, message)
    said = "" if isinstance(value, dict | list) else f": {shown(value)}"
    if rule.reason == "FieldValueDuplicate":
        return Cause(field, f"Duplicate value{said}", "FieldValueDuplicate")
    return Cause(field, f"Invalid value{said}: {message}")


# ------------------------------------------------------------------------------------------------ values


def typed(value: Any, schema: Any) -> Any:
    """JSON as the language has it: by its schema numbers are fractions, and names are identifiers. Times stay text."""
    if not isinstance(schema, dict) or value is None:
        return value
    if isinstance(value, dict):
        known, rest = _known(schema), schema.get("additionalProperties")
        return {
            identifier(name) if name in known else name: typed(item, known.get(name, rest))
            for name, item in value.items()
            if item is not None
        }
    if isinstance(value, list):
        return [typed(item, schema.get("items")) for item in value]
    if isinstance(value, int) and not isinstance(value, bool) and schema.get("type") == "number":
        return float(value)
    return value


def identifier(name: str) -> str:
    """A property's name as rules write it."""
    if _WORDS.fullmatch(name):
        return f"__{name}__"
    for text, word in _ESCAPES:
        name = name.replace(text, word)
    return name
