"""The command line of Rollouts: to see them (get, list, status) and to steer them (promote, abort, undo, …)."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from tiphys.cli import options
from tiphys.cli.clustered import Act, clustered
from tiphys.cli.commands_local import LintForm, lint
from tiphys.cli.problems import InputError
from tiphys.cli.rollouts import commands_create

if TYPE_CHECKING:
    from runtime.objects import Object, Reference, Resource
    from tiphys.cli.connect import Connection
    from tiphys.cli.rollouts.actions import Patch
    from tiphys.cli.rollouts.verbs import Decide, Doubt

HELP = {"help_option_names": ["-h", "--help"]}
KINDS = {
    "rollout": "ROLLOUTS", "rollouts": "ROLLOUTS", "ro": "ROLLOUTS",
    "experiment": "EXPERIMENTS", "experiments": "EXPERIMENTS", "exp": "EXPERIMENTS",
    "analysisrun": "ANALYSIS_RUNS", "analysisruns": "ANALYSIS_RUNS", "ar": "ANALYSIS_RUNS",
}  # fmt: skip

What = Annotated[
    list[str], typer.Argument(metavar="[KIND] NAME…", help="A Rollout; or a kind (rollout, experiment, …) and a name.")
]
Name = Annotated[str, typer.Argument(metavar="NAME", help="A Rollout.")]
Names = Annotated[list[str], typer.Argument(metavar="NAME…", help="Rollouts.")]
Watching = Annotated[bool, typer.Option("--watch/--no-watch", "-w", help="Go on when something changes.")]


def register(app: typer.Typer) -> None:
    """Add these commands to the application, below `rollouts` (and, hidden, `rollout`)."""
    group = typer.Typer(help="See and steer Rollouts.", no_args_is_help=True, context_settings=HELP)
    for command in (get, status, promote, abort, retry, undo, pause, restart, terminate):
        group.command()(command)
    group.command("list")(list_)
    group.command("lint")(lint_)
    commands_create.register(group, HELP)
    setting = typer.Typer(help="Change a Rollout's pod template.", no_args_is_help=True, context_settings=HELP)
    setting.callback()(_set)
    setting.command("image")(set_image)
    group.add_typer(setting, name="set")
    app.add_typer(group, name="rollouts")
    app.add_typer(group, name="rollout", hidden=True)


def _set() -> None:
    """Change a Rollout's pod template."""


@clustered
def get(
    what: What,
    watch: Watching = False,
    output: options.Output = None,
    no_color: options.NoColour = False,
    no_utf8: options.NoUtf8 = False,
) -> Act:
    """Show a Rollout or an Experiment: facts, revisions, ReplicaSets, pods, analyses."""
    from runtime.objects import Reference  # noqa: PLC0415  only when the command runs: the same below
    from tiphys.cli.rollouts import verbs  # noqa: PLC0415
    from tiphys.cli.screen import screen_of  # noqa: PLC0415

    resource, (name, *more) = _meant(what, "rollout", "experiment")
    if more:
        raise InputError("one at a time: give one NAME")
    screen = screen_of(sys.stdout, no_colour=no_color, no_utf8=no_utf8)
    form = options.form(output)
    return lambda at: verbs.get(at, Reference(resource, at.namespace, name), form, screen, watch=watch)


@clustered
def list_(
    what: Annotated[str, typer.Argument(metavar="[rollouts|experiments]", help="What to list.")] = "rollouts",
    all_namespaces: options.Everywhere = False,
    name: Annotated[str, typer.Option(help="Only this one.")] = "",
    output: options.Output = None,
) -> Act:
    """List Rollouts, or Experiments."""
    from tiphys.cli.rollouts import objects, verbs  # noqa: PLC0415

    if KINDS.get(_short(what)) not in ("ROLLOUTS", "EXPERIMENTS"):
        raise InputError(f"list what? {what!r} is none of: rollouts, experiments")
    resource: Resource = getattr(objects, KINDS[_short(what)])
    return lambda at: verbs.list_(at, resource, options.form(output), everywhere=all_namespaces, name=name)


