"""WorkflowEventBindings are stored as upstream's clients write them; what is none is refused."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

import crds
from crds.check import check
from runtime.api import Api, Refused, Selection
from runtime.objects import CRDS, Object, Reference, Resource
from tiphys.devcluster.inprocess import InProcessApi
from tiphys.devcluster.server import ApiServer

BINDINGS = Resource("argoproj.io/v1alpha1", "WorkflowEventBinding", "workfloweventbindings")
DATA = Path(os.environ.get("TIPHYS_CONFORMANCE") or Path(__file__).parents[3] / "shared" / "conformance")
EXAMPLES = DATA / "workflows" / "examples" / "workflow-event-binding"

SUBMIT = {
    "workflowTemplateRef": {"name": "t"},
    "metadata": {"generateName": "payload.name + '-'", "labels": {"of": "discriminator"}},
    "arguments": {"parameters": [{"name": "p", "valueFrom": {"event": "payload.message"}}]},
}


def binding(spec: Any, name: str = "b") -> Object:
    meta = {"name": name, "namespace": "default"}
    return {"apiVersion": BINDINGS.api_version, "kind": BINDINGS.kind, "metadata": meta, "spec": spec}


@pytest.fixture
async def api() -> Api:
    server = ApiServer()
    server.start()
    made = InProcessApi(server)
    for definition in crds.manifests():
        if definition["spec"]["names"]["kind"] == BINDINGS.kind:
            await made.create(CRDS, definition)
    return made


@pytest.mark.spec("KIND-5")
async def test_a_binding_is_stored_as_it_is_and_listed_by_its_short_name(api: Api) -> None:
    spec = {"event": {"selector": "payload.message != ''"}, "submit": SUBMIT}
    assert check(binding(spec)) == []
    await api.create(BINDINGS, binding(spec))

    (found,) = (await api.list(BINDINGS, Selection("default"))).items
    assert found["spec"] == spec
    definition = await api.get(Reference(CRDS, "", "workfloweventbindings.argoproj.io"))
    assert definition["spec"]["names"]["shortNames"] == ["wfeb"]


@pytest.mark.spec("KIND-5")
@pytest.mark.parametrize(
    ("spec", "path"),
    [
        ({"submit": SUBMIT}, "spec.event"),
        ({"event": {}, "submit": SUBMIT}, "spec.event.selector"),
        ({"event": {"selector": 5}}, "spec.event.selector"),
        ({"event": {"selector": "true"}, "submit": {}}, "spec.submit.workflowTemplateRef"),
        ({"event": {"selector": "true"}, "submitt": SUBMIT}, "spec.submitt"),
    ],
)
def test_what_is_no_binding_is_named_with_its_field(spec: Any, path: str) -> None:
    assert path in [problem.path for problem in check(binding(spec))]


@pytest.mark.spec("KIND-5")
@pytest.mark.parametrize("spec", [{"submit": SUBMIT}, {"event": {"selector": 5}}])
async def test_the_server_refuses_what_is_no_binding(api: Api, spec: Any) -> None:
    with pytest.raises(Refused):
        await api.create(BINDINGS, binding(spec))


@pytest.mark.skipif(not EXAMPLES.is_dir(), reason=f"the conformance data is not at {DATA}")
@pytest.mark.spec("KIND-5")
async def test_upstreams_examples_are_taken(api: Api) -> None:
    found = [yaml.safe_load(path.read_text()) for path in sorted(EXAMPLES.glob("*binding.yaml"))]

    assert len(found) == 2
    for thing in found:
        assert check(thing) == []
        thing["metadata"]["namespace"] = "default"
        await api.create(BINDINGS, thing)
