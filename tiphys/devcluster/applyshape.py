"""What may be applied: a configuration is compared with its kind's schema before anything else is asked of it. Pure.

Server-side apply works on typed values, so a field that the schema does not declare, or a value of another type, is no
value at all: it is refused in the words of that conversion, whatever validation would have said. Where upstream walks a
map in no order, names are walked in theirs here; like upstream, a map is left at its first undeclared field.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, NamedTuple

import orjson

from runtime.objects import Object
from tiphys.devcluster import gotext, wiretypes
from tiphys.devcluster.kinds import Kind


class Shape(NamedTuple):
    """What one value may be: a scalar, a list, a map, or several of them."""

    scalar: str = ""  # numeric, string, boolean, untyped (any scalar); empty: no scalar
    item: Callable[[], Shape] | None = None  # of a list's items; None: no list
    keys: tuple[str, ...] | None = None  # that tell a list's items apart; none of a set; None: their places do
    defaults: Object = {}  # noqa: RUF012 - of the keys, where an item may leave them out
    field: Callable[[str], Shape | None] | None = None  # of a map's fields, None when undeclared; None: no map


def faults(kind: Kind, body: Object) -> list[str]:
    """What of a configuration is not as its kind's schema has it: `.spec.items: expected list, got …`."""
    shape = _of_custom(kind.schema) if kind.custom else _of_built_in(kind.resource.api_version, kind.resource.kind)
    return [f"{path}: {why}" if path else why for path, why in _faults(body, shape, "")] if shape is not None else []


# ------------------------------------------------------------------------------------------------ the walk


def _faults(value: Any, shape: Shape, path: str) -> Iterator[tuple[str, str]]:
    if shape is ANY or value is None:
        return
    if isinstance(value, dict) and shape.field is not None:
        yield from _map_faults(value, shape.field, path)
    elif isinstance(value, list) and shape.item is not None:
        yield from _list_faults(value, shape, shape.item(), path)
    elif shape.scalar and (shape.field is None or not isinstance(value, dict | list)):
        why = _scalar_fault(value, shape.scalar)
        if why:
            yield path, why
    else:
        yield path, f"expected {'map' if shape.field is not None else 'list'}, got &{{{gotext.plain(value)}}}"


def _scalar_fault(value: Any, scalar: str) -> str:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    match scalar:
        case "numeric":
            return "" if is_number else f"expected numeric (int or float), got {gotext.type_name(value)}"
        case "string":
            shown = f"&value.valueUnstructured{{Value:{gotext.syntax(value)}}}"
            return "" if isinstance(value, str) else f"expected string, got {shown}"
        case "boolean":
            return "" if isinstance(value, bool) else f"expected boolean, got &{{{gotext.plain(value)}}}"
    return f"expected any scalar, got &{{{gotext.plain(value)}}}" if isinstance(value, dict | list) else ""


def _map_faults(value: Object, field: Callable[[str], Shape | None], path: str) -> Iterator[tuple[str, str]]:
    for name in sorted(value):
        shape = field(name)
        if shape is None:
            yield f"{path}.{name}", "field not declared in schema"
            return
        yield from _faults(value[name], shape, f"{path}.{name}")


def _list_faults(value: list[Any], shape: Shape, inside: Shape, path: str) -> Iterator[tuple[str, str]]:
    seen: set[str] = set()
    for index, item in enumerate(value):
        element = f"[{index}]"
        if shape.keys is not None:
            why = _identity_fault(item, shape.keys, shape.defaults)
            if why:
                yield path, f"element {index}: {why}"
                return
            element = _element(item, shape.keys, shape.defaults)
            if element in seen:
                yield path, f"duplicate entries for key {element}"
            seen.add(element)
        yield from _faults(item, inside, path + element)


def _identity_fault(item: Any, keys: tuple[str, ...], defaults: Object) -> str:
    """Why an item cannot be told from the others of its list; empty when it can."""
    if not keys:
        if isinstance(item, dict):
            return "associative list without keys has an element that's a map type"
        if isinstance(item, list):
            return "not supported: associative list with lists as elements"
        return "associative list without keys has an element that's an explicit null" if item is None else ""
    if item is None:
        return "associative list with keys may not have a null element"
    if not isinstance(item, dict):
        return "associative list with keys may not have non-map elements"
    if any(key in item or key in defaults for key in keys):
        return ""
    named = " ".join(f'"{key}"' for key in keys)
    return (
        f"associative list with keys has an element that omits all key fields [{named}] "
        "(and doesn't have default values for any key fields)"
    )


