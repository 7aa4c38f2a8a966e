"""Rules of a Gateway API route at given weights, and the rules that header and mirror routes add. Pure lists of dicts.

A rule of ours bears the name of its managed route; where one managed route adds several rules, the later ones have a
number behind it, since names of rules are unique in a route.
"""

from __future__ import annotations

import copy
import re
from typing import Any

from actors.rollout.model import Ro
from actors.rollout.traffic.edit import entries, managed_names
from actors.rollout.traffic.protocol import Shift
from runtime.objects import Object


def shared(ro: Ro, rules: list[Object], shift: Shift) -> list[Object] | None:
    """The rules with weights for canary, stable and experiments, in every rule that has both sides; None: no such rule.

    Backends of experiments past go; whatever else stands in a rule is left alone."""
    past = {str(each.get("serviceName")) for each in (ro.weights or {}).get("additional") or ()}
    managed = managed_names(ro)
    made = []
    count = 0
    for rule in rules:
        name = str(rule.get("name") or "")
        if any(is_of(name, each) for each in managed):
            if not shift.removes_managed:
                made.append(_reweighted(rule, shift) if _is_mirror(rule) else rule)
            continue
        names = {each.get("name") for each in entries(rule, "backendRefs")}
        if not {shift.canary_service, shift.stable_service} <= names:
            made.append(rule)
            continue
        count += 1
        made.append(_with_experiments(_reweighted(rule, shift), shift, past))
    return made if count else None


def added(ro: Ro, rules: list[Object], shift: Shift, *, grpc: bool) -> list[Object]:
    """The rules with those of the step's header or mirror route; managed rules first, in order of precedence."""
    if shift.removes_managed:
        return rules
    for step, make in ((shift.header_route, _header_rule), (shift.mirror_route, _mirror_rule)):
        if step is None:
            continue
        name = str(step.get("name"))
        bases = [rule for rule in rules if _is_shared(ro, rule, shift)]
        rules = [rule for rule in rules if not is_of(str(rule.get("name") or ""), name)]
        if step.get("match"):
            made = [make(rule, step, shift, grpc=grpc) for rule in bases]
            rules = [*({**rule, "name": name if not at else f"{name}-{at}"} for at, rule in enumerate(made)), *rules]
    managed = managed_names(ro)
    return sorted(rules, key=lambda rule: _rank(rule, managed))


def is_of(name: str, managed: str) -> bool:
    """Whether a rule's name is that of a managed route, alone or numbered."""
    return re.fullmatch(re.escape(managed) + r"(-\d+)?", name) is not None


def _rank(rule: Object, managed: list[str]) -> int:
    name = str(rule.get("name") or "")
    return next((at for at, each in enumerate(managed) if is_of(name, each)), len(managed))


def _is_shared(ro: Ro, rule: Object, shift: Shift) -> bool:
    if any(is_of(str(rule.get("name") or ""), each) for each in managed_names(ro)):
        return False
    names = {each.get("name") for each in entries(rule, "backendRefs")}
    return {shift.canary_service, shift.stable_service} <= names


def _is_mirror(rule: Object) -> bool:
    return any(each.get("type") == "RequestMirror" for each in entries(rule, "filters"))


def _reweighted(rule: Object, shift: Shift) -> Object:
    weights = {shift.canary_service: shift.canary, shift.stable_service: shift.stable}
    weights |= {each.service: each.weight for each in shift.additional}
    backends = [
        {**each, "weight": weights[each["name"]]} if each.get("name") in weights else each
        for each in entries(rule, "backendRefs")
    ]
    return {**rule, "backendRefs": backends}


def _with_experiments(rule: Object, shift: Shift, past: set[str]) -> Object:
    present = {each.service for each in shift.additional}
    backends = [each for each in rule["backendRefs"] if each.get("name") not in past - present]
    there = {each.get("name") for each in backends}
    pattern = next(each for each in backends if each.get("name") == shift.stable_service)
    backends += [
        {**pattern, "name": each.service, "weight": each.weight}  # on the port of the others
        for each in shift.additional
        if each.service not in there
    ]
    return {**rule, "backendRefs": backends}


# ------------------------------------------------------------------------------------------------ rules of our own


def _header_rule(base: Object, step: Object, shift: Shift, *, grpc: bool) -> Object:
    headers = [_header(each) for each in step["match"]]
    matches = [{**match, "headers": [*(match.get("headers") or ()), *headers]} for match in base.get("matches") or [{}]]
    canary = next(each for each in entries(base, "backendRefs") if each.get("name") == shift.canary_service)
    del grpc  # matches of both kinds have headers of one shape
    rule: Object = {"matches": matches, "backendRefs": [{**canary, "weight": 1}]}
    if base.get("filters"):
        rule["filters"] = copy.deepcopy(base["filters"])
    return rule


def _header(match: Object) -> Object:
    value = match.get("headerValue") or {}
    if value.get("exact"):
        return {"name": match.get("headerName"), "type": "Exact", "value": value["exact"]}
    text = f"{value['prefix']}.*" if value.get("prefix") else value.get("regex", "")
    return {"name": match.get("headerName"), "type": "RegularExpression", "value": text}


def _mirror_rule(base: Object, step: Object, shift: Shift, *, grpc: bool) -> Object:
    canary = next(each for each in entries(base, "backendRefs") if each.get("name") == shift.canary_service)
    target = {key: value for key, value in canary.items() if key not in ("weight", "filters")}
    mirror: Object = {"backendRef": target}
    if step.get("percentage") is not None:
        mirror["percent"] = step["percentage"]
    filters = [*copy.deepcopy(entries(base, "filters")), {"type": "RequestMirror", "requestMirror": mirror}]
    matches = [_mirrored(each, grpc=grpc) for each in step["match"]]
    return {"matches": matches, "filters": filters, "backendRefs": copy.deepcopy(base["backendRefs"])}


def _mirrored(match: Object, *, grpc: bool) -> Object:
    found: Object = {}
    path, method = match.get("path") or {}, match.get("method") or {}
    if path and not grpc:
        kind, text = _text(path, prefix="PathPrefix")
        found["path"] = {"type": kind, "value": text}
    if method and not grpc:
        found["method"] = _text(method, prefix="Exact")[1]
    headers = match.get("headers") or {}
    if headers:
        found["headers"] = [_header({"headerName": name, "headerValue": value}) for name, value in headers.items()]
    return found


def _text(value: dict[str, Any], *, prefix: str) -> tuple[str, str]:
    """The type and the text of a match as Istio writes it."""
    if value.get("exact"):
        return "Exact", str(value["exact"])
    if value.get("prefix"):
        return prefix, str(value["prefix"])
    return "RegularExpression", str(value.get("regex", ""))
