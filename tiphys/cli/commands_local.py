"""The commands that need no cluster: run, dev, lint, version."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from tiphys.cli import options


class Runtime(StrEnum):
    """How pods run."""

    auto = "auto"
    process = "process"
    plain = "plain"
    docker = "docker"
    simulated = "simulated"


class DevRuntime(StrEnum):
    """How pods of a dev cluster run."""

    auto = "auto"
    process = "process"
    plain = "plain"
    docker = "docker"
    simulated = "simulated"
    none = "none"


class Form(StrEnum):
    """The form of a result."""

    json = "json"
    yaml = "yaml"
    name = "name"


class LintForm(StrEnum):
    """The form of lint's findings."""

    pretty = "pretty"
    simple = "simple"
    json = "json"
    sarif = "sarif"


class Shell(StrEnum):
    """A shell that can complete commands."""

    bash = "bash"
    zsh = "zsh"
    fish = "fish"


Files = Annotated[list[str], typer.Argument(metavar="FILE…", help="Files, folders or URLs; - is standard input.")]
MoreFiles = Annotated[list[str], typer.Option("--file", "-f", metavar="FILE", help="One more FILE.")]
ConfigOption = Annotated[
    Path | None, typer.Option("--config", help="The controllers' configuration: upstream's ConfigMap, or its keys.")
]
RuntimeOption = Annotated[
    Runtime, typer.Option("--runtime", help="process: namespaces; plain: none; auto: the better; docker: real images.")
]


def register(app: typer.Typer) -> None:
    """Add these commands to the application."""
    for command in (run, dev, lint, convert, version, completion):
        app.command()(command)


def run(
    files: Files = [],  # noqa: B006  typer makes a new one each time
    file: MoreFiles = [],  # noqa: B006
    parameter: options.Parameters = [],  # noqa: B006
    parameter_file: options.ParameterFile = "",
    entrypoint: options.Entrypoint = "",
    name: options.Name = "",
    generate_name: options.GenerateName = "",
    service_account: options.ServiceAccount = "",
    labels: options.SetLabels = [],  # noqa: B006
    namespace: Annotated[str, typer.Option("--namespace", "-n", help="The namespace to run in.")] = "default",
    runtime: RuntimeOption = Runtime.auto,
    output: Annotated[Form | None, typer.Option("--output", "-o", help="Print the ended workflows to stdout.")] = None,
    watch: Annotated[bool, typer.Option(help="Show the tree while it runs.")] = True,
    log: Annotated[bool, typer.Option("--log/--no-log", help="Show what the pods print, as they print it.")] = False,
    timeout: Annotated[str, typer.Option(help="Terminate after this long: 90, 10m, 2h.")] = "",
    strict: Annotated[bool, typer.Option(help="Refuse fields that do not exist.")] = True,
    no_color: options.NoColour = False,
    no_utf8: options.NoUtf8 = False,
    config: ConfigOption = None,
    set_: Annotated[
        list[str],
        typer.Option("--set", metavar="CONTAINER=IMAGE", help="Of a Rollout: its update; image=… is for all."),
    ] = [],  # noqa: B006
    promote_after: Annotated[
        str, typer.Option("--promote-after", help="Of a Rollout: promote what waits for a person after: 30s, 10m.")
    ] = "",
) -> None:
    """Run the Workflows, or a Rollout's update, in FILE… on this machine: no cluster, no Docker.

    Templates, ConfigMaps, Secrets and claims beside them are created first. Exit code 0: all succeeded; 1: one failed;
    2: the input is not fit to run.
    """
    from tiphys.cli import overrides, selection  # noqa: PLC0415
    from tiphys.cli.configured import configuration_of  # noqa: PLC0415
    from tiphys.cli.run import RunSettings  # noqa: PLC0415
    from tiphys.cli.run import run as run_files  # noqa: PLC0415
    from tiphys.cli.session import SessionSettings  # noqa: PLC0415

    settings = RunSettings(
        sources=_given(files + file),
        overrides=overrides.Overrides(
            name=name,
            generate_name=generate_name,
            entrypoint=entrypoint,
            service_account=service_account,
            parameters=overrides.parameters(parameter, parameter_file),
            labels=overrides.labels(labels),
        ),
        namespace=namespace,
        output=output.value if output else "",
        watch=watch,
        show_logs=log,
        strict=strict,
        timeout_s=selection.seconds(timeout, "--timeout"),
        no_colour=no_color,
        no_utf8=no_utf8,
        session=SessionSettings(mode=runtime.value, config=configuration_of(config)),
        images=set_,
        promote_after_s=selection.seconds(promote_after, "--promote-after"),
    )
    raise typer.Exit(run_files(settings))


