"""Fields whose text has a grammar of its own can be read: conditions, retries, lengths of time, loops, patches.

Upstream's validation lets all of this pass, and its run does not: the node, or the workflow, is an Error. So these
findings are `late`: the linter's, and no reason to refuse a workflow. What has tags is judged as far as no value of
theirs could mend it.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import yaml

from actors.language.conditions import ConditionError, parse_condition
from actors.language.loops import LoopError, expand
from actors.language.when import WhenError, evaluate_when
from actors.names.durations import parse_duration, parse_duration_or_seconds
from actors.workflow.validation.findings import TAG, Findings, Json, Place, entries, is_dynamic, is_given, mapping, text

INNER_TAG = re.compile(r"\{\{[^{}]*\}\}")
STAND_INS = ("x", "1", "true", '"x"', "x == x", "")
"""What may stand for a tag, to see whether any value makes sense of the text around it."""
UNREADABLE = ("Invalid 'when'", "Failed to parse 'when'")  # how a WhenError begins that no value would mend
WHOLE = re.compile(r"[+-]?[0-9]+")
COMPARISON = 'write a comparison, as in "{{inputs.parameters.side}}" == heads, or {{=expression}}'
DURATION = "write a number with a unit, as in 90s, 10m or 1h30m"


def judge_when(findings: Findings, place: Place, condition: str, *, bare_words: bool = True) -> None:
    """Judge the condition of a step, a task, a metric or a CronWorkflow."""
    if not findings.thorough or not condition:
        return
    if fault := _when_fault(condition, bare_words=bare_words):
        findings.late(
            place, fault, 'write a comparison, as in "{{inputs.parameters.side}}" == heads, or {{=expression}}'
        )


def _when_fault(condition: str, *, bare_words: bool) -> str:
    if not is_dynamic(condition):
        return _fault_of(condition, bare_words)
    faults = [_fault_of(_filled(condition, word), bare_words) for word in STAND_INS]
    hopeless = all(fault.startswith(UNREADABLE) for fault in faults)
    return f"'{condition}' is no condition, whatever its tags become" if hopeless else ""


def _fault_of(condition: str, bare_words: bool) -> str:
    try:
        evaluate_when(condition, bare_words=bare_words)
    except WhenError as error:
        return str(error)
    return ""


def _filled(written: str, word: str) -> str:
    """A text with a word in place of each tag; of nested tags the inner ones go first."""
    while (inner := INNER_TAG.sub(lambda _: word, written)) != written:
        written = inner
    return TAG.sub(lambda _: word, written)


def judge_retry(findings: Findings, place: Place, holder: Json) -> None:
    """Judge the numbers and lengths of time in the retryStrategy of a template or a workflow."""
    strategy = mapping(holder.get("retryStrategy"))
    if not findings.thorough or not strategy:
        return
    here, backoff = place.at("retryStrategy"), mapping(strategy.get("backoff"))
    for where, value in ((here.at("limit"), strategy.get("limit")), (here.at("backoff.factor"), backoff.get("factor"))):
        if text(value) and not is_dynamic(value) and not WHOLE.fullmatch(text(value)):
            findings.late(where, f"'{text(value)}' is not a whole number", "write a number, as in 3")
    if strategy.get("backoff") is not None and not is_given(backoff, "duration"):
        findings.late(here.at("backoff"), "no base duration specified for retryStrategy", "set backoff.duration")
    for field in ("duration", "maxDuration", "cap"):
        _judge_duration(findings, here.at("backoff"), backoff, field, parse_duration_or_seconds)


def judge_texts(findings: Findings, place: Place, template: Json) -> None:
    """Judge all such fields of a template."""
    if not findings.thorough:
        return
    judge_retry(findings, place, template)
    for field in ("timeout", "pendingTimeout"):  # upstream refuses a timeout without a unit
        _judge_duration(findings, place, template, field, parse_duration_or_seconds)
    _judge_duration(findings, place.at("suspend"), template.get("suspend"), "duration", parse_duration_or_seconds)
    _judge_duration(findings, place.at("memoize"), template.get("memoize"), "maxAge", parse_duration)
    for field in ("successCondition", "failureCondition"):
        _judge_condition(findings, place.at("resource").at(field), text(mapping(template.get("resource")).get(field)))
    judge_patch(findings, place, template)
    for index, metric in enumerate(entries(template.get("metrics"), "prometheus")):
        judge_when(findings, place.at("metrics").entry("prometheus", index).at("when"), text(metric.get("when")))


def judge_patch(findings: Findings, place: Place, holder: Json) -> None:
    """Judge a podSpecPatch: an object in YAML or JSON."""
    patch = text(holder.get("podSpecPatch"))
    if not findings.thorough or not patch or is_dynamic(patch):
        return
    try:
        read = yaml.load(patch, Loader=yaml.CSafeLoader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        why = str(error).split("\n")[0]
        findings.late(place.at("podSpecPatch"), f"is no YAML: {why}", "write fields of a pod's spec, in YAML or JSON")
        return
    if read is not None and not isinstance(read, dict):
        findings.late(place.at("podSpecPatch"), "is no object", "write fields of a pod's spec, in YAML or JSON")


def judge_loop(findings: Findings, place: Place, call: Json) -> None:
    """Judge a loop of which everything is written out."""
    if not findings.thorough:
        return
    for field in ("withParam", "withSequence"):
        loop = call.get(field)
        parts = [text(part) for part in loop.values()] if isinstance(loop, dict) else [text(loop)]
        given = bool(loop) and any(parts) and not any(map(is_dynamic, parts))
        if not given or (field == "withSequence" and mapping(loop).get("count") is None and "end" not in mapping(loop)):
            continue
        try:
            expand({field: loop})
        except LoopError as error:
            remedy = "write a list in JSON" if field == "withParam" else "write numbers"
            findings.late(place.at(field), str(error), remedy)


def _judge_condition(findings: Findings, place: Place, condition: str) -> None:
    if not condition or is_dynamic(condition):
        return
    try:
        parse_condition(condition)
    except ConditionError as error:
        findings.late(place, f"cannot be read: {error}", "write it as in status.phase == Succeeded, status.ready > 0")


def judge_delay(findings: Findings, place: Place, spec: Json) -> None:
    """Judge how long a workflow's pods are kept."""
    if findings.thorough:
        rule = spec.get("podGC")
        _judge_duration(findings, place.at("podGC"), rule, "deleteDelayDuration", parse_duration_or_seconds)


def _judge_duration(
    findings: Findings, place: Place, holder: object, field: str, parse: Callable[[str], float]
) -> None:
    written = text(mapping(holder).get(field))
    if not written or is_dynamic(written):
        return
    try:
        parse(written)
    except ValueError as error:
        findings.late(place.at(field), f"'{written}' is no length of time: {error}", DURATION)
