"""What is ours? What nobody controls and our selector matches is adopted, what it no longer matches is released."""

from __future__ import annotations

from runtime.messages import Command
from tiphys.devcluster.controllers.family import Family
from tiphys.devcluster.controllers.owners import adoption, release
from tiphys.devcluster.selectors import selector_matches


def claims(family: Family) -> list[Command]:
    """The adoptions and releases that are due; orphans that do not match are forgotten."""
    own = family.own
    assert own is not None
    selector = own["spec"]["selector"]
    commands: list[Command] = []
    for uid, orphan in list(family.orphans.items()):
        if selector_matches(selector, orphan["metadata"].get("labels") or {}):
            commands.append(adoption(family.resource, own, family.child_resource, orphan))
        else:
            del family.orphans[uid]
    strangers = [
        child
        for child in family.children.values()
        if not selector_matches(selector, child["metadata"].get("labels") or {})
    ]
    return [*commands, *(release(own, family.child_resource, child) for child in strangers)]
