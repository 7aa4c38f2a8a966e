"""Objects of Argo Rollouts from files, as `rollouts create -f` makes them."""

from __future__ import annotations

from collections.abc import Sequence

from runtime.api import ApiError
from tiphys.cli import documents
from tiphys.cli.connect import Connection
from tiphys.cli.problems import EXIT_SUCCEEDED, InputError, Problem

KINDS = ("Rollout", "Experiment", "AnalysisTemplate", "ClusterAnalysisTemplate", "AnalysisRun")


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
