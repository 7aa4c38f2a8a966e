"""What is to be deleted follows from the workflow as it is on record, whoever wrote that."""

from __future__ import annotations

from typing import Any

import pytest

from actors.node.gc_plan import doomed, executed

REPOSITORY = {"s3": {"endpoint": "e", "bucket": "b", "keyFormat": "f"}}
OWN = {"s3": {"endpoint": "x", "bucket": "own", "key": "folder"}}


def recorded(template: dict[str, Any], *, repository: Any = REPOSITORY, owner: str = "") -> dict[str, Any]:
    """A finished workflow with one artifact of which only the key is on record, as upstream's controller leaves it."""
    artifact = {"name": "a", "path": "/a", "s3": {"key": "k"}}
    node = {"id": "n", "type": "Pod", "templateName": "t", "outputs": {"artifacts": [artifact]}}
    status: dict[str, Any] = {"nodes": {"n": node}, "artifactRepositoryRef": {"artifactRepository": repository}}
    spec: dict[str, Any] = {"artifactGC": {"strategy": "OnWorkflowDeletion"}}
    if owner:
        status["storedTemplates"] = {f"namespaced/{owner}/t": template}
    else:
        spec["templates"] = [template]
    return {"metadata": {"name": "w"}, "spec": spec, "status": status}


@pytest.mark.spec("AGC-3", "REPO-5")
@pytest.mark.parametrize("owner", ["", "lib"])
@pytest.mark.parametrize(
    ("place", "meant"),
    [
        ({}, {"endpoint": "e", "bucket": "b", "key": "k"}),
        ({"archiveLogs": True}, {"endpoint": "e", "bucket": "b", "key": "k"}),
        (OWN, {"endpoint": "x", "bucket": "own", "key": "k"}),
    ],
)
def test_where_only_a_key_is_on_record_its_place_is_the_templates_or_the_repositorys(
    place: Any, meant: Any, owner: str
) -> None:
    workflow = recorded({"name": "t", "archiveLocation": place}, owner=owner)
    (one,) = doomed(workflow, executed(workflow), {"OnWorkflowDeletion"})
    assert one.location == {"s3": meant}
    assert one.where == f"s3:{meant['bucket']}/k"


@pytest.mark.spec("AGC-3")
def test_a_place_that_nobody_knows_is_left_to_the_driver_to_refuse() -> None:
    workflow = recorded({"name": "t"}, repository={})
    (one,) = doomed(workflow, executed(workflow), {"OnWorkflowDeletion"})
    assert one.location == {"s3": {"key": "k"}}
