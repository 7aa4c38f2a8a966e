"""`tiphys simulate`: files and options become a wish, the play becomes a table, an ending and perhaps a picture."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import anyio
import yaml

from runtime.objects import Object, Resource
from tiphys.cli import documents, table
from tiphys.cli.problems import EXIT_FAILED, EXIT_SUCCEEDED, InputError, Problem
from tiphys.cli.rollouts import templates
from tiphys.cli.rollouts.objects import ROLLOUTS

if TYPE_CHECKING:
    from tiphys.simulate.run import Played, Wish

SHELL: Final = {"image": "*"}
TEMPLATES: Final = ("AnalysisTemplate", "ClusterAnalysisTemplate")


class Options(NamedTuple):
    """What the command line said."""

    files: Sequence[str]
    name: str
    changes: Sequence[str]
    metrics: str
    until_s: float
    promote_after_s: float | None
    ready_after_s: float
    new_pods: dict[str, str]
    plot: Path | None


def simulate(options: Options) -> int:
    """Play and print; 0 when the update ends Healthy, 1 otherwise. Raises InputError."""
    from runtime import log  # noqa: PLC0415  only when the command runs: the same below
    from tiphys.simulate.run import CannotSimulate, play  # noqa: PLC0415
    from tiphys.simulate.scenery import scenery  # noqa: PLC0415
    from tiphys.simulate.virtual_time import VirtualLoop  # noqa: PLC0415
    from tiphys.simulate.warnings import warnings  # noqa: PLC0415

    log.configure(level="error")
    wish = wished(options)
    around = scenery(wish.rollout, wish.others)
    templates_here = [thing for resource, thing in wish.others if resource.kind in TEMPLATES]
    for sentence in [*around.said, *warnings(wish.rollout, templates_here)]:
        print(f"warning: {sentence}", file=sys.stderr)
    wish = replace(wish, others=[*around.things, *wish.others])
    try:
        played = anyio.run(play, wish, backend_options={"loop_factory": VirtualLoop})
    except* CannotSimulate as group:
        raise InputError(str(first_of(group))) from group
    return _told(wish, played, options)


def wished(options: Options) -> Wish:
    """The wish of files and options. Raises InputError."""
    from tiphys.simulate.metrics import BadSeries, Series, read  # noqa: PLC0415
    from tiphys.simulate.run import Nobody, Patient, Wish  # noqa: PLC0415

    read_ones = documents.read(options.files, _left_out)
    rollout = chosen(read_ones, options.name)
    others = beside(read_ones, rollout["metadata"]["namespace"])
    try:
        series = Series(read(_metrics(options.metrics)) if options.metrics else {})
    except BadSeries as e:
        raise InputError(f"--metrics: {e}") from e
    person = Nobody() if options.promote_after_s is None else Patient(options.promote_after_s)
    return Wish(
        rollout, others, images_of(options.changes), series, {"ready-after": str(options.ready_after_s)},
        options.new_pods, options.until_s, person,
    )  # fmt: skip


def images_of(changes: Sequence[str]) -> list[templates.ImageWish]:
    """What `--set` asks for. Raises InputError."""
    return templates.image_wishes([_container(text) for text in changes])


def _left_out(problem: Problem) -> None:
    print(problem._replace(message=f"left out: {problem.message}"), file=sys.stderr)


def beside(read: Sequence[documents.Document], namespace: str) -> list[tuple[Resource, Object]]:
    """What stands beside the Rollout in the files, in its namespace."""
    others = []
    for one in read:
        if one.resource != ROLLOUTS:
            thing = {**one.object, "apiVersion": one.resource.api_version}
            if one.resource.namespaced:
                thing["metadata"] = {**thing["metadata"], "namespace": namespace}
            others.append((one.resource, thing))
    return others


def chosen(read: Sequence[documents.Document], name: str, namespace: str = "default") -> Object:
    """The Rollout that is meant. Raises InputError when there is not exactly one of that name."""
    found = [one for one in read if one.resource == ROLLOUTS and name in ("", one.object["metadata"].get("name"))]
    if len(found) != 1:
        names = ", ".join(str(one.object["metadata"].get("name")) for one in read if one.resource == ROLLOUTS)
        raise InputError(f"which Rollout? There are: {names or 'none'}" + ("; choose with --name" if names else ""))
    thing = dict(found[0].object)
    thing["metadata"] = {"namespace": namespace, **thing["metadata"]}
    return thing


def _container(text: str) -> str:
    name, equals, image = text.partition("=")
    return f"{SHELL.get(name, name)}{equals}{image}"


def _metrics(text: str) -> Any:
    """A file's content, or the sentence itself."""
    if " at " in text and not Path(text).exists():
        return text
    try:
        return yaml.safe_load(documents.text_of(text))
    except yaml.YAMLError as e:
        raise InputError(f"--metrics {text}: {e}") from e


def _told(wish: Wish, played: Played, options: Options) -> int:
    from tiphys.simulate.timeline import rows  # noqa: PLC0415

    print("\n".join(table.aligned(rows(played.moments))))
    name = wish.rollout["metadata"]["name"]
    print(f"\n{name}: {ending(played, options.until_s)}")
    if options.plot is not None:
        _draw(name, played, options.plot)
    return EXIT_SUCCEEDED if played.ending == "Healthy" else EXIT_FAILED


def ending(played: Played, until_s: float) -> str:
    """How it ended, as a sentence."""
    sentences = {
        "Healthy": "the update ends Healthy",
        "Degraded": f"the update ends Degraded: {played.waits_for}",
        "waits": f"here it waits for a person: {played.waits_for} (--promote-after 10m plays that person)",
        "time is up": f"not at its end after {until_s:.0f} s: {played.waits_for}",
    }
    return sentences[played.ending]


def _draw(name: str, played: Played, path: Path) -> None:
    try:
        from tiphys.simulate import plot  # noqa: PLC0415
    except ImportError as e:
        raise InputError("--plot needs matplotlib: pip install 'tiphys[bench]'") from e
    try:
        plot.draw(name, played.moments, path)
    except (OSError, ValueError) as e:
        raise InputError(f"--plot {path}: {e}") from e
    print(path, file=sys.stderr)


def first_of(group: BaseExceptionGroup[Exception]) -> BaseException:
    """The exception that a group of one was raised for."""
    found: BaseException = group
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    return found
