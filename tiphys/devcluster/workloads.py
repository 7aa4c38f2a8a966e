"""What makes pods has a template that is a pod's, selects the pods that it makes, and never changes its mind."""

from __future__ import annotations

import re
from typing import Any

from runtime.objects import Object
from tiphys.devcluster.errors import Cause, forbidden_value, invalid_value, not_supported, required
from tiphys.devcluster.podrules import pod_spec_faults
from tiphys.devcluster.rules import label_faults, shown
from tiphys.devcluster.selectors import selector_matches

_PERCENT = re.compile(r"[0-9]+%")
_PERCENT_RULE = (
    "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', "
    "regex used for validation is '[0-9]+%')"
)


def _not_negative(spec: Object, *names: str) -> list[Cause]:
    return [
        invalid_value(f"spec.{name}", shown(spec[name]), "must be greater than or equal to 0")
        for name in names
        if isinstance(spec.get(name), int) and spec[name] < 0
    ]


def amount_faults(value: Any, field: str, *, whole: bool = False) -> list[Cause]:
    """A number or a percentage; with `whole`, of at most 100%."""
    if isinstance(value, str):
        if _PERCENT.fullmatch(value) is None:
            return [invalid_value(field, shown(value), _PERCENT_RULE)]
        if whole and int(value[:-1]) > 100:
            return [invalid_value(field, shown(value), "must not be greater than 100%")]
    elif value is not None and value < 0:
        return [invalid_value(field, shown(value), "must be greater than or equal to 0")]
    return []


def _template_faults(template: Object) -> list[Cause]:
    labels = (template.get("metadata") or {}).get("labels")
    return label_faults(labels, "spec.template.labels") + pod_spec_faults(
        template.get("spec") or {}, "spec.template.spec"
    )


def job(new: Object, old: Object | None) -> list[Cause]:
    """A template that ends: its pods are not restarted for ever."""
    spec = new["spec"]
    template = spec.get("template") or {}
    pods = template.get("spec") or {}
    faults = _not_negative(spec, "parallelism", "completions", "backoffLimit", "ttlSecondsAfterFinished")
    faults += _not_negative(spec, "activeDeadlineSeconds")
    faults += _template_faults(template)
    if pods.get("restartPolicy") == "Always":
        faults.append(not_supported("spec.template.spec.restartPolicy", "Always", ("OnFailure", "Never")))
    if old is not None:
        before = old.get("spec") or {}
        faults += [
            invalid_value(f"spec.{name}", shown(spec.get(name)), "field is immutable")
            for name in ("selector", "completionMode")
            if before.get(name) != spec.get(name)
        ]
    return faults


def cron_job(new: Object, old: Object | None) -> list[Cause]:
    """A schedule, and a job that ends."""
    del old
    spec = new.get("spec") or {}
    faults = [] if spec.get("schedule") else [required("spec.schedule")]
    policy = spec.get("concurrencyPolicy")
    if policy not in ("Allow", "Forbid", "Replace"):
        faults.append(not_supported("spec.concurrencyPolicy", policy, ("Allow", "Forbid", "Replace")))
    inner = (spec.get("jobTemplate") or {}).get("spec") or {}
    found = job({"spec": inner}, None)
    return faults + [c._replace(field=f"spec.jobTemplate.{c.field}") for c in found]


def selected_template(new: Object, old: Object | None) -> list[Cause]:
    """A workload selects the pods of its own template, which run for ever."""
    spec = new.get("spec") or {}
    template = spec.get("template") or {}
    selector = spec.get("selector") or {}
    faults = _not_negative(spec, "replicas", "minReadySeconds", "revisionHistoryLimit")
    if not selector:
        faults.append(required("spec.selector"))
    labels = (template.get("metadata") or {}).get("labels") or {}
    if not selector or not selector_matches(selector, labels):
        why = "`selector` does not match template `labels`"
        faults.append(invalid_value("spec.template.metadata.labels", shown(labels), why))
    faults += _template_faults(template) + _lasting(template)
    if old is not None and (old.get("spec") or {}).get("selector") != selector:
        faults.append(invalid_value("spec.selector", shown(selector), "field is immutable"))
    return faults


