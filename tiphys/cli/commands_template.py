"""The commands on templates in a cluster: create, update, get, list, delete, lint; one group for each of both kinds."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from tiphys.cli import options
from tiphys.cli.clustered import Act, clustered
from tiphys.cli.commands_local import LintForm
from tiphys.cli.commands_local import lint as lint_files
from tiphys.cli.problems import InputError

if TYPE_CHECKING:
    from runtime.objects import Resource
    from tiphys.cli.documents import Document

GROUPS = {"template": "WorkflowTemplate", "cluster-template": "ClusterWorkflowTemplate"}

Names = Annotated[list[str], typer.Argument(metavar="NAME…", help="Templates, by name.")]
SomeNames = Annotated[list[str], typer.Argument(metavar="[NAME…]", help="Templates, by name.")]
All = Annotated[bool, typer.Option("--all", help="All there are (of the namespace).")]
LintOutput = Annotated[
    LintForm, typer.Option("--output", "-o", help="simple: one line a problem; json, sarif: for programs.")
]


def register(app: typer.Typer) -> None:
    """Add these commands to the application, below `template` and below `cluster-template`."""
    for name, kind in GROUPS.items():
        group = typer.Typer(
            help=f"Manage {kind}s: what workflows are made of.",
            no_args_is_help=True,
            context_settings={"help_option_names": ["-h", "--help"]},
        )
        for verb, make in VERBS.items():
            command = make(kind)
            command.__doc__ = (command.__doc__ or "").replace("TEMPLATES", f"{kind}s")
            group.command(verb)(command)
        app.add_typer(group, name=name)


def _create(kind: str) -> Callable[..., None]:
    @clustered
    def create(
        files: options.Files,
        labels: options.SetLabels = [],  # noqa: B006  typer makes a new one each time
        output: options.Output = None,
        strict: options.Strict = True,
    ) -> Act:
        """Create the TEMPLATES in FILE…."""
        return _write(_checked(kind, files, labels, strict=strict), output, update=False)

    return create


def _update(kind: str) -> Callable[..., None]:
    @clustered
    def update(
        files: options.Files,
        labels: options.SetLabels = [],  # noqa: B006
        output: options.Output = None,
        strict: options.Strict = True,
    ) -> Act:
        """Replace TEMPLATES by what FILE… say; what runs already keeps the old ones."""
        return _write(_checked(kind, files, labels, strict=strict), output, update=True)

    return update


def _get(kind: str) -> Callable[..., None]:
    @clustered
    def get(
        names: Names,
        output: options.Output = None,
    ) -> Act:
        """Show TEMPLATES."""
        from tiphys.cli import template_verbs  # noqa: PLC0415  only when the command runs: the same below

        return lambda at: template_verbs.get(at, _resource(kind), names, options.form(output))

    return get


def _list(kind: str) -> Callable[..., None]:
    @clustered
    def list_(
        all_namespaces: options.Everywhere = False,
        selector: options.Selector = "",
        output: options.Output = None,
    ) -> Act:
        """List TEMPLATES."""
        from tiphys.cli import template_verbs  # noqa: PLC0415
        from tiphys.cli.connect import Connection  # noqa: PLC0415

        async def act(at: Connection) -> int:
            form = options.form(output)
            return await template_verbs.list_(at, _resource(kind), selector, form, everywhere=all_namespaces)

        return act

    return list_


def _delete(kind: str) -> Callable[..., None]:
    @clustered
    def delete(
        names: SomeNames = [],  # noqa: B006
        all_: All = False,
    ) -> Act:
        """Delete TEMPLATES."""
        from tiphys.cli import template_verbs  # noqa: PLC0415
        from tiphys.cli.connect import Connection  # noqa: PLC0415

        if not names and not all_:
            raise InputError(f"which {kind}s? Give names, or --all")

        async def act(at: Connection) -> int:
            return await template_verbs.delete(at, _resource(kind), names, everything=all_)

        return act

    return delete


def _lint(kind: str) -> Callable[..., None]:
    def lint(
        files: options.Files,
        output: LintOutput = LintForm.pretty,
        strict: options.Strict = True,
        no_color: options.NoColour = False,
        no_utf8: options.NoUtf8 = False,
    ) -> None:
        """Find the problems of the TEMPLATES in FILE…; exit code 1 when there are errors."""
        kinds = f"{kind.lower()}s"
        lint_files(files, kinds=kinds, output=output, strict=strict, no_color=no_color, no_utf8=no_utf8)

    return lint


VERBS = {"create": _create, "update": _update, "get": _get, "list": _list, "delete": _delete, "lint": _lint}


def _resource(kind: str) -> Resource:
    from tiphys.cli.kinds import KNOWN  # noqa: PLC0415

    return KNOWN[kind]


def _checked(kind: str, files: Sequence[str], texts: Sequence[str], *, strict: bool) -> list[Document]:
    """The templates of this kind in files, fit to be used. Raises InputError."""
    from tiphys.cli import documents, lint, overrides, template_verbs  # noqa: PLC0415

    read = documents.read(files)
    found = template_verbs.chosen(read, _resource(kind), overrides.labels(texts))
    rules = lint.LINTING._replace(strict=strict)
    for warning in lint.check_or_raise(found, rules):
        print(f"warning: {warning}", file=sys.stderr)
    return found


def _write(found: Sequence[Document], output: options.Form | None, *, update: bool) -> Act:
    from tiphys.cli import template_verbs  # noqa: PLC0415

    return lambda at: template_verbs.write(at, found, options.form(output), update=update)
