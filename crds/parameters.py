"""Parameters, and what carries them: arguments, inputs, outputs."""

# ruff: noqa: N815  the attribute is the JSON name

from __future__ import annotations

from crds.artifacts import Artifact, Empty
from crds.meta import KeySelector, Model, Scalar


class ValueFrom(Model):
    """Where a value comes from, when it is not written down."""

    path: str | None = None  # a file of the container
    jsonPath: str | None = None  # of a resource
    jqFilter: str | None = None  # of a resource
    parameter: str | None = None  # a reference to an output of a step or task
    expression: str | None = None
    event: str | None = None  # an expression over an event's payload
    supplied: Empty | None = None  # given by whoever resumes
    configMapKeyRef: KeySelector | None = None
    default: Scalar | None = None  # when the source has nothing


class Parameter(Model):
    """A named text."""

    name: str
    value: Scalar | None = None
    default: Scalar | None = None
    enum: list[Scalar] | None = None  # the values that are allowed
    description: str | None = None
    globalName: str | None = None  # known to the whole workflow as workflow.outputs.parameters.<globalName>
    valueFrom: ValueFrom | None = None


class Arguments(Model):
    """Values that a caller passes."""

    parameters: list[Parameter] | None = None
    artifacts: list[Artifact] | None = None


class Outputs(Model):
    """Values that a node leaves behind."""

    parameters: list[Parameter] | None = None
    artifacts: list[Artifact] | None = None
    result: str | None = None
    exitCode: str | None = None
