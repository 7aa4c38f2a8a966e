"""From the models to their shapes: what `python -m crds.generate` writes into `shapes.json`.

Only the generator imports this. Descriptions are the comments behind the fields and the docstrings of the models.
"""

from __future__ import annotations

import inspect
import re
import types
from typing import Any, Literal, Union, get_args, get_origin

from crds import KINDS, model
from crds.meta import NULL_IN_MANIFEST, OPEN_IN_MANIFEST, Default, Growing, Model, Rule
from crds.shapes import Definition, Shape

SCALARS: dict[type, str] = {str: "string", int: "integer", float: "number", bool: "boolean"}
FIELD_COMMENT = re.compile(r"^    (\w+): .*?  # (.*?)(?:  # .*)?$")
TYPE_COMMENT = re.compile(r"^type: ignore(\[[\w-]+\])?")


def shapes() -> dict[str, Definition]:
    """The definitions of every model that a kind needs, by name, in order of their names."""
    found: dict[str, Definition] = {}
    for kind in KINDS:
        _define(model(kind), found)
    return dict(sorted(found.items()))


_origins: dict[str, type[Model]] = {}  # a definition is found by its name, so no two models may share one


def _define(cls: type[Model], found: dict[str, Definition]) -> str:
    """Add the definition of a model and of all that it needs; its name."""
    name = cls.__name__
    if _origins.setdefault(name, cls) is not cls:
        raise TypeError(f"{cls.__module__} and {_origins[name].__module__} both name a model {name}: rename one")
    if name in found:
        return name
    definition: Definition = {"description": inspect.cleandoc(cls.__doc__ or "").split("\n")[0]}
    found[name] = definition
    cls.model_rebuild()  # a template's fields name templates: known only now
    comments = _comments(cls)
    fields: dict[str, Shape] = {}
    for attribute, field in cls.model_fields.items():
        shape = _shape(field.annotation, found)
        if OPEN_IN_MANIFEST in field.metadata:
            shape["opened"] = True
        if NULL_IN_MANIFEST in field.metadata:
            shape["nullable"] = True
        for mark in field.metadata:
            if isinstance(mark, Default):
                shape["default"] = mark.value
            elif isinstance(mark, Rule):
                shape["rules"] = [mark._asdict()]
        if attribute in comments:
            shape["description"] = comments[attribute]
        fields[field.alias or attribute] = shape
    definition["fields"] = fields
    if required := [field.alias or attribute for attribute, field in cls.model_fields.items() if field.is_required()]:
        definition["required"] = required
    if issubclass(cls, Growing):
        definition["grows"] = True
    return name


def _shape(annotation: Any, found: dict[str, Definition]) -> Shape:
    """The shape of a field's annotation; None in a union says only that the field may be absent."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if annotation is Any:
        return {"any": True}
    if origin in (Union, types.UnionType):
        return _union([argument for argument in arguments if argument is not type(None)], found)
    if origin is Literal:
        return {"type": "string", "enum": list(arguments)}
    if origin is list:
        return {"type": "array", "items": _shape(arguments[0], found)}
    if origin is dict:
        return {"type": "object"} if arguments[1] is Any else {"type": "object", "values": _shape(arguments[1], found)}
    if annotation in SCALARS:
        return {"type": SCALARS[annotation]}
    if isinstance(annotation, type) and issubclass(annotation, Model):
        return {"ref": _define(annotation, found)}
    raise TypeError(f"no shape for {annotation!r}: describe it with the types that crds.shapes lists")


def _union(members: list[Any], found: dict[str, Definition]) -> Shape:
    if len(members) == 1:
        return _shape(members[0], found)
    return {"scalar": [SCALARS[member] for member in members]}


def _comments(cls: type[Model]) -> dict[str, str]:
    """The comment behind each field, of the model and of those it extends."""
    comments: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        if isinstance(base, type) and issubclass(base, Model):
            for line in inspect.getsource(base).splitlines():
                if match := FIELD_COMMENT.match(line):
                    comments[match[1]] = TYPE_COMMENT.sub("", match[2]).strip()
    return {name: text[0].upper() + text[1:] for name, text in comments.items() if text}