def _lasting(template: Object) -> list[Cause]:
    """Pods that something else replaces are restarted for ever and have no end."""
    pods = template.get("spec") or {}
    field = "spec.template.spec"
    faults: list[Cause] = []
    if pods.get("restartPolicy") in ("OnFailure", "Never"):
        faults.append(not_supported(f"{field}.restartPolicy", pods["restartPolicy"], ("Always",)))
    if pods.get("activeDeadlineSeconds") is not None:
        why = "activeDeadlineSeconds in ReplicaSet is not Supported"
        faults.append(forbidden_value(f"{field}.activeDeadlineSeconds", why))
    return faults


def deployment(new: Object, old: Object | None) -> list[Cause]:
    """A selected template, and a strategy that can make a step."""
    spec = new.get("spec") or {}
    faults = selected_template(new, old) + _strategy_faults(spec.get("strategy") or {})
    deadline, least = spec.get("progressDeadlineSeconds"), spec.get("minReadySeconds") or 0
    if deadline is not None and deadline <= least:
        why = "must be greater than minReadySeconds"
        faults.append(invalid_value("spec.progressDeadlineSeconds", shown(deadline), why))
    return faults


def _strategy_faults(strategy: Object) -> list[Cause]:
    field, rolling = "spec.strategy", strategy.get("rollingUpdate")
    if strategy.get("type") == "Recreate":
        why = "may not be specified when strategy `type` is 'Recreate'"
        return [forbidden_value(f"{field}.rollingUpdate", why)] if rolling else []
    if strategy.get("type") != "RollingUpdate":
        return [not_supported(field, strategy, ("Recreate", "RollingUpdate"))]
    absent, more = (rolling or {}).get("maxUnavailable"), (rolling or {}).get("maxSurge")
    at = f"{field}.rollingUpdate"
    faults = amount_faults(absent, f"{at}.maxUnavailable") + amount_faults(more, f"{at}.maxSurge")
    if not faults and _is_none(absent) and _is_none(more):
        faults.append(invalid_value(f"{at}.maxUnavailable", shown(absent), "may not be 0 when `maxSurge` is 0"))
    return faults or amount_faults(absent, f"{at}.maxUnavailable", whole=True)


def _is_none(amount: Any) -> bool:
    return amount in (0, None) or (isinstance(amount, str) and int(amount[:-1]) == 0)


def replication_controller(new: Object, old: Object | None) -> list[Cause]:
    """As a replica set, with a selector that is plain labels."""
    del old
    spec = new.get("spec") or {}
    template, selector = spec.get("template") or {}, spec.get("selector") or {}
    faults = _not_negative(spec, "replicas", "minReadySeconds")
    if not selector:
        faults.append(required("spec.selector"))
    labels = (template.get("metadata") or {}).get("labels") or {}
    if any(labels.get(key) != value for key, value in selector.items()):
        why = "`selector` does not match template `labels`"
        faults.append(invalid_value("spec.template.metadata.labels", shown(labels), why))
    return faults + _template_faults(template) + _lasting(template)


def pod_template(new: Object, old: Object | None) -> list[Cause]:
    """A pod's spec."""
    del old
    return pod_spec_faults((new.get("template") or {}).get("spec") or {}, "template.spec")


def budget(new: Object, old: Object | None) -> list[Cause]:
    """How many must stay or how many may go: one of the two."""
    del old
    spec = new.get("spec") or {}
    least, most = spec.get("minAvailable"), spec.get("maxUnavailable")
    faults: list[Cause] = []
    if least is not None and most is not None:
        faults.append(invalid_value("spec", shown(spec), "minAvailable and maxUnavailable cannot be both set"))
    faults += amount_faults(least, "spec.minAvailable", whole=True)
    faults += amount_faults(most, "spec.maxUnavailable", whole=True)
    policy = spec.get("unhealthyPodEvictionPolicy")
    if policy not in (None, "AlwaysAllow", "IfHealthyBudget"):
        known = ("AlwaysAllow", "IfHealthyBudget")
        faults.append(not_supported("spec.unhealthyPodEvictionPolicy", policy, known))
    return faults
