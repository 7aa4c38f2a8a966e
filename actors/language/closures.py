"""A tree becomes closures, once; evaluating is calling them.

Each closure takes a `Frame` (the variables, the element a predicate looks at, the meter) and gives a value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from actors.language import operators, syntax
from actors.language.budget import Meter, OverBudget
from actors.language.builtin_table import BUILTINS
from actors.language.faults import ExpressionError, Fault, located, over_budget
from actors.language.gotext import go_type
from actors.language.native import Native
from actors.language.predicates import PREDICATE_FUNCTIONS, Frame
from actors.language.syntax import Node

Closure: TypeAlias = Callable[[Frame], Any]

CHECKED = frozenset({"+", "-", "*", "/", "%", "**", "^", "<", ">", "<=", ">="})
"""Operators that upstream refuses before it runs, in other words, where it knows of what types the operands are."""


def compile_tree(tree: Node, text: str) -> Closure:
    """Turn a tree into a closure. Raises ExpressionError for what can be seen without values."""
    return _Compiler(text).compile(tree, {})


class _Compiler:
    """Compiles the nodes of one expression; `scope` maps names bound by `let` to their slots."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._slots = 0

    def compile(self, node: Node, scope: Mapping[str, int]) -> Closure:  # noqa: C901, PLR0912  one case a node
        match node:
            case syntax.Literal(value=value):
                return lambda _frame: value
            case syntax.Name(name=name):
                return self._name(name, scope)
            case syntax.Pointer(name=name):
                return _pointer(name)
            case syntax.Unary():
                return self._unary(node, scope)
            case syntax.Binary():
                return self._binary(node, scope)
            case syntax.Member():
                return self._member(node, scope)
            case syntax.Chain(inner=inner):
                return _chain(self.compile(inner, scope))
            case syntax.Slice():
                return self._slice(node, scope)
            case syntax.Call():
                return self._call(node, scope)
            case syntax.Builtin():
                return self._builtin(node, scope)
            case syntax.Predicate(body=body):
                return self.compile(body, scope)
            case syntax.Let():
                return self._let(node, scope)
            case syntax.Conditional():
                return self._conditional(node, scope)
            case _:
                return self._collection(node, scope)

    def _located(self, node: Node, work: Closure) -> Closure:
        """Count a step, and give faults their place."""
        text, position = self._text, node.position

        def run(frame: Frame) -> Any:
            try:
                meter = frame.meter
                meter.steps -= 1
                if meter.steps < 0:
                    meter.step()
                return work(frame)
            except OverBudget as fault:
                raise over_budget(str(fault), text, position) from None
            except Fault as fault:
                raise located(str(fault), text, position) from None

        return run

    def _name(self, name: str, scope: Mapping[str, int]) -> Closure:
        if name in scope:
            slot = scope[name]
            return lambda frame: frame.variables[slot]
        if name == "$env":
            return lambda frame: frame.env
        return lambda frame: frame.env.get(name)

    def _unary(self, node: syntax.Unary, scope: Mapping[str, int]) -> Closure:
        operand = self.compile(node.operand, scope)
        if node.operator in {"!", "not"}:
            return self._located(node, lambda frame: not operators.is_true(operand(frame)))
        if node.operator == "-":
            return self._located(node, lambda frame: operators.negate(operand(frame)))
        return self._located(node, lambda frame: _positive(operand(frame)))

    def _binary(self, node: syntax.Binary, scope: Mapping[str, int]) -> Closure:
        left, right = self.compile(node.left, scope), self.compile(node.right, scope)
        symbol = node.operator
        if symbol in {"or", "||"}:
            return self._located(node, lambda frame: True if operators.is_true(left(frame)) else right(frame))
        if symbol in {"and", "&&"}:
            return self._located(node, lambda frame: right(frame) if operators.is_true(left(frame)) else False)
        if symbol == "??":
            return self._located(node, lambda frame: right(frame) if (value := left(frame)) is None else value)
        operator = operators.BINARY[symbol]
        if _typed(node.left, scope) and _typed(node.right, scope):
            if symbol in {"==", "!="}:
                operator = _strictly(symbol, operator)
            elif symbol in CHECKED:
                operator = _checked(symbol, operator)
        return self._located(node, lambda frame: operator(left(frame), right(frame), frame.meter))

    def _member(self, node: syntax.Member, scope: Mapping[str, int]) -> Closure:
        of, key = self.compile(node.of, scope), self.compile(node.key, scope)
        if node.optional:
            return self._located(node, lambda frame: _reach(of(frame), lambda: key(frame)))
        return self._located(node, lambda frame: operators.fetch(of(frame), key(frame)))

    def _slice(self, node: syntax.Slice, scope: Mapping[str, int]) -> Closure:
        of = self.compile(node.of, scope)
        start = self.compile(node.start, scope) if node.start else lambda _frame: 0
        end = self.compile(node.end, scope) if node.end else lambda _frame: None
        return self._located(node, lambda frame: operators.cut(of(frame), start(frame), end(frame), frame.meter))

    def _call(self, node: syntax.Call, scope: Mapping[str, int]) -> Closure:
        function = self.compile(node.function, scope)
        arguments = [self.compile(argument, scope) for argument in node.arguments]
        return self._located(
            node,
            lambda frame: _called(function(frame), [argument(frame) for argument in arguments], frame.meter),
        )

    def _builtin(self, node: syntax.Builtin, scope: Mapping[str, int]) -> Closure:
        arguments = [self.compile(argument, scope) for argument in node.arguments]
        if node.name in PREDICATE_FUNCTIONS:
            work = PREDICATE_FUNCTIONS[node.name]
            return self._located(node, lambda frame: work(frame, *arguments))
        native = BUILTINS[node.name]
        problem = native.count_problem(len(arguments))
        if problem:
            raise located(problem, self._text, node.position)
        return self._located(node, lambda frame: native.call(frame.meter, [argument(frame) for argument in arguments]))

    def _let(self, node: syntax.Let, scope: Mapping[str, int]) -> Closure:
        if node.name in scope:
            raise located(f"cannot redeclare variable {node.name}", self._text, node.position)
        value = self.compile(node.value, scope)
        slot, self._slots = self._slots, self._slots + 1
        body = self.compile(node.body, {**scope, node.name: slot})

        def run(frame: Frame) -> Any:
            frame.variables[slot] = value(frame)
            return body(frame)

        return run

    def _conditional(self, node: syntax.Conditional, scope: Mapping[str, int]) -> Closure:
        condition = self.compile(node.condition, scope)
        yes, no = self.compile(node.yes, scope), self.compile(node.no, scope)
        return self._located(node, lambda frame: yes(frame) if operators.is_true(condition(frame)) else no(frame))

    def _collection(self, node: Node, scope: Mapping[str, int]) -> Closure:
        if isinstance(node, syntax.Sequence):
            parts = [self.compile(part, scope) for part in node.nodes]
            return lambda frame: [part(frame) for part in parts][-1]
        if isinstance(node, syntax.Array):
            elements = [self.compile(element, scope) for element in node.nodes]
            return self._located(node, lambda frame: frame.meter.made([element(frame) for element in elements]))
        if isinstance(node, syntax.Map):
            pairs = [(self.compile(key, scope), self.compile(value, scope)) for key, value in node.pairs]
            return self._located(node, lambda frame: frame.meter.made(_mapping(pairs, frame)))
        raise located(f"unknown node {type(node).__name__}", self._text, node.position)


