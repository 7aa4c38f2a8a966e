"""A custom kind to try definitions with: what each test says of its schema is all that there is."""

from __future__ import annotations

from typing import Any

import pytest

from runtime.api import Api, ApiError, Refused
from runtime.objects import CRDS, Resource
from tests.contract.conftest import definition

TEAPOTS = Resource("lab.example.com/v1", "Teapot", "teapots")


def spec_schema(**properties: Any) -> dict[str, Any]:
    """A schema whose spec has these properties."""
    return {"type": "object", "properties": {"spec": {"type": "object", "properties": properties}}}


def ruled(schema: dict[str, Any], *rules: dict[str, Any]) -> dict[str, Any]:
    """The schema with validation rules."""
    return {**schema, "x-kubernetes-validations": list(rules)}


TEXT = {"type": "string"}
NUMBER = {"type": "integer"}


async def define(api: Api, schema: dict[str, Any], **version: Any) -> None:
    await api.create(CRDS, definition("Teapot", "teapots", schema, **version))


def teapot(**spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": "t", "namespace": "default"}, "spec": spec}


async def refusal(api: Api, thing: dict[str, Any]) -> ApiError:
    """Why an object is not taken."""
    with pytest.raises(Refused) as refused:
        await api.create(TEAPOTS, thing)
    return refused.value
