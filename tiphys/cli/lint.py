"""Every problem of a manifest is found before it runs, each with file, line and field.

Three questions in order: are the fields known and of the right type, does the workflow make sense, and does it use
something that is not there yet. The second is asked only where every field holds what it may hold; fields that do not
exist are passed over.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from runtime.objects import Object
from tiphys.cli.documents import Document, files, parse, text_of
from tiphys.cli.kinds import CLUSTER_WORKFLOW_TEMPLATES, KNOWN, WORKFLOW_TEMPLATES
from tiphys.cli.problems import InputError, Problem
from tiphys.cli.screen import Screen

if TYPE_CHECKING:
    from crds.problems import Problem as FieldProblem


class Finding(NamedTuple):
    """A problem, and whether it stops the workflow."""

    problem: Problem
    error: bool
    rule: str = "not-readable"  # a key of RULES
    path: str = ""  # of the field
    remedy: str = ""


RULES: Final = {
    "not-readable": "A file is text in UTF-8 that holds Kubernetes objects in YAML or JSON.",
    "unknown-field": "Every field exists in its kind.",
    "wrong-value": "Every field holds a value of its type, as the API server's schema has it.",
    "invalid-workflow": "Every name that is used exists, and every value that is needed is there.",
    "fails-later": "What a run has to read can be read: conditions, expressions, retries, lengths of time, loops.",
    "invalid-binding": "An event can be submitted: the expressions of its WorkflowEventBinding can be read.",
    "invalid-rollout": "A Rollout, an analysis and what they refer to are as their controller takes them.",
    "cannot-fail": "An analysis can fail.",
    "template-elsewhere": "A template that is referred to is among the files, or in the cluster later.",
    "not-supported": "Nothing is used that this version does not do.",
}
"""What each rule demands."""

SHORT_NAMES: Final = {
    "wf": "workflows",
    "wftmpl": "workflowtemplates",
    "cwft": "clusterworkflowtemplates",
    "cronwf": "cronworkflows",
}
NOTHING: Final = "found nothing to lint in the specified paths, failing..."


class Report(NamedTuple):
    """What was found in one file."""

    source: str
    findings: list[Finding]
    judged: int = 0  # how many objects of it were

    @property
    def fails(self) -> bool:
        """Whether anything in it stops a workflow."""
        return any(finding.error for finding in self.findings)


class Rules(NamedTuple):
    """How severe the judge is."""

    strict: bool = True  # fields that do not exist are errors
    alone: bool = True  # a template that is not among the documents is nowhere: an error, else a warning
    valueless: bool = False  # workflow parameters may lack values: whoever submits gives them
    ahead: bool = False  # what only the API server or a run would refuse is an error, else it is at most a warning


RUNNING: Final = Rules()
LINTING: Final = Rules(alone=False, valueless=True, ahead=True)
SUBMITTING: Final = Rules(alone=False)


def findings(document: Document, together: Sequence[Document], rules: Rules) -> list[Finding]:
    """Everything found in one document, which may refer to those that it stands together with."""
    from crds.check import check, is_ours  # noqa: PLC0415  the shapes of all kinds are read on import
    from crds.features import unsupported  # noqa: PLC0415

    if not is_ours(document.object):
        return []
    unknown_pass = not rules.strict
    found = [
        _finding(document, wrong, "unknown-field" if wrong.unknown else "wrong-value", forgiven=unknown_pass)
        for wrong in check(document.object)
    ]
    sound = not any(finding.error and finding.rule == "wrong-value" for finding in found)
    if rules.ahead:
        found += _as_written(document)
    if sound:
        found += _meaning(document, together, rules)
        found += _of_rollouts(document, together)
        found += _of_bindings(document, rules)
    return found + [_finding(document, missing, "not-supported") for missing in unsupported(document.object)]


def _as_written(document: Document) -> list[Finding]:
    """Numbers and truth values where text belongs: our command line takes them for text, an API server does not."""
    from crds.check import check  # noqa: PLC0415  the shapes of all kinds are read on import

    mended = set(check(document.object))
    wrong = [each for each in check(document.written) if not each.unknown and each not in mended]
    return [_finding(document, each, "wrong-value") for each in wrong if each.severity == "error"]


def _meaning(document: Document, together: Sequence[Document], rules: Rules) -> list[Finding]:
    """What makes no sense in a workflow or a template, with the templates of the other documents at hand."""
    from actors.workflow.validation import LibraryRef, validate  # noqa: PLC0415

    absent: list[str] = []

    def lookup(ref: LibraryRef) -> Object | None:
        kind = CLUSTER_WORKFLOW_TEMPLATES if ref.cluster else WORKFLOW_TEMPLATES
        for other in together:
            if other.resource == kind and other.object["metadata"].get("name") == ref.name:
                return other.object
        absent.append(ref.name)
        return None

    found = []
    for wrong in validate(document.object, lookup=lookup, lint=rules.valueless, thorough=True):
        elsewhere = not rules.alone and any(name in wrong.message and "not found" in wrong.message for name in absent)
        said = (
            wrong.message + (" among these files" if elsewhere else "") + (f" ({wrong.remedy})" if wrong.remedy else "")
        )
        rule = "template-elsewhere" if elsewhere else "fails-later" if wrong.late else "invalid-workflow"
        serious = wrong.severity == "error" and not elsewhere and (rules.ahead or not wrong.late)
        found.append(Finding(document.problem(said, wrong.path), serious, rule, wrong.path, wrong.remedy))
    return found


def _of_rollouts(document: Document, together: Sequence[Document]) -> list[Finding]:
    """What the controller would refuse in a Rollout or an analysis, and what cannot be meant."""
    from tiphys.cli.rollouts import linting  # noqa: PLC0415

    if document.resource.kind not in linting.KINDS:
        return []
    others = [(other.resource, other.object) for other in together]
    return [
        Finding(
            document.problem(wrong.message, wrong.path),
            wrong.serious,
            "invalid-rollout" if wrong.serious else "cannot-fail",
            wrong.path,
        )
        for wrong in linting.wrongs(document.object, others)
    ]


def _of_bindings(document: Document, rules: Rules) -> list[Finding]:
    """What an event could not be submitted by."""
    from actors.eventbinding.validation import problems  # noqa: PLC0415

    if document.resource.kind != "WorkflowEventBinding":
        return []
    return [
        Finding(document.problem(wrong.message, wrong.path), rules.ahead, "invalid-binding", wrong.path)
        for wrong in problems(document.object)
    ]


def _finding(document: Document, wrong: FieldProblem, rule: str, *, forgiven: bool = False) -> Finding:
    serious = wrong.severity == "error" and not (forgiven and wrong.unknown)
    return Finding(document.problem(str(wrong), wrong.path), serious, rule, wrong.path, wrong.remedy)


def check_or_raise(documents: Sequence[Document], rules: Rules) -> list[Problem]:
    """The warnings of documents that may run. Raises InputError with all errors when there are any."""
    found = [finding for document in documents for finding in findings(document, documents, rules)]
    errors = [finding.problem for finding in found if finding.error]
    if errors:
        raise InputError(*errors)
    return [finding.problem for finding in found]


def reports(sources: Iterable[str], kinds: Sequence[str] = (), rules: Rules = LINTING) -> list[Report]:
    """One report a file, in order; files that cannot be read are reported like any other. Raises InputError for a kind
    that nobody knows, nothing for a file."""
    chosen = _kinds(kinds)
    read: list[tuple[str, list[Document], list[Finding]]] = []
    for source in sources:
        try:
            names = list(files(source))
        except InputError as e:
            read.append((source, [], [Finding(problem, error=True) for problem in e.problems]))
            continue
        read += [_read(name) for name in names]
    everything = [document for _, documents, _ in read for document in documents]
    by_source: dict[str, list[Finding]] = {name: broken for name, _, broken in read}
    judged = Counter[str]()
    for document in everything:
        if _is_judged(document, chosen):
            judged[document.source] += 1
            by_source[document.source] += findings(document, everything, rules)
    return [
        Report(name, sorted(found, key=lambda each: each.problem.line), judged[name])
        for name, found in by_source.items()
    ]


def _kinds(wanted: Sequence[str]) -> frozenset[str]:
    """Kinds by their plurals; empty for all of them. Raises InputError for one that nobody knows."""
    if "all" in wanted:
        return frozenset()
    names = {name: resource.plural for resource in KNOWN.values() for name in (resource.plural, resource.kind.lower())}
    names |= SHORT_NAMES
    if unknown := [kind for kind in wanted if kind not in names]:
        raise InputError(f"unknown kind: {unknown[0]}")
    return frozenset(names[kind] for kind in wanted)


def _is_judged(document: Document, chosen: frozenset[str]) -> bool:
    from crds.check import is_ours  # noqa: PLC0415  the shapes of all kinds are read on import

    return is_ours(document.object) and (not chosen or document.resource.plural in chosen)


def fails(found: Sequence[Report]) -> bool:
    """Whether a lint fails: for an error, or because there was nothing to judge."""
    return any(report.fails for report in found) or not any(report.judged for report in found)


def _summary(found: Sequence[Report]) -> str:
    """The last line, in upstream's words."""
    errors = sum(finding.error for report in found for finding in report.findings)
    if errors:
        return f"{errors} linting errors found!"
    return NOTHING if fails(found) else "no linting errors found!"


