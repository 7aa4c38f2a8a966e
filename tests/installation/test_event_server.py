"""The generated roles are enough for what takes events, and whoever has `edit` may send them."""

from __future__ import annotations

import hashlib
import hmac

import pytest

import crds
from actors.eventbinding.webhooks import CLIENTS
from runtime.api import Selection
from runtime.objects import CRDS, EVENTS, SECRETS, SERVICE_ACCOUNTS, Object
from tests.installation.judge import Judged, bound
from tiphys.devcluster.inprocess import InProcessApi
from tiphys.devcluster.server import ApiServer
from tiphys.eventserver.callers import Forbidden, token_for
from tiphys.eventserver.dispatching import BINDINGS, TEMPLATES, WORKFLOWS, Dispatch, Dispatcher, NotDispatched, bindings
from tiphys.installation.choice import EVENT_SERVER, Choice
from tiphys.installation.roles import event_server_roles, people_roles

BODY = b"{}"
SIGNED = {"x-github-event": "push", "x-hub-signature-256": hmac.new(b"shh!", BODY, hashlib.sha256).hexdigest()}
SUBMIT = {"workflowTemplateRef": {"name": "t"}}
SEEN = {"payload": {}, "metadata": {}, "namespace": "default", "discriminator": ""}


async def running() -> InProcessApi:
    server = ApiServer()
    server.start()
    api = InProcessApi(server)
    for definition in crds.manifests():
        await api.create(CRDS, definition)
    spec = {"entrypoint": "main", "templates": [{"name": "main", "suspend": {}}]}
    await api.create(TEMPLATES, {"metadata": {"name": "t", "namespace": "default"}, "spec": spec})
    for name, selector in (("right", "true"), ("wrong", "5")):
        meta = {"name": name, "namespace": "default"}
        await api.create(BINDINGS, {"metadata": meta, "spec": {"event": {"selector": selector}, "submit": SUBMIT}})
    return api


def rules(choice: Choice, *extra: Object) -> list[tuple[str, Object]]:
    return bound([*event_server_roles(choice), *extra], (choice.namespace, EVENT_SERVER))


@pytest.mark.spec("EVT-1")
async def test_an_event_needs_edit_of_its_sender_and_of_the_server_only_that_it_may_tell() -> None:
    api = await running()
    edit = next(thing for thing in people_roles() if thing["metadata"]["name"].endswith("to-edit"))
    own = Judged(api, rules(Choice()))
    sender = Judged(api, [("default", rule) for rule in edit["rules"]])

    wanted = Dispatch("default", await bindings(sender, "default", ""), SEEN, {})
    with pytest.raises(NotDispatched):
        await Dispatcher(own).dispatch(sender, wanted)

    assert own.refused | sender.refused == set()
    assert own.used == {("", "events", "create")}
    assert len((await api.list(WORKFLOWS, Selection("default"))).items) == 1
    assert len((await api.list(EVENTS, Selection("default"))).items) == 1


LET_IN: Object = {
    "kind": "RoleBinding",
    "metadata": {"name": "webhooks", "namespace": "default"},
    "roleRef": {"kind": "ClusterRole", "name": "tiphys-webhooks"},
    "subjects": [{"kind": "ServiceAccount", "name": EVENT_SERVER, "namespace": "tiphys"}],
}


@pytest.mark.spec("EVT-4")
@pytest.mark.parametrize(
    ("choice", "extra", "let_in"),
    [
        (Choice(), [LET_IN], True),
        (Choice(), [], False),
        (Choice(scope="managed", managed="default"), [], True),
    ],
    ids=["bound in the namespace", "of the cluster", "of that namespace alone"],
)
async def test_webhooks_are_taken_in_namespaces_that_let_their_secrets_be_read(
    choice: Choice, extra: list[Object], let_in: bool
) -> None:
    api = await running()
    await api.create(SERVICE_ACCOUNTS, {"metadata": {"name": "hub", "namespace": "default"}})
    for name, held in (
        (CLIENTS, {"hub": "{type: github, secret: shh!}"}),
        ("hub.service-account-token", {"token": "x"}),
    ):
        await api.create(SECRETS, {"metadata": {"name": name, "namespace": "default"}, "stringData": held})
    own = Judged(api, rules(choice, *extra))

    if let_in:
        assert await token_for(own, "default", SIGNED, BODY) == "x"
    else:
        with pytest.raises(Forbidden, match="failed to get webhook clients"):
            await token_for(own, "default", SIGNED, BODY)
