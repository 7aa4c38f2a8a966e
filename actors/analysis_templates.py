"""AnalysisTemplates become an AnalysisRun: read with all that they refer to, put together, given their arguments. Pure.

Whoever makes runs (a Rollout, an Experiment) reads what `unread` names until nothing is missing, then calls `new_run`.
Texts of errors are upstream's: they end up in conditions and statuses.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from actors.analysis_arguments import Argument, ArgumentError, resolved_metric
from actors.analysis_checks import effective_count
from actors.language.gotext import printed
from actors.names import analysis_labels as keys
from actors.names.podhash import HASH_LABEL
from actors.names.resources import ANALYSIS_RUN, ANALYSIS_TEMPLATE, ARGO_API_VERSION, CLUSTER_ANALYSIS_TEMPLATE

Object = dict[str, Any]

COMPLETED = frozenset({"Successful", "Failed", "Error", "Inconclusive"})
"""Phases of a run, a metric or a measurement that are final."""

_BADNESS = ("Successful", "Running", "Pending", "Inconclusive", "Error", "Failed")
_COMPARED = ("metrics", "dryRun", "measurementRetention", "args")


class TemplateError(ValueError):
    """Templates that do not go together."""


class TemplateAbsent(TemplateError):
    """A template that is not there; `ref` says which."""

    def __init__(self, ref: TemplateRef) -> None:
        kind = "clusteranalysistemplate" if ref.cluster else "analysistemplate"
        super().__init__(f'{kind}.argoproj.io "{ref.name}" not found')
        self.ref = ref


class TemplateRef(NamedTuple):
    """A template that is referred to: of the namespace, or of the cluster."""

    name: str
    cluster: bool = False

    @property
    def resource(self) -> tuple[str, str, str, bool]:
        """The fields of its `runtime.objects.Resource`."""
        return CLUSTER_ANALYSIS_TEMPLATE if self.cluster else ANALYSIS_TEMPLATE


@dataclass(frozen=True, slots=True)
class RunRequest:
    """What a new run is made of, beside its templates."""

    name: str
    namespace: str
    args: Sequence[Argument] = ()  # what the maker passes; a template's own arguments are filled in
    dry_run: Sequence[Mapping[str, Any]] = ()
    retention: Sequence[Mapping[str, Any]] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    owner: Mapping[str, Any] | None = None  # an ownerReference, that of the controller


def is_worse(one: str, than: str) -> bool:
    """Whether a phase is worse than another; an empty one is as good as Successful."""
    return _rank(one) > _rank(than)


def _rank(phase: str) -> int:
    return _BADNESS.index(phase) if phase in _BADNESS else 0


# ------------------------------------------------------------------------------------------------- reading


def references(entries: Iterable[Mapping[str, Any]] | None) -> list[TemplateRef]:
    """The templates that a list of {templateName, clusterScope} names, in its order."""
    return [TemplateRef(entry.get("templateName") or "", bool(entry.get("clusterScope"))) for entry in entries or ()]


def unread(wanted: Iterable[TemplateRef], found: Mapping[TemplateRef, Object | None]) -> list[TemplateRef]:
    """Which templates are still to be read; `found` has None for those that are not there. Empty: all is known."""
    missing: list[TemplateRef] = []
    seen: set[TemplateRef] = set()
    pending = list(wanted)
    while pending:
        ref = pending.pop(0)
        if ref in seen:
            continue
        seen.add(ref)
        if ref not in found:
            missing.append(ref)
        elif (template := found[ref]) is not None:
            pending += references(template["spec"].get("templates"))
    return missing


def gathered(wanted: Iterable[TemplateRef], found: Mapping[TemplateRef, Object | None]) -> list[Object]:
    """The templates and those they refer to, depth first, each once, those of the namespace first.

    Raises TemplateAbsent. A template that refers to itself is there once."""
    done: dict[TemplateRef, Object] = {}
    _gather(wanted, found, done)
    return [template for ref, template in sorted(done.items(), key=lambda entry: entry[0].cluster)]


def _gather(
    wanted: Iterable[TemplateRef], found: Mapping[TemplateRef, Object | None], done: dict[TemplateRef, Object]
) -> None:
    stack = list(wanted)[::-1]
    while stack:
        ref = stack.pop()
        if ref in done:
            continue
        template = found.get(ref)
        if template is None:
            raise TemplateAbsent(ref)
        done[ref] = template
        stack += references(template["spec"].get("templates"))[::-1]


# ------------------------------------------------------------------------------------------ putting together


def flattened(templates: Iterable[Object]) -> Object:
    """The templates as one: metrics, args, dryRun, measurementRetention. Raises TemplateError."""
    specs = [template.get("spec") or {} for template in templates]
    metrics = [metric for spec in specs for metric in spec.get("metrics") or ()]
    _unique([metric.get("name") or "" for metric in metrics], "two metrics have the same name '{}'")
    return {
        "metrics": metrics,
        "args": _flat_arguments([argument for spec in specs for argument in spec.get("args") or ()]),
        "dryRun": _dry_run([rule for spec in specs for rule in spec.get("dryRun") or ()]),
        "measurementRetention": _retention([rule for spec in specs for rule in spec.get("measurementRetention") or ()]),
    }


def _flat_arguments(arguments: Iterable[Argument]) -> list[Object]:
    done: dict[str, Object] = {}
    for argument in arguments:
        name = argument["name"]
        before = done.get(name)
        old, new = (before or {}).get("value"), argument.get("value")
        if old is not None and new is not None and old != new:
            raise TemplateError(f"Argument `{name}` specified multiple times with different values: '{old}', '{new}'")
        if old is None:
            done[name] = dict(argument)
    return list(done.values())


def _dry_run(rules: list[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    _unique([rule.get("metricName") or "" for rule in rules], "two Dry-Run metric rules have the same name '{}'")
    return rules


def _retention(rules: list[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    text = "two Measurement Retention metric rules have the same name '{}'"
    _unique([rule.get("metricName") or "" for rule in rules], text)
    return rules


def _unique(names: list[str], message: str) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise TemplateError(message.format(name))
        seen.add(name)


def merged_arguments(passed: Iterable[Argument], declared: Iterable[Argument]) -> list[Object]:
    """A template's arguments with what is passed filled in; what it does not declare is left out.

    Raises ArgumentError for one that has neither a value nor a source."""
    done = {argument["name"]: dict(argument) for argument in declared}
    for argument in passed:
        own = done.get(argument["name"])
        if own is None:
            continue
        if argument.get("value") is not None:
            own["value"] = argument["value"]
        elif argument.get("valueFrom") is not None:
            own["valueFrom"] = argument["valueFrom"]
    for name, argument in done.items():
        if argument.get("value") is None and argument.get("valueFrom") is None:
            raise ArgumentError(f"args.{name} was not resolved")
    return list(done.values())


def undeclared_arguments(passed: Iterable[Argument], templates: Iterable[Object]) -> list[str]:
    """Names that are passed and that no template declares: ignored, and worth a warning."""
    declared = {argument["name"] for argument in flattened(templates)["args"]}
    return [argument["name"] for argument in passed if argument["name"] not in declared]


def new_run(templates: Iterable[Object], request: RunRequest) -> Object:
    """The AnalysisRun of these templates. Raises TemplateError, ArgumentError."""
    template = flattened(templates)
    spec: Object = {"metrics": template["metrics"]}
    for name, value in (
        ("dryRun", _dry_run([*request.dry_run, *template["dryRun"]])),
        ("measurementRetention", _retention([*request.retention, *template["measurementRetention"]])),
        ("args", merged_arguments(request.args, template["args"])),
    ):
        if value:
            spec[name] = value
    meta: Object = {"name": request.name, "namespace": request.namespace}
    for name, entries in (("labels", request.labels), ("annotations", request.annotations)):
        if entries:
            meta[name] = dict(entries)
    if request.owner:
        meta["ownerReferences"] = [dict(request.owner)]
    return {"apiVersion": ARGO_API_VERSION, "kind": ANALYSIS_RUN[1], "metadata": meta, "spec": spec}


# ----------------------------------------------------------------------------------------------- judging


def blocking_problems(template: Object) -> list[str]:
    """Why a template cannot be used where a Rollout waits for its end (steps, before and after a promotion)."""
    name, spec = template["metadata"]["name"], template.get("spec") or {}
    values: dict[str, str] = {}
    for argument in spec.get("args") or ():
        if argument.get("value") is not None and argument.get("valueFrom") is not None:
            return [f"AnalysisTemplate {name}: arg '{argument['name']}' has both Value and ValueFrom fields"]
        values[argument["name"]] = argument.get("value") or "dummy-value"
    problems: list[str] = []
    for metric in spec.get("metrics") or ():
        try:
            resolved = resolved_metric(metric, values)
        except ArgumentError as error:
            return [f"AnalysisTemplate {name}: {error}"]
        if effective_count(resolved) is None:
            count = printed(resolved.get("count"))
            text = f"has metric {metric['name']} which runs indefinitely. Invalid value for count: {count}"
            problems.append(f"AnalysisTemplate {name} {text}")
    return problems


def unsupplied_arguments(template: Object, passed: Iterable[Argument]) -> list[str]:
    """The arguments of a template that have no value of their own and are not passed."""
    given = {argument["name"] for argument in passed}
    return [
        argument["name"]
        for argument in (template.get("spec") or {}).get("args") or ()
        if argument.get("value") is None and argument.get("valueFrom") is None and argument["name"] not in given
    ]


# -------------------------------------------------------------------------------------------------- making


def run_labels(kind: str, pod_hash: str, instance_id: str = "", step: int | None = None) -> dict[str, str]:
    """The labels of a Rollout's run; `kind` is Step, Background, PrePromotion or PostPromotion."""
    labels = {HASH_LABEL: pod_hash, keys.ROLLOUT_TYPE: kind}
    if step is not None:
        labels[keys.STEP_INDEX] = str(step)
    if instance_id:
        labels[keys.INSTANCE_ID] = instance_id
    return labels


def collided(name: str, collisions: int) -> str:
    """The name to try after so many of the earlier ones were taken."""
    return f"{name}.{collisions}" if collisions else name


def is_same_run(wanted: Object, existing: Object) -> bool:
    """Whether a run of the wanted name is the wanted one, made before: ours, equal, and not at its end."""
    if (existing.get("status") or {}).get("phase") in COMPLETED:
        return False
    return _controller(wanted) == _controller(existing) and same_spec(wanted["spec"], existing["spec"])


def same_spec(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two runs measure the same: metrics, rules and arguments count."""
    return all((one.get(name) or []) == (other.get(name) or []) for name in _COMPARED)


def _controller(thing: Object) -> str:
    owners = thing["metadata"].get("ownerReferences") or ()
    return next((owner["uid"] for owner in owners if owner.get("controller")), "")
