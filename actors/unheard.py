"""What a node is before its first word: for who has to speak of one whose actor crashed before it said anything."""

from __future__ import annotations

from typing import Any

from actors.messages import NodeFlag, NodeStatus
from actors.names import ids
from actors.run import Call, Run
from actors.templates import NODE_TYPES, POD_TYPES, template_type


def new_status(name: str, run: Run, node_type: str, **fields: Any) -> NodeStatus:
    """The status of a node that has not begun."""
    boundary_name = fields.pop("boundary_name", "")
    return NodeStatus(
        id=ids.node_id(run.name, name),
        name=name,
        display_name=ids.display_name(name, boundary_name),
        type=node_type,
        **fields,
    )


def called(call: Call, node_type: str = "") -> NodeStatus:
    """The status of a call's node that has not begun; of the type of its template, if none is given."""
    flag = NodeFlag(hooked=call.hooked, retried=call.retried) if call.hooked or call.retried else None
    return new_status(
        call.node_name, call.run, node_type or NODE_TYPES.get(template_type(call.template), "Skipped"),
        boundary_name=call.boundary_name, boundary_id=call.boundary,
        template_name="" if call.resolved.reference else call.resolved.name, template_ref=call.resolved.reference,
        template_scope=call.caller_scope or call.resolved.scope, node_flag=flag,
    )  # fmt: skip


def unspoken(call: Call) -> NodeStatus:
    """What is told of a call's node that never spoke: a pod's, which may be there, or an entry of the type Skipped."""
    return called(call, "" if template_type(call.template) in POD_TYPES and not call.repeated else "Skipped")
