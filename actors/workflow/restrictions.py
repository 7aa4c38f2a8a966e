"""Which workflows an installation runs at all: those made of a WorkflowTemplate, with little of their own.

`Strict` refuses a workflow without `workflowTemplateRef`, and every field beside it that could undo what the template
says about identity and pods. `Secure` also refuses to go on once the spec as executed is no longer what workflow and
template say together: somebody has changed the template, or the status. Pure. (RESTR-1, RESTR-2.)
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

NEEDS_REFERENCE = "workflows must use workflowTemplateRef to be executed when the controller is in reference mode"
CHANGED = "WorkflowSpec may not change during execution when the controller is set `templateReferencing: Secure`"

PERMITTED = frozenset(
    {
        "arguments", "entrypoint", "shutdown", "suspend", "activeDeadlineSeconds", "priority", "ttlStrategy", "podGC",
        "volumeClaimGC", "archiveLogs", "workflowMetadata", "workflowTemplateRef", "metrics", "artifactGC",
    }
)  # fmt: skip
"""What a restricted workflow may say for itself."""

OF_ARTIFACT_GC = ("podMetadata", "podSpecPatch", "serviceAccountName")
"""These would reach the pod that deletes artifacts."""

INITIALS = {"dns": "DNS", "ttl": "TTL"}
"""Words that upstream's message spells in capitals at the beginning of a field's name."""


def refusal(spec: Mapping[str, Any], more: Collection[str] = ()) -> str:
    """Why a workflow may not run where templates must be referenced; empty when it may. `more` is permitted besides."""
    if not spec.get("workflowTemplateRef"):
        return NEEDS_REFERENCE
    wrong = [field for field, value in spec.items() if _is_set(value) and field not in PERMITTED and field not in more]
    named = [_spelled(field) for field in wrong]
    deletion = spec.get("artifactGC") or {}
    named += [f"ArtifactGC.{_spelled(field)}" for field in OF_ARTIFACT_GC if _is_set(deletion.get(field))]
    if not named:
        return ""
    listed = " ".join(sorted(named))
    return f"fields [{listed}] are not permitted when using workflowTemplateRef with templateReferencing restriction"


def has_changed(recorded: Mapping[str, Any], expected: Mapping[str, Any]) -> bool:
    """Whether the recorded spec is no longer what workflow and template give; stop and suspension are no change."""
    control = {"suspend", "shutdown", "workflowTemplateRef"}

    def kept(spec: Mapping[str, Any]) -> dict[str, Any]:
        return {key: value for key, value in spec.items() if key not in control and _says(value)}

    return kept(recorded) != kept(expected)


def _is_set(value: Any) -> bool:
    """Whether a field overrides the template's: `false` and 0 do, too; of text the empty one does not."""
    return value not in (None, "")


def _says(value: Any) -> bool:
    return value not in (None, "", 0, False, [], {})


def _spelled(field: str) -> str:
    """A field's name as upstream's message has it: `volumeClaimGC` is `VolumeClaimGC`, `dnsConfig` is `DNSConfig`."""
    for small, capital in INITIALS.items():
        if field.startswith(small) and field[len(small) : len(small) + 1].isupper():
            return capital + field[len(small) :]
    return field[:1].upper() + field[1:]
