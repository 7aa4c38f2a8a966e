"""A verdict is kept by what was judged, and by nothing that is not judged."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from actors.workflow import judged
from actors.workflow.judged import problems_of
from actors.workflow.validation import LibraryRef, validate

LEAF = {"name": "leaf", "container": {"image": "busybox", "command": ["true"]}}


def workflow(name: str = "w", entrypoint: str = "leaf", **meta: Any) -> dict[str, Any]:
    return {
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow",
        "metadata": {"name": name, "uid": "u", "resourceVersion": "1", **meta},
        "spec": {"entrypoint": entrypoint, "templates": [LEAF]},
        "status": {"phase": "Running"},
    }  # fmt: skip


def nobody(reference: LibraryRef) -> None:
    return None


@given(name=st.text(max_size=80), entrypoint=st.sampled_from(["leaf", "absent", ""]), number=st.integers())
def test_the_verdict_is_what_validate_says(name: str, entrypoint: str, number: int) -> None:
    thing = workflow(name, entrypoint, labels={"a": "b"})
    thing["spec"]["priority"] = number
    assert list(problems_of(thing, nobody)) == validate(thing, lookup=nobody)


def test_what_is_written_alike_is_judged_once() -> None:
    judged._verdict.cache_clear()
    for number in range(5):
        assert problems_of(workflow(f"w-{number}", uid=str(number)), nobody) == ()
    assert judged._verdict.cache_info().misses == 1


def test_what_refers_to_others_is_judged_by_them_each_time() -> None:
    thing = workflow(entrypoint="main")
    call = {"name": "a", "templateRef": {"name": "other", "template": "leaf"}}
    thing["spec"]["templates"] = [{"name": "main", "steps": [[call]]}]
    there = {"kind": "WorkflowTemplate", "spec": {"templates": [LEAF]}}
    assert problems_of(thing, nobody) != ()
    assert problems_of(thing, lambda reference: there) == ()
    assert problems_of(thing, nobody) != ()
