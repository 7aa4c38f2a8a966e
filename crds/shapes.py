"""A shape says which JSON a field may hold; `shapes.json` has those of all kinds, generated from the models.

The checker and the manifests read that file, so neither a submitted workflow nor the dev cluster's start waits for
pydantic (a third of a second for these models; the file loads in two milliseconds). A shape is one of

    {"type": "string" | "integer" | "number" | "boolean"}        with "enum" perhaps
    {"type": "array", "items": shape}
    {"type": "object", "values": shape}                          a map
    {"type": "object"}                                           an object nobody reads
    {"any": true}                                                any JSON
    {"scalar": ["integer", "string", …]}                         one of these
    {"ref": "Container"}                                         an object of that definition
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

import orjson

Shape: TypeAlias = dict[str, Any]
Definition: TypeAlias = dict[str, Any]  # {"fields": {name: Shape}, "required": […], "grows": bool, "description": …}

FILE = Path(__file__).with_name("shapes.json")


@cache
def load() -> dict[str, Definition]:
    """All definitions by name, those of the kinds among them."""
    shapes: dict[str, Definition] = orjson.loads(FILE.read_bytes())
    return shapes