@clustered
def status(
    name: Name,
    watch: Watching = True,
    timeout: Annotated[str, typer.Option("--timeout", "-t", help="Give up after: 30s, 5m. 0: never.")] = "0",
) -> Act:
    """Print where a Rollout is, until it is Healthy (exit code 0) or Degraded (1)."""
    from tiphys.cli import selection  # noqa: PLC0415
    from tiphys.cli.rollouts import verbs  # noqa: PLC0415

    limit_s = selection.seconds(timeout, "--timeout") or 0.0
    return lambda at: verbs.status(at, _rollout(at, name), watch=watch, limit_s=limit_s)


@clustered
def promote(
    name: Name,
    full: Annotated[bool, typer.Option("--full", help="Skip all that is left: steps, pauses, analyses.")] = False,
    skip_current_step: Annotated[bool, typer.Option("--skip-current-step", "-c", help="Only this step.")] = False,
    skip_all_steps: Annotated[bool, typer.Option("--skip-all-steps", "-a", help="All steps of the canary.")] = False,
) -> Act:
    """Let a Rollout go on from a pause, an analysis or a step."""
    from tiphys.cli.rollouts import actions  # noqa: PLC0415

    if full + skip_current_step + skip_all_steps > 1:
        raise InputError("--full, --skip-current-step, --skip-all-steps: choose one")

    def decide(rollout: Object) -> list[Patch]:
        if full:
            return actions.promote_fully(rollout)
        return actions.promote(rollout, skip_step=skip_current_step, skip_all=skip_all_steps)

    doubt = actions.nothing_under_way if full else actions.nothing_to_promote
    return _act([name], decide, "fully promoted" if full else "promoted", doubt)


@clustered
def abort(names: Names) -> Act:
    """Abort updates: back to the stable version."""
    from tiphys.cli.rollouts import actions  # noqa: PLC0415

    return _act(names, lambda _: actions.abort(), "aborted", actions.nothing_under_way)


@clustered
def retry(what: What) -> Act:
    """Try an aborted update, or an Experiment, again."""
    from runtime.objects import Reference  # noqa: PLC0415
    from tiphys.cli.rollouts import actions, verbs  # noqa: PLC0415

    resource, names = _meant(what, "rollout", "experiment")
    if resource.kind == "Rollout":
        return _act(names, lambda _: actions.retry(), "retried", actions.nothing_to_retry)

    async def work(at: Connection) -> int:
        refs = [Reference(resource, at.namespace, name) for name in names]
        return await verbs.act(at, refs, lambda _: actions.retry_experiment(), lambda n: f"experiment '{n}' retried")

    return work


@clustered
def undo(
    name: Name,
    to_revision: Annotated[int, typer.Option(min=0, help="The revision; 0: the one before the newest.")] = 0,
) -> Act:
    """Take the pod template of an earlier revision again."""
    from tiphys.cli.rollouts import verbs  # noqa: PLC0415

    return lambda at: verbs.undo(at, _plain(name), to_revision)


@clustered
def pause(names: Names) -> Act:
    """Hold Rollouts until they are promoted."""
    from tiphys.cli.rollouts import actions  # noqa: PLC0415

    return _act(names, lambda _: actions.pause(), "paused")


@clustered
def restart(
    names: Names,
    in_: Annotated[str, typer.Option("--in", "-i", help="After: 30s, 10m.")] = "",
) -> Act:
    """Replace all pods, a few at a time."""
    from tiphys.cli import selection  # noqa: PLC0415
    from tiphys.cli.rollouts import actions  # noqa: PLC0415

    later = selection.seconds(in_, "--in") or 0.0
    return _act(names, lambda _: actions.restart(time.time() + later), f"restarts in {later:.0f}s")


