"""What steps and tasks have in common: a template that is called, arguments, a loop, hooks, and names in scope."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from actors.workflow.validation.arguments import judge_arguments, judge_supplied
from actors.workflow.validation.expressions import judge_expression, judge_references
from actors.workflow.validation.findings import Findings, Json, Place, mapping, text
from actors.workflow.validation.library import Found, Library, Shelf, Unknown
from actors.workflow.validation.scope import RUN_TIME, Node, Scope, of_inputs, of_items
from actors.workflow.validation.texts import judge_loop, judge_when

LOOPS = ("withItems", "withParam", "withSequence")
STEP = re.compile(r"\.steps\[\d+\]\.[^.]*$")


@dataclass(frozen=True)
class Caller:
    """The template whose calls are judged, and where their templates are looked up."""

    findings: Findings
    shelf: Shelf
    place: Place
    library: Library
    judge_inline: Callable[[Place, Json, Library, Scope], None]

    def node(self, call: Json) -> Node:
        """What others may know of a call."""
        return Node(self.called(call), is_looped(call))

    def called(self, call: Json) -> Json | None:
        """The template of a call; None when only the run knows it."""
        if call.get("inline") is not None:
            return mapping(call["inline"])
        found = self.shelf.find(call, self.library)
        return found.template if isinstance(found, Found) else None


def is_looped(call: Json) -> bool:
    """Whether a call is made once for each of several items; an empty withItems is no loop."""
    return any(call.get(loop) for loop in LOOPS) or call.get("withSequence") is not None


def judge_call(caller: Caller, place: Place, call: Json, scope: Scope) -> None:
    """Judge one step or task; `scope` is what it sees of others."""
    findings = caller.findings
    judge_template(caller, place, call)
    _judge_loop(findings, place, call)
    judge_when(findings, place.at("when"), text(call.get("when")))
    judge_arguments(findings, place.at("arguments"), mapping(call.get("arguments")), values_may_lack=False)
    items, beginnings = of_items(call)
    inside = Scope(items, (*RUN_TIME, *beginnings), outer=scope)
    rest = {key: value for key, value in call.items() if key not in ("inline", "hooks", "template", "templateRef")}
    around = place._replace(names=STEP.sub(".steps", place.names))  # upstream names no step here
    judge_references(findings, around, rest, inside)
    if hooks := mapping(call.get("hooks")):
        own = Scope(family=scope.family, visible={text(call.get("name")): caller.node(call)}.get, outer=inside)
        for name, hook in hooks.items():
            judge_hook(caller, place.at(f"hooks.{name}"), name, mapping(hook))
            judge_references(findings, place.at(f"hooks.{name}"), hook, own)
    if text(call.get("onExit")):
        judge_template(caller, place.at("onExit"), {"template": call["onExit"]}, supply=False)
    if call.get("inline") is not None:
        inline = mapping(call["inline"])
        known = replace(inside, names=inside.names | of_inputs(inline))
        caller.judge_inline(place.at("inline"), inline, caller.library, known)


def judge_template(caller: Caller, place: Place, call: Json, *, supply: bool = True) -> None:
    """The template of a call exists, and gets what it needs."""
    if call.get("inline") is not None:
        if text(call.get("template")) or call.get("templateRef") is not None:
            caller.findings.error(place, "has inline beside template or templateRef", "choose one")
        judge_supplied(caller.findings, place, mapping(call["inline"]), mapping(call.get("arguments")))
        return
    match caller.shelf.find(call, caller.library):
        case Unknown(reason) if reason:
            caller.findings.error(place, reason)
        case Found(template=template) if supply and template.get("inputs"):
            named = place._replace(names=f"{place.names} templates.{text(template.get('name'))}")
            judge_supplied(caller.findings, named, template, mapping(call.get("arguments")))


def judge_hook(caller: Caller, place: Place, name: str, hook: Json) -> None:
    """A hook says when it runs, and what."""
    if name != "exit" and not text(hook.get("expression")):
        inside = place.names.startswith("templates.")
        named = place.names.replace(".hooks.", ".") if inside else place.names.removeprefix("spec.")
        caller.findings.error(place._replace(names=named), "Expression required")
    judge_expression(caller.findings, place.at("expression"), text(hook.get("expression")))
    judge_template(caller, place, hook, supply=hook.get("arguments") is not None)
    judge_arguments(caller.findings, place.at("arguments"), mapping(hook.get("arguments")), values_may_lack=False)


def _judge_loop(findings: Findings, place: Place, call: Json) -> None:
    given = [loop for loop in LOOPS if call.get(loop) or (loop == "withSequence" and call.get(loop) is not None)]
    if len(given) > 1:
        findings.error(place, f"only one of {', '.join(LOOPS)} can be specified")
    if "withSequence" in given:
        sequence = mapping(call["withSequence"])
        if sequence.get("count") is not None and sequence.get("end") is not None:
            where = place.at("withSequence")._replace(names=place.names)
            findings.error(where, "only one of count or end can be defined in withSequence")
        elif sequence.get("count") is None and sequence.get("end") is None:
            findings.late(place.at("withSequence"), "has neither end nor count", "say how far to count")
    judge_loop(findings, place, call)
