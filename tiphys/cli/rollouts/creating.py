"""Objects of Argo Rollouts from files, as `rollouts create -f` makes them, and AnalysisRuns from templates."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass

from actors.analysis_arguments import ArgumentError
from actors.analysis_templates import (
    RunRequest,
    TemplateError,
    TemplateRef,
    gathered,
    new_run,
    undeclared_arguments,
    unread,
)
from runtime.api import ApiError, Gone
from runtime.objects import Object, Reference, Resource
from tiphys.cli import documents
from tiphys.cli.connect import Connection
from tiphys.cli.problems import EXIT_SUCCEEDED, InputError, Problem
from tiphys.cli.rollouts.objects import ANALYSIS_RUNS

KINDS = ("Rollout", "Experiment", "AnalysisTemplate", "ClusterAnalysisTemplate", "AnalysisRun")
TEMPLATES = {"AnalysisTemplate": False, "ClusterAnalysisTemplate": True}  # kind -> whether it is the cluster's
INSTANCE = "argo-rollouts.argoproj.io/controller-instance-id"


async def create(at: Connection, files: Sequence[str]) -> int:
    """Create every object of files and say so. Raises InputError naming the one that is not of these kinds."""
    read = documents.read(files)
    for document in read:
        if document.resource.kind not in KINDS:
            raise InputError(document.problem(f"only {', '.join(KINDS)} are created here", "kind"))
    for document in read:
        thing = dict(document.object)
        if document.resource.namespaced:
            thing["metadata"] = {"namespace": at.namespace, **thing["metadata"]}
        try:
            made = await at.api.create(document.resource, thing)
        except ApiError as e:
            raise InputError(Problem(e.message, document.source, document.line, document.title)) from e
        print(f"{document.resource.kind.lower()}.argoproj.io/{made['metadata']['name']} created")
    return EXIT_SUCCEEDED


@dataclass(frozen=True, slots=True)
class RunWish:
    """An AnalysisRun that somebody wants: its template is in the cluster (`source`), or the first of a file."""

    source: str = ""
    file: str = ""
    is_clusters: bool = False  # a ClusterAnalysisTemplate is meant
    arguments: tuple[tuple[str, str], ...] = ()
    name: str = ""
    prefix: str = ""  # of a generated name; without both: the template's name
    instance_id: str = ""


def arguments(texts: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """`name=value` texts. Raises InputError for one that is none."""
    found = []
    for text in texts:
        name, equals, value = text.partition("=")
        if not name or not equals:
            raise InputError(f"{text!r}: arguments must be in the form NAME=VALUE")
        found.append((name, value))
    return tuple(found)


async def analysis_run(at: Connection, wish: RunWish) -> int:
    """Create the run and say its name. Raises InputError when its template, or one that it names, cannot be had."""
    ref, found = _in_file(wish) if wish.file else (TemplateRef(wish.source, wish.is_clusters), {})
    while missing := unread([ref], found):
        for each in missing:
            found[each] = await _read(at, each)
    passed = [{"name": name, "value": value} for name, value in wish.arguments]
    try:
        templates = gathered([ref], found)
        for name in undeclared_arguments(passed, templates):
            print(f"warning: no template declares the argument {name!r}: it is left out", file=sys.stderr)
        labels = {INSTANCE: wish.instance_id} if wish.instance_id else {}
        run = new_run(templates, RunRequest(wish.name, at.namespace, passed, labels=labels))
    except (TemplateError, ArgumentError) as e:
        hint = "; give it with -a NAME=VALUE" if isinstance(e, ArgumentError) else ""
        raise InputError(f"{e}{hint}") from e
    if not wish.name:
        del run["metadata"]["name"]
        run["metadata"]["generateName"] = wish.prefix or f"{ref.name}-"
    made = await at.api.create(ANALYSIS_RUNS, run)
    print(f"analysisrun.argoproj.io/{made['metadata']['name']} created")
    return EXIT_SUCCEEDED


def _in_file(wish: RunWish) -> tuple[TemplateRef, dict[TemplateRef, Object | None]]:
    """The first template of a file, and all that are in it."""
    read = documents.read([wish.file])
    found: dict[TemplateRef, Object | None] = {
        TemplateRef(each.object["metadata"]["name"], TEMPLATES[each.resource.kind]): dict(each.object)
        for each in read
        if each.resource.kind in TEMPLATES
    }
    wanted = [ref for ref in found if ref.cluster or not wish.is_clusters]
    if not wanted:
        kind = "ClusterAnalysisTemplate" if wish.is_clusters else "AnalysisTemplate"
        raise InputError(f"{wish.file}: there is no {kind} in it")
    return wanted[0], found


async def _read(at: Connection, ref: TemplateRef) -> Object | None:
    resource = Resource(*ref.resource)
    try:
        return await at.api.get(Reference(resource, "" if ref.cluster else at.namespace, ref.name))
    except Gone:
        return None
