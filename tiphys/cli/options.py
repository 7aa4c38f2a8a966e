"""The options that several commands share: one name and one sentence each, so that they are the same everywhere."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, TypeAlias

import typer

Namespace: TypeAlias = Annotated[
    str, typer.Option("--namespace", "-n", help="The namespace; by default that of the kubeconfig's context.")
]
Kubeconfig: TypeAlias = Annotated[
    str,
    typer.Option(
        "--kubeconfig", help="Which cluster: a kubeconfig file. Default: $KUBECONFIG, a running dev, ~/.kube/config."
    ),
]
Context: TypeAlias = Annotated[str, typer.Option("--context", help="The context of the kubeconfig to use.")]
Parameters: TypeAlias = Annotated[
    list[str],
    typer.Option("--parameter", "-p", metavar="NAME=VALUE", help="A parameter of the workflow; may be repeated."),
]
ParameterFile: TypeAlias = Annotated[
    str, typer.Option("--parameter-file", metavar="FILE", help="A YAML or JSON file of parameters.")
]
Entrypoint: TypeAlias = Annotated[str, typer.Option(help="The template to begin with, instead of the file's.")]
Name: TypeAlias = Annotated[str, typer.Option(help="The name of the workflow, instead of the file's.")]
GenerateName: TypeAlias = Annotated[str, typer.Option(help="The beginning of a generated name, instead of the file's.")]
ServiceAccount: TypeAlias = Annotated[
    str,
    typer.Option("--serviceaccount", "--service-account", help="The service account that the workflow's pods run as."),
]
SetLabels: TypeAlias = Annotated[
    list[str],
    typer.Option("--labels", "-l", metavar="NAME=VALUE", help="Labels for the workflow, separated by commas."),
]
Selector: TypeAlias = Annotated[str, typer.Option("--selector", "-l", help="A label selector, as kubectl reads them.")]
FieldSelector: TypeAlias = Annotated[str, typer.Option(help="A field selector, as kubectl reads them.")]
NodeSelector: TypeAlias = Annotated[
    str, typer.Option("--node-field-selector", help="Which nodes, for example displayName=approve.")
]
OnlyPhase: TypeAlias = Annotated[str, typer.Option("--status", help="Show only nodes in this phase.")]
OnlyNodes: TypeAlias = Annotated[
    str, typer.Option("--node-field-selector", help="Show only the nodes that this selector picks.")
]
RestartSuccessful: TypeAlias = Annotated[
    bool, typer.Option("--restart-successful", help="Also run again the nodes that --node-field-selector picks.")
]
Memoized: TypeAlias = Annotated[
    bool, typer.Option("--memoized", help="Keep the outputs of what succeeded, run the rest.")
]
Priority: TypeAlias = Annotated[int | None, typer.Option(help="The priority of the new workflow.")]
NoColour: TypeAlias = Annotated[bool, typer.Option("--no-color", help="Plain letters (as with NO_COLOR set).")]
NoUtf8: TypeAlias = Annotated[bool, typer.Option("--no-utf8", help="ASCII icons.")]
DryRun: TypeAlias = Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")]
ChunkSize: TypeAlias = Annotated[int, typer.Option(help="As upstream's; what is found is the same with any.")]
Everywhere: TypeAlias = Annotated[bool, typer.Option("--all-namespaces", "-A", help="In all namespaces.")]
Files: TypeAlias = Annotated[
    list[str], typer.Argument(metavar="FILE…", help="Files, folders, URLs; - is standard input.")
]
Strict: TypeAlias = Annotated[bool, typer.Option(help="Refuse fields that do not exist.")]
Wait: TypeAlias = Annotated[bool, typer.Option("--wait/--no-wait", "-w", help="Wait until it has ended.")]
Watch: TypeAlias = Annotated[bool, typer.Option("--watch/--no-watch", help="Show its tree until it has ended.")]
Log: TypeAlias = Annotated[bool, typer.Option("--log/--no-log", help="Show its logs until it has ended.")]


class Form(StrEnum):
    """The form of a result."""

    json = "json"
    yaml = "yaml"
    name = "name"
    wide = "wide"
    short = "short"


Output: TypeAlias = Annotated[Form | None, typer.Option("--output", "-o", help="The form of the result.")]


def form(output: Form | None) -> str:
    """The word for a form; empty for the one that people read."""
    return output.value if output else ""
