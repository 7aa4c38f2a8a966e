"""Ids of spans are functions of who they are about, so nothing has to be remembered: a restart continues the trace.

A workflow's trace is named after its uid, and so is its own span; a node's span after both uid and node id. (OPS-11.)
"""

from __future__ import annotations

import hashlib
from typing import Final

TRACE_ID: Final = "workflows.argoproj.io/trace-id"
SPAN_ID: Final = "workflows.argoproj.io/span-id"

_TRACE_HEX, _SPAN_HEX = 32, 16


def trace_id(workflow_uid: str) -> str:
    """The id of a workflow's trace, as W3C writes it: 32 hexadecimal digits, never all zero."""
    return _digits(f"trace/{workflow_uid}", _TRACE_HEX)


def span_id(workflow_uid: str, node_id: str = "") -> str:
    """The id of a node's span, or of the workflow's own: 16 hexadecimal digits, never all zero."""
    return _digits(f"span/{workflow_uid}/{node_id}", _SPAN_HEX)


def span_annotations(workflow_uid: str, node_id: str = "") -> dict[str, str]:
    """What upstream writes on workflows and pods."""
    return {TRACE_ID: trace_id(workflow_uid), SPAN_ID: span_id(workflow_uid, node_id)}


def traceparent(workflow_uid: str, node_id: str) -> str:
    """W3C's header of a node's span: what runs in its pod continues the trace by $TRACEPARENT."""
    return f"00-{trace_id(workflow_uid)}-{span_id(workflow_uid, node_id)}-01"


def _digits(text: str, number: int) -> str:
    found = hashlib.sha256(text.encode()).hexdigest()[:number]
    return found if int(found, 16) else f"{1:0{number}x}"
