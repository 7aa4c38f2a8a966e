"""`tiphys run`: the files' workflows from nothing to their end, on a dev cluster of their own, in this process.

Templates, ConfigMaps, Secrets and claims in the files are created first. What failed is shown with its log. The exit
code is 0 when all succeeded, 1 when one failed or was stopped, 2 when the input is not fit to run. Files with a Rollout
and no Workflow are the affair of `rollouts.running`.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final, TextIO

import anyio

from runtime.api import Api
from runtime.objects import Object, reference
from tiphys.cli import failures, lint, logs, results
from tiphys.cli import nodes as status
from tiphys.cli.creation import Creation, create_all, create_namespaces, prepared
from tiphys.cli.documents import Document, read
from tiphys.cli.execution import Execution, Interruptions
from tiphys.cli.kinds import WORKFLOWS
from tiphys.cli.live import Display, Silent, display_on, result_line
from tiphys.cli.needs import needs_the_api
from tiphys.cli.overrides import Overrides
from tiphys.cli.problems import EXIT_FAILED, EXIT_SUCCEEDED, InputError
from tiphys.cli.screen import Screen, screen_of
from tiphys.cli.session import SessionSettings, opened

FORMS: Final = ("json", "yaml", "name")


@dataclass(frozen=True, slots=True)
class RunSettings:
    """What the command line of `run` said."""

    sources: Sequence[str]
    overrides: Overrides = field(default_factory=Overrides)
    namespace: str = "default"
    output: str = ""
    watch: bool = True
    show_logs: bool = False
    strict: bool = True
    timeout_s: float | None = None
    no_colour: bool = False
    no_utf8: bool = False
    session: SessionSettings = field(default_factory=SessionSettings)
    images: Sequence[str] = ()  # of a Rollout: CONTAINER=IMAGE
    promote_after_s: float | None = None  # of a Rollout: when whatever waits for a person is promoted


def run(settings: RunSettings) -> int:
    """Run the workflows of the files; the exit code. Raises InputError when they are not fit to run."""
    results.check_form(settings.output, FORMS)
    documents = read(settings.sources)
    kinds = {document.resource.kind for document in documents}
    if "Rollout" in kinds and "Workflow" not in kinds:
        return _run_rollout(settings, documents)
    check(documents, settings)
    return anyio.run(_run, settings, documents)


def _run_rollout(settings: RunSettings, documents: Sequence[Document]) -> int:
    from tiphys.cli.rollouts import running  # noqa: PLC0415  the simulator's rooms are slow to import

    update = running.Update(
        settings.overrides.name, settings.namespace, settings.images, settings.promote_after_s, settings.timeout_s,
        settings.output, settings.watch, settings.no_colour, settings.no_utf8,
    )  # fmt: skip
    return running.run(documents, update, settings.session)


def check(documents: Sequence[Document], settings: RunSettings) -> None:
    """Raises InputError for everything that can be known before anything is started; warns on standard error."""
    workflows = [document for document in documents if document.is_workflow]
    if not workflows:
        kinds = ", ".join(sorted({document.resource.kind for document in documents}))
        raise InputError(f"nothing to run: the files hold {kinds}, and no Workflow that would use them")
    if settings.overrides.name and len(workflows) > 1:
        raise InputError(f"--name is for one Workflow, and the files hold {len(workflows)}: use --generate-name")
    rules = lint.RUNNING._replace(strict=settings.strict)
    as_they_run = [
        document._replace(object=prepared(document, Creation(settings.namespace, settings.overrides)))
        for document in documents
    ]
    for warning in lint.check_or_raise(as_they_run, rules):
        print(f"warning: {warning}", file=sys.stderr)


async def _run(settings: RunSettings, documents: Sequence[Document]) -> int:
    code = EXIT_FAILED
    async with anyio.create_task_group() as tasks:
        interruptions = Interruptions(tasks.cancel_scope)
        await tasks.start(interruptions.heed)
        code = await _in_session(settings, documents, interruptions)
        tasks.cancel_scope.cancel()
    return code


async def _in_session(settings: RunSettings, documents: Sequence[Document], interruptions: Interruptions) -> int:
    stream = sys.stderr if settings.output else sys.stdout
    screen = screen_of(stream, no_colour=settings.no_colour, no_utf8=settings.no_utf8)
    async with opened(replace(settings.session, serving=needs_the_api(documents))) as session:
        creation = Creation(settings.namespace, settings.overrides)
        await create_namespaces(session.api, documents, creation)
        workflows = await create_all(session.api, documents, creation)
        display: Display = display_on(stream, screen) if settings.watch else Silent()
        execution = Execution(session.api, workflows, display)
        interruptions.execution = execution
        with display:
            await _follow(session.api, execution, display, show_logs=settings.show_logs, timeout_s=settings.timeout_s)
        ended = list(execution.latest.values())
        await _show_end(session.api, ended, stream, screen)
    if settings.output:
        results.write(ended, settings.output, sys.stdout)
    return EXIT_SUCCEEDED if execution.succeeded and not execution.timed_out else EXIT_FAILED


async def _follow(
    api: Api, execution: Execution, display: Display, *, show_logs: bool, timeout_s: float | None
) -> None:
    async with anyio.create_task_group() as readers:
        if show_logs:
            for workflow in list(execution.latest.values()):
                readers.start_soon(_show_log, api, workflow, display)
        await execution.to_the_end(timeout_s)
        if not execution.finished:
            readers.cancel_scope.cancel()


async def _show_log(api: Api, workflow: Object, display: Display) -> None:
    await logs.follow(
        api, reference(WORKFLOWS, workflow), logs.Wishes(), lambda line: display.say(f"{line.pod}: {line.text}")
    )


async def _show_end(api: Api, workflows: Sequence[Object], stream: TextIO, screen: Screen) -> None:
    for workflow in workflows:
        if status.phase_of(workflow) != "Succeeded":
            found = await failures.read(api, workflow)
            more = len(failures.failed_pods(workflow)) - len(found)
            for line in failures.lines(found, more, screen):
                print(line, file=stream)
        print(result_line(workflow, screen), file=stream)
    stream.flush()