def _pointer(name: str) -> Closure:
    if name == "index":
        return lambda frame: frame.index
    if name == "acc":
        return lambda frame: frame.accumulated
    return lambda frame: frame.element


class _NothingThereError(Exception):
    """A `?.` met nil: the chain around it is nil."""


def _reach(of: Any, key: Callable[[], Any]) -> Any:
    if of is None:
        raise _NothingThereError
    return operators.fetch(of, key())


def _chain(inner: Closure) -> Closure:
    def run(frame: Frame) -> Any:
        try:
            return inner(frame)
        except _NothingThereError:
            return None

    return run


def _positive(value: Any) -> Any:
    if not operators.is_number(value):
        raise Fault(f"invalid operation: + (mismatched type {go_type(value)})")
    return value


def _typed(node: Node, scope: Mapping[str, int]) -> bool:
    """Tell whether upstream knows the type of a node before it runs: it then refuses comparisons that cannot hold."""
    return isinstance(node, syntax.Literal) or (isinstance(node, syntax.Name) and node.name not in scope)


def _strictly(symbol: str, operator: operators.Operator) -> operators.Operator:
    def compare(a: Any, b: Any, meter: Meter) -> Any:
        kinds = {_basic_kind(a), _basic_kind(b)}
        if len(kinds) == 2 and None not in kinds:
            raise _mismatched(symbol, a, b)
        return operator(a, b, meter)

    return compare


def _checked(symbol: str, operator: operators.Operator) -> operators.Operator:
    def compute(a: Any, b: Any, meter: Meter) -> Any:
        try:
            return operator(a, b, meter)
        except Fault as fault:
            kinds = {_basic_kind(a), _basic_kind(b)}
            undefined = kinds != {"number"} or str(fault).startswith("invalid operation: ")
            raise _mismatched(symbol, a, b) if undefined and None not in kinds else fault from None

    return compute


def _mismatched(symbol: str, a: Any, b: Any) -> Fault:
    return Fault(f"invalid operation: {symbol} (mismatched types {go_type(a)} and {go_type(b)})")


def _basic_kind(value: Any) -> str | None:
    if isinstance(value, str):
        return "string"
    if isinstance(value, bool):
        return "bool"
    return "number" if isinstance(value, (int, float)) else None


def _called(function: Any, arguments: list[Any], meter: Meter) -> Any:
    if isinstance(function, Native):
        problem = function.count_problem(len(arguments))
        if problem:
            raise Fault(problem)
        return function.call(meter, arguments)
    if function is None:
        raise Fault("invalid operation: cannot call nil")
    if not callable(function):
        raise Fault(f"invalid operation: cannot call non-function of type {go_type(function)}")
    return function(*arguments)


def _mapping(pairs: list[tuple[Closure, Closure]], frame: Frame) -> dict[str, Any]:
    """Build a map; of keys written twice the first one counts, as upstream has it."""
    result: dict[str, Any] = {}
    for key_of, value_of in pairs:
        key, value = key_of(frame), value_of(frame)
        if not isinstance(key, str):
            raise Fault(f"interface conversion: interface {{}} is {go_type(key)}, not string")
        result.setdefault(key, value)
    return result


__all__ = ["Closure", "ExpressionError", "compile_tree"]
