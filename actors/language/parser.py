"""Tokens become a tree, by precedence climbing.

From the loosest: `|`, `or`, `and`, comparisons and `in`, `..`, `+ -`, `not`, `* / %`, unary minus, `**`, `??`.
`?:` stands below all of them, `let` and `;` below that.
"""

from __future__ import annotations

from actors.language import syntax
from actors.language.faults import ExpressionError, located
from actors.language.lexer import Token, TokenKind, is_name_character, tokenize
from actors.language.syntax import Node

NODES_MAX = 10_000
NESTING_MAX = 60  # parentheses, calls and predicates inside one another

_UNARY = {"not": 50, "!": 50, "-": 90, "+": 90}
_BINARY = {
    "|": 0, "or": 10, "||": 10, "and": 15, "&&": 15,
    **dict.fromkeys(["==", "!=", "<", ">", ">=", "<=", "in", "matches", "contains", "startsWith", "endsWith"], 20),
    "..": 25, "+": 30, "-": 30, "*": 60, "/": 60, "%": 60, "**": 100, "^": 100, "??": 500,
}  # fmt: skip
_RIGHT = frozenset({"**", "^"})
_NEGATABLE = frozenset({"contains", "matches", "startsWith", "endsWith", "in"})
_COMPARISONS = frozenset({"<", ">", ">=", "<="})

# What each predicate function takes: e an expression, p a predicate, ? an optional one.
PREDICATES: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(["all", "none", "any", "one", "filter", "map", "find", "findIndex", "findLast"], ("e", "p")),
    **dict.fromkeys(["findLastIndex", "groupBy"], ("e", "p")),
    **dict.fromkeys(["count", "sum"], ("e", "p?")),
    **dict.fromkeys(["sortBy", "reduce"], ("e", "p", "e?")),
}


def parse(text: str, builtins: frozenset[str]) -> Node:
    """Read an expression; `builtins` are the names that, called, mean the language's own functions.

    Raises ExpressionError.
    """
    parser = _Parser(text, builtins)
    try:
        return parser.whole()
    except RecursionError:
        raise located("the expression is nested too deeply", text, 0) from None