def dev(
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port of the API server; 0: any free one.")] = 0,
    data: Annotated[Path | None, typer.Option(help="Keep objects and artifacts in this folder.")] = None,
    durable: Annotated[bool, typer.Option(help="With --data: what was answered outlives a power cut too.")] = False,
    runtime: Annotated[
        DevRuntime, typer.Option("--runtime", help="As for run; none: no node but those that `tiphys node` joins.")
    ] = DevRuntime.auto,
    controllers: Annotated[bool, typer.Option(help="Run the controllers too.")] = True,
    kubeconfig: Annotated[Path | None, typer.Option(help="Where to write the kubeconfig.")] = None,
    config: ConfigOption = None,
    archive: Annotated[
        Path | None, typer.Option(help="Archive finished workflows in this SQLite file: see `tiphys archive`.")
    ] = None,
) -> None:
    """Serve a local cluster until Ctrl-C: `ready <url>` is printed when a Workflow posted then is accepted and runs."""
    from tiphys.cli.configured import configuration_of  # noqa: PLC0415
    from tiphys.cli.dev import DevSettings  # noqa: PLC0415
    from tiphys.cli.dev import dev as serve  # noqa: PLC0415
    from tiphys.cli.session import SessionSettings  # noqa: PLC0415

    session = SessionSettings(
        mode=runtime.value, port=port, data=data, durable=durable, controllers=controllers,
        config=configuration_of(config), archive=archive,
    )  # fmt: skip
    raise typer.Exit(serve(DevSettings(session, kubeconfig)))


def lint(
    files: Files,
    kinds: Annotated[str, typer.Option(help="Only these kinds, separated by commas: workflows,wftmpl.")] = "",
    output: Annotated[
        LintForm, typer.Option("--output", "-o", help="simple: one line a problem; json, sarif: for programs.")
    ] = LintForm.pretty,
    strict: Annotated[bool, typer.Option(help="Fields that do not exist are errors.")] = True,
    offline: Annotated[bool, typer.Option("--offline", help="Always so: lint asks no cluster.")] = False,
    no_color: options.NoColour = False,
    no_utf8: options.NoUtf8 = False,
) -> None:
    """Find the problems of FILE… before they run; exit code 1 when there are errors, or nothing was found to judge."""
    del offline
    from tiphys.cli import lint as linter  # noqa: PLC0415
    from tiphys.cli import lint_forms  # noqa: PLC0415
    from tiphys.cli.screen import screen_of  # noqa: PLC0415

    wanted = [kind.strip().lower() for kind in kinds.split(",") if kind.strip()]
    found = linter.reports(_given(files), wanted, linter.LINTING._replace(strict=strict))
    if output is LintForm.simple:
        lines = linter.simple(found)
    elif output is LintForm.json:
        lines = [lint_forms.as_json(found)]
    elif output is LintForm.sarif:
        lines = [lint_forms.as_sarif(found)]
    else:
        lines = linter.pretty(found, screen_of(sys.stdout, no_colour=no_color, no_utf8=no_utf8))
    for line in lines:
        print(line)
    raise typer.Exit(1 if linter.fails(found) else 0)


def convert(
    files: Files,
    output: Annotated[Form, typer.Option("--output", "-o", help="yaml or json.")] = Form.yaml,
    no_color: options.NoColour = False,
) -> None:
    """Print the manifests of FILE… as they are written today: schedules, mutexes and semaphores are lists."""
    from tiphys.cli import documents, results, yamltext  # noqa: PLC0415
    from tiphys.cli.conversion import converted  # noqa: PLC0415

    results.check_form(output.value, ("yaml", "json"))
    for source in files:
        for name in documents.files(source):
            for parsed in yamltext.parse(documents.text_of(name), name):
                text = results.text_of([converted(parsed.value)], output.value)
                print(f"---\n{text}" if output is Form.yaml else text, end="")


def version(short: Annotated[bool, typer.Option("--short", help="Only the number.")] = False) -> None:
    """Print the version."""
    import platform  # noqa: PLC0415
    from importlib.metadata import PackageNotFoundError  # noqa: PLC0415
    from importlib.metadata import version as version_of  # noqa: PLC0415

    try:
        number = version_of("tiphys")
    except PackageNotFoundError:
        number = "not installed"
    print(f"tiphys: {number}")
    if not short:
        print(f"  Python: {platform.python_version()}")
        print(f"  Platform: {sys.platform}/{platform.machine()}")


def completion(
    shell: Annotated[Shell, typer.Argument(metavar="SHELL", help="bash, zsh or fish.")],
) -> None:
    """Print a script that completes commands and options in a shell: `source <(tiphys completion bash)`."""
    from typer.completion import get_completion_script  # type: ignore[attr-defined]  # noqa: PLC0415  no other door

    print(get_completion_script(prog_name="tiphys", complete_var="_TIPHYS_COMPLETE", shell=shell.value))


def _given(files: list[str]) -> list[str]:
    if not files:
        raise typer.BadParameter("no FILE given: name a file, a folder, a URL, or - for standard input")
    return files
