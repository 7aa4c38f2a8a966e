"""CEL, the language of validation rules: an expression is compiled once and evaluated on JSON.

Google's library does it where it is installed (`pip install 'tiphys[cel]'`); it is loaded when the first rule comes.
Without it one kind of rule is understood, the one that most definitions have: a value that never changes.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from functools import cache, lru_cache
from typing import Any, TypeAlias
from urllib.parse import urlsplit

Evaluate: TypeAlias = Callable[[dict[str, Any]], Any]
"""The value of an expression for these variables (`self`, `oldSelf`). Raises EvaluationError."""

_NEVER_CHANGES = re.compile(r"\s*(self\s*==\s*oldSelf|oldSelf\s*==\s*self)\s*")


class Unusable(ValueError):
    """The expression cannot be compiled here. The message says why, and what helps."""


class EvaluationError(ValueError):
    """The expression has no value for these variables. The message is the language's own."""


@lru_cache(maxsize=4096)  # definitions are read again at every change of them
def compiled(text: str) -> Evaluate:
    """The expression, ready to be evaluated. Raises Unusable."""
    if _NEVER_CHANGES.fullmatch(text):
        return _never_changes
    environment = _environment()
    if environment is None:
        raise Unusable("no library for CEL is installed: pip install 'tiphys[cel]'")
    try:
        program = environment.compile(text)
    except RuntimeError as e:
        raise Unusable(_first_line(str(e))) from e

    def evaluate(variables: dict[str, Any]) -> Any:
        found = program.eval(data=variables)
        if str(found.type()) == "ERROR":
            raise EvaluationError(_first_line(str(found.plain_value())))
        return found.plain_value()

    return evaluate


def _never_changes(variables: dict[str, Any]) -> bool:
    return bool(variables["self"] == variables["oldSelf"])


def _first_line(message: str) -> str:
    """The library's message without its status code and its drawing of the place."""
    line = message.partition("\n")[0]
    return re.sub(r"^[A-Z_]+: |(?<=ERROR: )<input>:", "", line).strip()


@cache
def _environment() -> Any:
    """Kubernetes' variables and functions; None without the library."""
    try:
        from cel_expr_python import cel  # noqa: PLC0415 - few clusters have a definition with rules
        from cel_expr_python.ext import ext_bindings, ext_optional, ext_strings  # noqa: PLC0415 - likewise
    except ImportError:
        return None
    return cel.NewEnv(
        variables={"self": cel.Type.DYN, "oldSelf": cel.Type.DYN},
        extensions=[ext_bindings.ExtBindings(), ext_optional.ExtOptional(), ext_strings.ExtStrings()],
        functions=_functions(cel),
    )


def _functions(cel: Any) -> list[Any]:
    """What Kubernetes adds to the language, as far as it needs no types of its own."""
    kinds = cel.Type
    anything, text, truth = kinds.DYN, kinds.STRING, kinds.BOOL
    several = kinds.List(anything)
    members = (  # name, result, receiver and parameters, what it does
        ("find", text, (text, text), lambda s, pattern: _found(pattern, s)),
        ("findAll", kinds.List(text), (text, text), lambda s, pattern: [m[0] for m in re.finditer(pattern, s)]),
        ("isSorted", truth, (several,), lambda items: items == sorted(items)),
        ("sum", anything, (several,), sum),
        ("min", anything, (several,), min),
        ("max", anything, (several,), max),
    )
    free = (
        ("isURL", truth, (text,), _is_url),
        ("isIP", truth, (text,), lambda s: _is_one(ipaddress.ip_address, s)),
        ("isCIDR", truth, (text,), lambda s: "/" in s and _is_one(ipaddress.ip_interface, s)),
    )
    return [
        cel.FunctionDecl(name, [cel.Overload(f"k8s_{name}", result, list(parameters), is_member, deed)])
        for group, is_member in ((members, True), (free, False))
        for name, result, parameters, deed in group
    ]


def _found(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    return match[0] if match is not None else ""


def _is_one(parse: Callable[[str], Any], text: str) -> bool:
    try:
        parse(text)
    except ValueError:
        return False
    return True


def _is_url(text: str) -> bool:
    if not _is_one(urlsplit, text):
        return False
    return bool(urlsplit(text).scheme) or text.startswith("/")
