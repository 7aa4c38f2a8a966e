"""Tags in a tree of JSON are replaced by values: `{{name}}` by its text, `{{=expression}}` by its result.

The parsed tree is walked, never its JSON text, so no value can break a document. One pass replaces one level: what a
value brings in is not looked at again, and of nested tags (`{{a.{{item}}}}`) the inner one is replaced first. Which
tags must resolve depends on the pass (`unresolved`); the rest stay verbatim for a later pass or for the container.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Literal, NamedTuple, TypeAlias

import orjson

from actors.language.expression import Compiled, ExpressionError, compile_expression, environment, run
from actors.language.functions import Functions
from actors.language.gotext import quoted
from actors.language.jsontext import dumps
from actors.language.render import render

Unresolvable: TypeAlias = Literal["keep", "fail", "references"]

CACHED_TEXT_MAX = 4096  # longer strings are parsed each time: the cache would hold on to whole scripts
_OPEN, _CLOSE = "{{", "}}"
_OF_RESULT = ".outputs.result"
_REFERENCE = re.compile(r"^(?:steps|tasks)(?:\.|$)")
_RESULT = re.compile(r"""(steps|tasks)(?:\.([-\w]+)|\[\\*['"]([-\w]+)\\*['"]\])\.outputs\.result""")

# Names that get their value late (in a loop's body, at a retry, at the end): an expression over them waits for them.
LATE_NAMES = frozenset(
    {
        "item",
        "retries",
        "lastRetry.exitCode",
        "lastRetry.status",
        "lastRetry.duration",
        "lastRetry.message",
        "workflow.status",
        "workflow.failures",
    }
)


class SubstitutionError(ValueError):
    """A tag that cannot be replaced; `tag` is its text without the braces."""

    def __init__(self, tag: str, message: str) -> None:
        super().__init__(message)
        self.tag = tag


class Unresolved(SubstitutionError):
    """A tag whose value does not exist yet: worth another try when more is known."""


class AbsentOptional(SubstitutionError):
    """A tag whose value will never exist: its producer was skipped and had no default."""


class NotText(SubstitutionError):
    """A plain tag whose value is not text."""


class BadExpression(SubstitutionError):
    """An expression that cannot be read or evaluated, or that gives nothing."""


class Tag(NamedTuple):
    """A tag in a tree: its trimmed text, the path of the string it is in, whether it is an expression, and its text
    as it is written."""

    name: str
    path: str
    is_expression: bool
    written: str


class _Part(NamedTuple):
    """A piece of a string: text, or a tag (text between the braces, untrimmed)."""

    text: str
    kind: Literal["text", "name", "expression", "open"]


def substitute(
    tree: Any,
    values: Mapping[str, Any],
    *,
    unresolved: Unresolvable = "keep",
    functions: Functions | None = None,
    late: frozenset[str] = frozenset(),
) -> Any:
    """Replace the tags in every string of a JSON tree, keys included; parts without tags are shared, not copied.
    Expressions that look into what is `late` (`workflow.outputs`) are left to a later pass.

    `unresolved`: "keep" leaves unknown tags, "references" insists on those of `steps.` and `tasks.` (except artifacts),
    "fail" insists on all. A value of None is an absent optional. Raises a SubstitutionError.
    """
    return _Pass(values, unresolved, functions, late).walk(tree) if _mentions(tree, _OPEN) else tree


def tags_in(tree: Any) -> list[Tag]:
    """List the tags of a tree in order, each with the path of its string (`steps[0][1].when`)."""
    if not _mentions(tree, _OPEN):
        return []
    return [
        Tag(part.text.strip(), path, part.kind == "expression", part.text)
        for path, text in _strings(tree, "")
        for part in _split(text)
        if part.kind in {"name", "expression"}
    ]


def results_referenced(tree: Any) -> frozenset[str]:
    """Name the steps or tasks whose `outputs.result` a parent template mentions anywhere, in dots or in brackets."""
    if not _mentions(tree, _OF_RESULT):
        return frozenset()
    prefixes = {"tasks"} if _has(tree, "dag") else {"steps"} if _has(tree, "steps") else {"steps", "tasks"}
    return frozenset(
        dotted or bracketed
        for _, text in _strings(tree, "")
        if _OF_RESULT in text
        for prefix, dotted, bracketed in _RESULT.findall(text)
        if prefix in prefixes
    )


def in_json(tag: str, *, html: bool = True) -> str:
    """A tag's text as messages show it: upstream meets it in JSON, where a quote has a backslash before it."""
    return dumps(tag, html=html)[1:-1]


def _has(tree: Any, field: str) -> bool:
    return isinstance(tree, Mapping) and tree.get(field) is not None


def _mentions(tree: Any, what: str) -> bool:
    """Whether any string of a tree may contain `what`. Most trees do not, and the encoder says so sooner than a walk.

    It may only be asked for what JSON does not escape."""
    if isinstance(tree, str):
        return what in tree
    try:
        return what.encode() in orjson.dumps(tree)
    except TypeError:  # a number beyond 64 bits, a key that is no text: the walk will tell
        return True


def _strings(tree: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(tree, str):
        yield path, tree
    elif isinstance(tree, (dict, Mapping)):
        for key, entry in tree.items():
            inner = f"{path}.{key}" if path else str(key)
            if isinstance(key, str) and _OPEN in key:
                yield inner, key
            yield from _strings(entry, inner)
    elif isinstance(tree, (list, tuple)):
        for index, entry in enumerate(tree):
            yield from _strings(entry, f"{path}[{index}]")


def _split(text: str) -> tuple[_Part, ...]:
    return _cached_parts(text) if len(text) <= CACHED_TEXT_MAX else _parts(text)


def _parts(text: str) -> tuple[_Part, ...]:
    """Cut a string at the first `{{` and the first `}}` after it, again and again."""
    parts: list[_Part] = []
    at = 0
    while (start := text.find(_OPEN, at)) >= 0:
        if start > at:
            parts.append(_Part(text[at:start], "text"))
        end = text.find(_CLOSE, start + 2)
        if end < 0:
            parts.append(_Part(text[start:], "open"))
            return tuple(parts)
        tag = text[start + 2 : end]
        is_expression = tag.startswith("=") and _switch.expressions
        parts.append(_Part(tag[1:], "expression") if is_expression else _Part(tag, "name"))
        at = end + 2
    if at < len(text):
        parts.append(_Part(text[at:], "text"))
    return tuple(parts)


_cached_parts = lru_cache(maxsize=16384)(_parts)


class _Switch:
    """Whether `{{=` begins an expression in this process."""

    expressions = True


_switch = _Switch()


def use_expressions(on: bool) -> None:
    """Switch tags with expressions on or off for the whole process, before anything is substituted (EXPR-11).

    Switched off, `{{=…}}` is a name that nobody knows: it stays as it is written."""
    if _switch.expressions != on:
        _switch.expressions = on
        _cached_parts.cache_clear()


class _Pass:
    """One substitution over one tree."""

    def __init__(
        self, values: Mapping[str, Any], unresolved: Unresolvable, functions: Functions | None, late: frozenset[str]
    ) -> None:
        self._late = late
        self._values = values
        self._mode = unresolved
        self._functions = functions
        self._environments: dict[frozenset[str], dict[str, Any]] = {}

    def walk(self, tree: Any) -> Any:
        if isinstance(tree, str):
            return self._text(tree) if _OPEN in tree else tree
        if isinstance(tree, dict):
            walked = {self.walk(key): self.walk(entry) for key, entry in tree.items()}
            same = len(walked) == len(tree) and all(
                old is new and old_key is new_key
                for (old_key, old), (new_key, new) in zip(tree.items(), walked.items(), strict=True)
            )
            return tree if same else walked
        if isinstance(tree, list):
            entries = [self.walk(entry) for entry in tree]
            return tree if all(old is new for old, new in zip(tree, entries, strict=True)) else entries
        return tree

    def _text(self, text: str) -> str:
        replaced = "".join(self._part(part) for part in _split(text))
        return text if replaced == text else replaced

    def _part(self, part: _Part) -> str:
        if part.kind == "name":
            return self._name(part.text)
        if part.kind == "expression":
            return self._expression(part.text)
        if part.kind == "open" and self._mode == "fail":
            raise Unresolved(part.text, f"failed to resolve {part.text!r}: the tag has no closing braces")
        return part.text

    def _must_resolve(self, name: str) -> bool:
        if self._mode == "references":
            return _REFERENCE.match(name) is not None
        return self._mode == "fail"

    def _name(self, tag: str) -> str:
        name = tag.strip()
        if name not in self._values:
            return self._unknown(tag, name)
        value = self._values[name]
        if isinstance(value, dict) and ".artifacts." in name:  # for `from` and expressions, never for text
            return self._unknown(tag, name)
        if value is None:
            reason = "output is an absent optional (skipped/omitted node with no default)"
            raise AbsentOptional(name, f"unable to substitute {{{{{in_json(tag)}}}}}: {reason}")
        if not isinstance(value, str):
            raise NotText(name, f"failed to resolve {{{{{in_json(tag)}}}}} to string")
        return value

    def _unknown(self, tag: str, name: str) -> str:
        inner_at = tag.rfind(_OPEN)
        inner = tag[inner_at + 2 :]
        if inner_at > 0 and inner in self._values:
            value = self._values[inner]
            if value is None:
                reason = f"{quoted(inner)} is an absent optional"
                raise AbsentOptional(inner, f"unable to substitute nested tag {{{{{in_json(tag)}}}}}: {reason}")
            if isinstance(value, str):
                return f"{_OPEN}{tag[:inner_at]}{value}"  # the outer tag, now complete, is the next pass's
        artifact = self._mode == "references" and ".outputs.artifacts." in name
        if self._must_resolve(name) and not artifact:
            raise Unresolved(name, f"failed to resolve {{{{{in_json(tag)}}}}}")
        return f"{_OPEN}{tag}{_CLOSE}"

    def _expression(self, text: str) -> str:
        try:
            compiled = compile_expression(text)
        except ExpressionError as error:  # not an expression in any pass
            raise BadExpression(text, f"failed to evaluate expression: {error}") from error
        verbatim = f"{_OPEN}={text}{_CLOSE}"
        if not self._late.isdisjoint(compiled.reach):
            return verbatim
        env = self._environment(compiled)
        missing = compiled.missing(env)
        for name in missing:
            if self._must_resolve(name):
                raise Unresolved(name, f"failed to evaluate expression: {name} is missing")
        if not LATE_NAMES.isdisjoint(missing):
            return verbatim
        may_stay = bool(missing) or self._mode == "keep"
        try:
            value = run(compiled, env, functions=self._functions)
            if value is not None:
                return render(value)
        except (ExpressionError, ValueError) as error:
            if may_stay:
                return verbatim
            raise BadExpression(text, f"failed to evaluate expression: {error}") from error
        if may_stay:
            return verbatim
        raise BadExpression(text, f"failed to evaluate expression {quoted(in_json(text, html=False))}")

    def _environment(self, compiled: Compiled) -> dict[str, Any]:
        env = self._environments.get(compiled.reach)
        if env is None:
            env = environment(self._values, compiled.reach)
            self._environments[compiled.reach] = env
        return env