@clustered
def set_image(
    name: Name,
    images: Annotated[list[str], typer.Argument(metavar="CONTAINER=IMAGE…", help="`*` stands for every container.")],
) -> Act:
    """Update the images of a Rollout (or of the workload that it refers to)."""
    from tiphys.cli.rollouts import templates, verbs  # noqa: PLC0415

    wishes = templates.image_wishes(images)
    return lambda at: verbs.set_image(at, _plain(name), wishes)


@clustered
def terminate(what: What) -> Act:
    """End AnalysisRuns or Experiments: `terminate analysisrun NAME`."""
    from runtime.objects import Reference  # noqa: PLC0415
    from tiphys.cli.rollouts import actions, verbs  # noqa: PLC0415

    if len(what) < 2 and "/" not in what[0]:
        raise InputError("terminate what? Give a kind and a name: terminate analysisrun NAME")
    resource, names = _meant(what, "analysisrun", "experiment")

    async def work(at: Connection) -> int:
        refs = [Reference(resource, at.namespace, name) for name in names]
        kind = resource.kind.lower()
        return await verbs.act(at, refs, lambda _: actions.terminate(), lambda n: f"{kind} '{n}' terminated")

    return work


def lint_(
    given: Annotated[list[str], typer.Argument(metavar="[FILE…]", help="Files, as with -f.")] = [],  # noqa: B006
    files: Annotated[list[str], typer.Option("--filename", "-f", metavar="FILE", help="A file.")] = [],  # noqa: B006
    output: Annotated[LintForm, typer.Option("--output", "-o", help="The form of the findings.")] = LintForm.pretty,
) -> None:
    """Find the problems of the Rollouts in files; exit code 1 when there are errors."""
    if not (given or files):
        raise InputError("lint what? Give files")
    lint([*given, *files], output=output)


def _act(names: Sequence[str], decide: Decide, done: str, doubt: Doubt | None = None) -> Act:
    from tiphys.cli.rollouts import verbs  # noqa: PLC0415

    def said(name: str) -> str:
        return f"rollout '{name}' {done}"

    return lambda at: verbs.act(at, [_rollout(at, one) for one in names], decide, said, doubt or verbs.no_doubt)


def _rollout(at: Connection, name: str) -> Reference:
    from runtime.objects import Reference  # noqa: PLC0415
    from tiphys.cli.rollouts.objects import ROLLOUTS  # noqa: PLC0415

    return Reference(ROLLOUTS, at.namespace, _plain(name))


def _plain(name: str) -> str:
    """The name of a Rollout, as it is or after its kind and a slash. Raises InputError for another kind."""
    kind, slash, rest = name.rpartition("/")
    if slash and KINDS.get(_short(kind)) != "ROLLOUTS":
        raise InputError(f"{name!r}: the name of a Rollout is wanted, with rollout/ before it or without")
    return rest


def _meant(words: Sequence[str], *kinds: str) -> tuple[Resource, list[str]]:
    """The kind and the names that words mean; the first kind when none is named. Raises InputError."""
    from tiphys.cli.rollouts import objects  # noqa: PLC0415

    kind, names = _kind_and_names(words, kinds[0])
    if KINDS.get(_short(kind)) not in {KINDS[each] for each in kinds}:
        raise InputError(f"{kind!r} is no kind here: one of {', '.join(kinds)}")
    resource: Resource = getattr(objects, KINDS[_short(kind)])
    return resource, names


def _kind_and_names(words: Sequence[str], usual: str) -> tuple[str, list[str]]:
    """`rollout web`, `rollout/web rollout/api`, or a name alone. Raises InputError for a mixture."""
    if not any("/" in word for word in words):
        return (words[0], list(words[1:])) if len(words) > 1 else (usual, list(words))
    kinds = {word.rpartition("/")[0] for word in words}
    if len(kinds) > 1:
        raise InputError(f"{' '.join(words)}: name one kind, as in rollout/web rollout/api, or in rollout web api")
    return kinds.pop(), [word.rpartition("/")[2] for word in words]


def _short(kind: str) -> str:
    """`rollouts.argoproj.io` is `rollouts`."""
    return kind.lower().partition(".")[0]