def _element(item: Any, keys: tuple[str, ...], defaults: Object) -> str:
    if not keys:
        return f"[={_json(item)}]"
    known = {**{key: defaults[key] for key in keys if key in defaults}, **{k: item[k] for k in keys if k in item}}
    return "[" + ",".join(f"{key}={_json(known[key])}" for key in sorted(known)) + "]"


def _json(value: Any) -> str:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()


# ------------------------------------------------------------------------------------------------ where shapes are from


def _any() -> Shape:
    return ANY


def _any_field(_: str) -> Shape:
    return ANY


ANY = Shape("untyped", _any, field=_any_field)
_TEXT, _NUMBER, _FLAG, _SCALAR = Shape("string"), Shape("numeric"), Shape("boolean"), Shape("untyped")
_SCALARS = {
    "string": _TEXT,
    "bytes": _TEXT,
    "int": _NUMBER,
    "number": _NUMBER,
    "bool": _FLAG,
    "time": _SCALAR,
    "microtime": _SCALAR,
    "quantity": _SCALAR,
    "intstr": _SCALAR,
    "raw": Shape(field=_any_field),
}
_KEY_DEFAULTS: Object = {"protocol": "TCP", "port": 0, "containerPort": 0}  # of built-in kinds; all others: empty


@cache
def _of_built_in(api_version: str, kind: str) -> Shape | None:
    name = wiretypes.message_name(api_version, kind)
    return _of_message(name, ("apiVersion", "kind")) if name is not None else None


@cache
def _of_message(name: str, texts: tuple[str, ...] = ()) -> Shape:
    fields, keyed = wiretypes.fields(name), wiretypes.lists(name)

    @cache
    def field(part: str) -> Shape | None:
        if part in texts:
            return _TEXT
        found = fields.get(part)
        return _of_field(found, keyed.get(part)) if found is not None else None

    return Shape(field=field)


def _of_field(field: wiretypes.Field, keys: tuple[str, ...] | None) -> Shape:
    one = _SCALARS[field.type] if field.type in wiretypes.SCALARS else _of_message(field.type)
    if field.shape == "list":
        return Shape(item=lambda: one, keys=keys, defaults={key: _KEY_DEFAULTS.get(key, "") for key in keys or ()})
    return Shape(field=lambda _: one) if field.shape == "map" else one


def _of_custom(schema: Object | None) -> Shape:
    """The shape of a structural schema, with what every object has beside it."""
    root = _of_schema(schema or {}, free=False)
    own: dict[str, Shape] = {"apiVersion": _TEXT, "kind": _TEXT, "metadata": _of_message("meta.v1.ObjectMeta")}
    if root.field is None:
        return root
    below = root.field
    return root._replace(field=lambda name: own.get(name) or below(name))


def _of_schema(schema: Object, *, free: bool) -> Shape:
    """`free`: an outer schema preserves unknown fields."""
    free = free or bool(schema.get("x-kubernetes-preserve-unknown-fields"))
    match schema.get("type"):
        case "object":
            return Shape(field=_field_of(schema, free=free))
        case "array":
            return _list_of(schema, free=free)
        case "integer" | "number":
            return _NUMBER
        case "boolean":
            return _FLAG
        case "string":
            return _TEXT if schema.get("format") in (None, "", "byte") else _SCALAR
    return _list_of(schema, free=free)._replace(scalar="untyped", field=_field_of(schema, free=free))


def _field_of(schema: Object, *, free: bool) -> Callable[[str], Shape | None]:
    known: Object = schema.get("properties") or {}
    rest = schema.get("additionalProperties")

    def field(name: str) -> Shape | None:
        if name in known:
            return _of_schema(known[name], free=free)
        if isinstance(rest, dict):
            return _of_schema(rest, free=free)
        return ANY if rest or (rest is None and (free or not known)) else None

    return field


def _list_of(schema: Object, *, free: bool) -> Shape:
    items: Object | None = schema.get("items")
    kind = schema.get("x-kubernetes-list-type")
    keys = tuple(schema.get("x-kubernetes-list-map-keys") or ()) if kind in ("map", "set") else None
    known: Object = (items or {}).get("properties") or {}
    defaults = {key: known[key]["default"] for key in keys or () if "default" in (known.get(key) or {})}
    return Shape(item=lambda: _of_schema(items, free=free) if items else ANY, keys=keys, defaults=defaults)