def pretty(found: Sequence[Report], screen: Screen) -> list[str]:
    """A mark for each file, its problems below."""
    lines = []
    for report in found:
        mark = "✖" if report.fails else "⚠" if report.findings else "✔"
        lines.append(f"{screen.icon(mark)} {screen.plain(report.source)}")
        lines += [
            screen.plain(f"    {'✖' if finding.error else '⚠'} {_placed(finding.problem)}")
            for finding in report.findings
        ]
    bad = sum(report.fails for report in found)
    lines.append(f"{bad} of {len(found)} files have errors" if bad else f"{len(found)} files, no errors")
    return [*lines, f"{screen.icon('✖' if fails(found) else '✔')} {_summary(found)}"]


def simple(found: Sequence[Report]) -> list[str]:
    """One line a problem: file:line: object: message. Where there is no error, a line says so."""
    lines = [str(finding.problem) for report in found for finding in report.findings]
    return lines if any(report.fails for report in found) else [*lines, _summary(found)]


def _placed(problem: Problem) -> str:
    line = f"line {problem.line}: " if problem.line else ""
    return line + ": ".join(part for part in (problem.object, problem.message) if part)


def _read(name: str) -> tuple[str, list[Document], list[Finding]]:
    try:
        return name, parse(text_of(name), name), []
    except InputError as e:
        return name, [], [Finding(problem, error=True) for problem in e.problems]
