"""An expression is compiled once and evaluated against variables, within a budget.

The language is expr-lang's with Argo's additions (`asInt`, `asFloat`, `toJson`, `jsonpath`, `sprig`); the grammar and
every function are in docs/expressions.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from actors.language.argo_functions import ARGO_FUNCTIONS, sprig_functions
from actors.language.budget import Budget, Meter
from actors.language.builtin_table import BUILTINS
from actors.language.closures import Closure, compile_tree
from actors.language.faults import BudgetExceeded, ExpressionError, located
from actors.language.functions import Functions
from actors.language.parser import parse
from actors.language.predicates import Frame
from actors.language.references import Reference, is_present, reach, references
from actors.language.render import render

__all__ = [
    "Budget",
    "BudgetExceeded",
    "Compiled",
    "ExpressionError",
    "compile_expression",
    "environment",
    "evaluate",
    "evaluate_bool",
    "nest",
    "render",
    "run",
]

_BUILTIN_NAMES = frozenset(BUILTINS)
_FUNCTION_NAMES = frozenset(ARGO_FUNCTIONS) | {"sprig"}
_DEFAULT_BUDGET = Budget()


@dataclass(frozen=True, slots=True, eq=False)
class Compiled:
    """An expression ready to run, and what it refers to."""

    text: str
    references: tuple[Reference, ...]
    roots: frozenset[str]  # the variables it needs, without the paths below them
    reach: frozenset[str]  # the same, with the first field where only that is looked into
    _closure: Closure = field(repr=False)

    def missing(self, env: Mapping[str, Any]) -> list[str]:
        """List the references an environment does not have; one that is there and nil is not missing."""
        return [reference.path for reference in self.references if not is_present(env, reference.path)]


@lru_cache(maxsize=8192)
def compile_expression(text: str) -> Compiled:
    """Read an expression. Raises ExpressionError with the place of the mistake."""
    tree = parse(text, _BUILTIN_NAMES)
    try:
        found = references(tree)
        closure = compile_tree(tree, text)
    except RecursionError:
        raise located("the expression is nested too deeply", text, 0) from None
    roots = frozenset(reference.path.partition(".")[0] for reference in found)
    return Compiled(text, found, roots, reach(tree), closure)


def evaluate(
    text: str,
    env: Mapping[str, Any],
    *,
    budget: Budget = _DEFAULT_BUDGET,
    functions: Functions | None = None,
) -> Any:
    """Evaluate an expression over nested variables. Raises ExpressionError; BudgetExceeded when it takes too much."""
    compiled = compile_expression(text)
    wanted = _FUNCTION_NAMES & compiled.roots
    return run(compiled, {**env, **_functions_named(wanted)} if wanted else env, budget=budget, functions=functions)


def evaluate_bool(text: str, env: Mapping[str, Any], *, functions: Functions | None = None) -> bool:
    """Evaluate a condition. Raises ExpressionError, also when the result is neither true nor false."""
    result = evaluate(text, env, functions=functions)
    if not isinstance(result, bool):
        raise located(f"unable to cast expression result '{result}' to bool", "", 0)
    return result


def run(
    compiled: Compiled,
    env: Mapping[str, Any],
    *,
    budget: Budget = _DEFAULT_BUDGET,
    functions: Functions | None = None,
) -> Any:
    """Run a compiled expression over an environment that already has the functions it names."""
    for reference in compiled.references:
        if "." not in reference.path and reference.path not in env:
            raise located(f"unknown name {reference.path}", compiled.text, reference.position)
    try:
        return compiled._closure(Frame(env, Meter(budget, functions)))
    except RecursionError:
        raise located("a value is nested too deeply", compiled.text, 0) from None


def environment(flat: Mapping[str, Any], reach: frozenset[str]) -> dict[str, Any]:
    """Build what an expression of this reach sees: its variables, nested, and the functions it names."""
    roots = frozenset(part.partition(".")[0] for part in reach)
    if "$env" in roots:  # it may look at any variable
        return {**nest(flat), **_functions_named(_FUNCTION_NAMES)}
    exact, below = roots | reach, tuple(f"{part}." for part in reach)
    needed = {name: value for name, value in flat.items() if name in exact or name.startswith(below)}
    tree = nest(needed)
    for root in roots - tree.keys():
        if any(name.startswith(f"{root}.") for name in flat):
            tree[root] = {}  # the variable is there, if not the field that is asked for
    return {**tree, **_functions_named(_FUNCTION_NAMES & roots)}


def _functions_named(names: frozenset[str]) -> dict[str, Any]:
    found: dict[str, Any] = {name: ARGO_FUNCTIONS[name] for name in names if name in ARGO_FUNCTIONS}
    if "sprig" in names:
        found["sprig"] = sprig_functions()
    return found


def nest(flat: Mapping[str, Any]) -> dict[str, Any]:
    """Turn dotted names into maps in maps; a name that is a value and also a prefix of others becomes the map."""
    tree: dict[str, Any] = {}
    built: set[int] = {id(tree)}
    for name in sorted(flat):
        *path, last = name.split(".")
        current: Any = tree
        for part in path:
            inner = current.get(part)
            if id(inner) not in built:
                inner = dict(inner) if isinstance(inner, Mapping) else {}
                built.add(id(inner))
                current[part] = inner
            current = inner
        existing = current.get(last)
        if id(existing) not in built:
            current[last] = flat[name]
    return tree