class _Parser:
    """Reads one expression."""

    def __init__(self, text: str, builtins: frozenset[str]) -> None:
        self._text = text
        self._builtins = builtins
        self._tokens = tokenize(text)
        self._at = 0
        self._predicates = 0  # how many predicates surround the place being read
        self._nesting = 0
        if len(self._tokens) > NODES_MAX:
            raise located("compilation failed: expression exceeds maximum allowed nodes", "", 0)

    # tokens

    @property
    def _token(self) -> Token:
        return self._tokens[self._at]

    def _next(self) -> Token:
        token = self._tokens[self._at]
        self._at = min(self._at + 1, len(self._tokens) - 1)
        return token

    def _is(self, kind: TokenKind, *values: str) -> bool:
        token = self._token
        return token.kind == kind and (not values or token.value in values)

    def _take(self, kind: TokenKind, value: str) -> bool:
        found = self._is(kind, value)
        if found:
            self._next()
        return found

    def _expect(self, kind: TokenKind, *values: str) -> Token:
        if not self._is(kind, *values):
            raise self._unexpected()
        return self._next()

    def _error(self, message: str, token: Token | None = None) -> ExpressionError:
        return located(message, self._text, (token or self._token).position)

    def _unexpected(self) -> ExpressionError:
        return self._error(f"unexpected token {self._token}")

    # expressions

    def whole(self) -> Node:
        node = self._sequence()
        if not self._is("end"):
            raise self._unexpected()
        return node

    def _sequence(self) -> Node:
        nodes = [self._expression(0)]
        while self._take("operator", ";"):
            if self._is("end"):
                break
            nodes.append(self._expression(0))
        return nodes[0] if len(nodes) == 1 else syntax.Sequence(nodes[0].position, tuple(nodes))

    def _expression(self, precedence: int) -> Node:
        self._nesting += 1
        if self._nesting > NESTING_MAX:
            raise self._error(f"the expression is nested deeper than {NESTING_MAX} levels")
        try:
            if precedence == 0 and self._is("operator", "let"):
                return self._let()
            if precedence == 0 and self._is("operator", "if"):
                return self._if()
            node = self._operators(self._primary(), precedence)
            return self._ternary(node) if precedence == 0 else node
        finally:
            self._nesting -= 1

    def _operators(self, left: Node, precedence: int) -> Node:
        previous = ""
        while self._is("operator"):
            token, negated = self._token, False
            if token.value == "not":
                following = self._tokens[self._at + 1]
                if following.value not in _NEGATABLE:
                    self._next()
                    raise self._unexpected()
                if _BINARY[following.value] < precedence:
                    break
                self._next()
                token, negated = following, True
            if _BINARY.get(token.value, -1) < precedence:
                break
            self._next()
            if previous == "??" and token.value not in {"??", "|"}:
                what = f"Operator ({token.value}) and coalesce expressions (??) cannot be mixed."
                raise self._error(f"{what} Wrap either by parentheses.", token)
            left = self._binary(left, token)
            if negated:
                left = syntax.Unary(token.position, "not", left)
            previous = token.value
        return left

    def _binary(self, left: Node, token: Token) -> Node:
        if token.value == "|":
            return self._call(self._expect("name"), (left,))
        precedence = _BINARY[token.value]
        if token.value in _COMPARISONS:
            return self._comparison(left, token)
        right = self._expression(precedence if token.value in _RIGHT else precedence + 1)
        return syntax.Binary(token.position, token.value, left, right)

    def _comparison(self, left: Node, token: Token) -> Node:
        """Read `a < b < c` as `a < b && b < c`."""
        whole: Node | None = None
        while True:
            right = self._expression(_BINARY[token.value] + 1)
            compared = syntax.Binary(token.position, token.value, left, right)
            whole = compared if whole is None else syntax.Binary(token.position, "&&", whole, compared)
            if not self._is("operator", *_COMPARISONS):
                return whole
            left, token = right, self._next()

    def _let(self) -> Node:
        self._next()
        name = self._expect("name")
        self._expect("operator", "=")
        value = self._expression(0)
        self._expect("operator", ";")
        return syntax.Let(name.position, name.value, value, self._sequence())

    def _if(self) -> Node:
        position = self._next().position
        condition = self._expression(0)
        yes = self._block()
        self._expect("operator", "else")
        no = self._if() if self._is("operator", "if") else self._block()
        return syntax.Conditional(position, condition, yes, no)

    def _block(self) -> Node:
        self._expect("bracket", "{")
        node = self._sequence()
        self._expect("bracket", "}")
        return node

    def _ternary(self, node: Node) -> Node:
        while self._is("operator", "?"):
            position = self._next().position
            if self._take("operator", ":"):
                node = syntax.Conditional(position, node, node, self._expression(0))
                continue
            yes = self._expression(0)
            self._expect("operator", ":")
            node = syntax.Conditional(position, node, yes, self._expression(0))
        return node

    def _primary(self) -> Node:
        token = self._token
        if token.kind == "operator":
            if token.value in _UNARY:
                self._next()
                return self._postfix(syntax.Unary(token.position, token.value, self._expression(_UNARY[token.value])))
            if token.value == "::":
                self._next()
                return self._postfix(self._call(self._expect("name"), ()))
            if self._predicates and token.value in {"#", "."}:
                return self._postfix(self._pointer())
        if token.kind == "bracket" and token.value == "(":
            self._next()
            inner = self._sequence()
            self._expect("bracket", ")")
            return self._postfix(inner)
        return self._secondary()

    def _pointer(self) -> Node:
        position = self._token.position
        name = ""
        if self._take("operator", "#") and self._is("name"):
            name = self._next().value
            if name not in {"index", "acc"}:
                raise located(f"unknown pointer #{name}", self._text, position)
        return syntax.Pointer(position, name)

    def _secondary(self) -> Node:
        token = self._token
        if token.kind == "name":
            self._next()
            if token.value in {"true", "false", "nil"}:
                return syntax.Literal(token.position, {"true": True, "false": False, "nil": None}[token.value])
            if self._is("bracket", "("):
                return self._postfix(self._call(token, ()))
            return self._postfix(syntax.Name(token.position, token.value))
        if token.kind == "number":
            self._next()
            return syntax.Literal(token.position, self._number(token))
        if token.kind == "string":
            self._next()
            return self._postfix(syntax.Literal(token.position, token.value))
        if token.kind == "bytes":
            self._next()
            return self._postfix(syntax.Literal(token.position, token.value.encode("latin-1", "replace")))
        if token.kind == "bracket" and token.value == "[":
            return self._postfix(self._array())
        if token.kind == "bracket" and token.value == "{":
            return self._postfix(self._map())
        raise self._unexpected()

    def _number(self, token: Token) -> int | float:
        text = token.value.replace("_", "").lower()
        bases = {"0x": (16, "hex"), "0b": (2, "binary"), "0o": (8, "octal")}
        base, name = bases.get(text[:2], (10, "integer"))
        try:
            if base == 10 and not text.isdigit():
                return float(text)
            value = int(text if base == 10 else text[2:], base)
        except ValueError:
            kind = "float" if base == 10 and not text.isdigit() else name
            raise self._error(f'invalid {kind} literal: parsing "{token.value}": invalid syntax', token) from None
        if value >= 2**63:
            raise self._error(f'invalid {name} literal: parsing "{token.value}": value out of range', token)
        return value

    def _call(self, name: Token, given: tuple[Node, ...]) -> Node:
        if name.value in PREDICATES:
            return syntax.Builtin(name.position, name.value, self._predicate_arguments(name.value, given))
        arguments = self._arguments(given)
        if name.value in self._builtins:
            return syntax.Builtin(name.position, name.value, arguments)
        return syntax.Call(name.position, syntax.Name(name.position, name.value), arguments)

    def _predicate_arguments(self, name: str, given: tuple[Node, ...]) -> tuple[Node, ...]:
        arguments = list(given)
        wanted = PREDICATES[name][len(given) :]
        self._expect("bracket", "(")
        for index, form in enumerate(wanted):
            if self._is("bracket", ")"):
                if form.endswith("?"):
                    break
                raise self._error(f"expected at least {len(wanted)} arguments")
            if index:
                self._expect("operator", ",")
            arguments.append(self._expression(0) if form.startswith("e") else self._predicate())
        self._take("operator", ",")
        self._expect("bracket", ")")
        return tuple(arguments)

    def _predicate(self) -> Node:
        position = self._token.position
        braces = self._take("bracket", "{")
        self._predicates += 1
        body = self._sequence() if braces else self._expression(0)
        if not braces and self._is("operator", ";"):
            raise self._error("wrap predicate with brackets { and }")
        self._predicates -= 1
        if braces:
            self._expect("bracket", "}")
        return syntax.Predicate(position, body)

    def _arguments(self, given: tuple[Node, ...] = ()) -> tuple[Node, ...]:
        self._expect("bracket", "(")
        return given + self._listed(")")

    def _listed(self, closing: str) -> tuple[Node, ...]:
        """Read expressions between commas up to the closing bracket; a comma may stand last."""
        nodes: list[Node] = []
        while not self._take("bracket", closing):
            if nodes:
                self._expect("operator", ",")
                if self._take("bracket", closing):
                    break
            nodes.append(self._expression(0))
        return tuple(nodes)

    def _array(self) -> Node:
        position = self._next().position
        return syntax.Array(position, self._listed("]"))

    def _map(self) -> Node:
        position = self._next().position
        pairs: list[tuple[Node, Node]] = []
        while not self._take("bracket", "}"):
            if pairs:
                self._expect("operator", ",")
                if self._take("bracket", "}"):
                    break
            key = self._key()
            self._expect("operator", ":")
            pairs.append((key, self._expression(0)))
        return syntax.Map(position, tuple(pairs))

    def _key(self) -> Node:
        token = self._token
        if token.kind in {"number", "string", "name"}:
            self._next()
            return syntax.Literal(token.position, token.value)
        if token.kind == "bracket" and token.value == "(":
            return self._expression(0)
        allowed = "a map key must be a quoted string, a number, a identifier, or an expression enclosed in parentheses"
        raise self._error(f"{allowed} (unexpected token {token})")

    def _postfix(self, node: Node) -> Node:
        while True:
            token = self._token
            if token.kind == "operator" and token.value in {".", "?."}:
                self._next()
                optional = token.value == "?."
                if optional and self._is("bracket", "["):
                    node = self._index(node, optional=True)
                else:
                    node = self._field(node, optional=optional)
            elif token.kind == "bracket" and token.value == "[":
                node = self._index(node, optional=False)
            else:
                return node

    def _field(self, node: Node, *, optional: bool) -> Node:
        name = self._next()
        named = name.kind == "name" or (name.kind == "operator" and is_name_character(name.value[0]))
        if not named:
            raise self._error("expected name", name)
        chained = isinstance(node, syntax.Chain)
        of = node.inner if isinstance(node, syntax.Chain) else node
        result: Node = syntax.Member(name.position, of, syntax.Literal(name.position, name.value), optional)
        if self._is("bracket", "("):
            result = syntax.Call(name.position, result, self._arguments())
        return syntax.Chain(name.position, result) if chained or optional else result

    def _index(self, node: Node, *, optional: bool) -> Node:
        position = self._next().position
        start: Node | None = None
        if not self._is("operator", ":"):
            start = self._expression(0)
        if self._take("operator", ":"):
            end = None if self._is("bracket", "]") else self._expression(0)
            self._expect("bracket", "]")
            return syntax.Slice(position, node, start, end)
        self._expect("bracket", "]")
        if start is None:
            raise self._unexpected()
        member = syntax.Member(position, node, start, optional)
        return syntax.Chain(position, member) if optional else member
