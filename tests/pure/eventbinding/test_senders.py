"""Who sent an event: by what he knows where he brings no token, and as labels where he does."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.eventbinding import webhooks
from actors.eventbinding.creators import claims, creator, label_value
from actors.eventbinding.webhooks import BadClient, Client, is_sender, token_secret
from actors.names import labels

BODY = b'{"ref": "main"}'
SECRET = "shh!"


def signed(body: bytes = BODY, secret: str = SECRET) -> str:
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


PROOFS = {
    "github": {"x-github-event": "push", "x-hub-signature-256": signed()},
    "bitbucketserver": {"x-event-key": "repo:refs_changed", "x-hub-signature": signed()},
    "bitbucket": {"x-event-key": "repo:push", "x-hook-uuid": SECRET},
    "gitlab": {"x-gitlab-event": "Push Hook", "x-gitlab-token": SECRET},
}
KINDS = st.sampled_from(sorted(PROOFS))


@pytest.mark.spec("EVT-4")
@given(KINDS, KINDS)
def test_a_webhook_is_its_clients_and_of_no_other_kind(sent: str, asked: str) -> None:
    assert is_sender(Client("a", asked, SECRET), PROOFS[sent], BODY) == (sent == asked)


@pytest.mark.spec("EVT-4")
@given(KINDS, st.text(min_size=1))
def test_who_does_not_know_the_secret_is_nobody(kind: str, other: str) -> None:
    assert is_sender(Client("a", kind, other), PROOFS[kind], BODY) == (other == SECRET)


@pytest.mark.spec("EVT-4")
@pytest.mark.parametrize("kind", ["github", "bitbucketserver"])
@given(st.binary())
def test_a_signature_is_for_one_body(kind: str, body: bytes) -> None:
    assert is_sender(Client("a", kind, SECRET), PROOFS[kind], body) == (body == BODY)


@pytest.mark.spec("EVT-4")
@pytest.mark.parametrize("kind", sorted(PROOFS))
def test_whatever_part_of_the_proof_is_missing_it_is_none(kind: str) -> None:
    for missing in PROOFS[kind]:
        rest = {name: value for name, value in PROOFS[kind].items() if name != missing}
        assert not is_sender(Client("a", kind, SECRET), rest, BODY)


@pytest.mark.spec("EVT-4")
@pytest.mark.parametrize("kind", ["gitlab", "bitbucket"])
@pytest.mark.parametrize("body", [b"", b"payload=%7B%7D"])
def test_what_holds_no_json_is_no_webhook(kind: str, body: bytes) -> None:
    assert not is_sender(Client("a", kind, SECRET), PROOFS[kind], body)


@pytest.mark.spec("EVT-4")
@pytest.mark.parametrize(
    ("entry", "why"),
    [
        ("text", "'a' should be a map with type and secret"),
        ({"type": "gitea", "secret": SECRET}, "the type of 'a' is 'gitea': write one of bitbucket, bitbucketserver,"),
        ({"type": "github"}, "'a' has no secret, and everybody could pretend to be it"),
    ],
)
def test_an_entry_that_cannot_be_used_is_named_with_the_remedy(entry: Any, why: str) -> None:
    with pytest.raises(BadClient) as raised:
        webhooks.client("a", entry)

    assert why in str(raised.value)
    assert SECRET not in str(raised.value)


@pytest.mark.spec("EVT-4")
def test_a_service_accounts_token_is_where_upstream_looks_for_it() -> None:
    named = {"name": "a", "annotations": {labels.SERVICE_ACCOUNT_TOKEN_NAME: "mine"}}

    assert token_secret({"metadata": {"name": "a"}}) == "a.service-account-token"
    assert token_secret({"metadata": named}) == "mine"


def token(**claimed: Any) -> str:
    parts = [json.dumps(part).encode() for part in ({"alg": "none"}, claimed)]
    return ".".join([*(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts), "signature"])


@pytest.mark.spec("EVT-3")
def test_who_made_a_workflow_is_on_its_labels() -> None:
    found = claims(token(sub="system:serviceaccount:n:a", email="me@there.org", preferred_username="Me!"))

    assert creator(found) == {
        labels.CREATOR: "system-serviceaccount-n-a",
        labels.CREATOR_EMAIL: "me.at.there.org",
        labels.CREATOR_PREFERRED_USERNAME: "Me",
    }


@pytest.mark.spec("EVT-3")
@given(st.text())
def test_claims_of_any_length_are_read(name: str) -> None:
    assert claims(token(sub=name)) == {"sub": name}


@pytest.mark.spec("EVT-3")
@pytest.mark.parametrize("text", ["", "opaque", "a.b.c", "a.!.c", "a.WzFd.c"])
def test_a_token_that_says_nothing_makes_no_labels(text: str) -> None:
    assert creator(claims(text)) == {}


@pytest.mark.spec("EVT-3")
@given(st.text())
def test_whatever_a_name_is_it_becomes_the_value_of_a_label(text: str) -> None:
    value = label_value(text)

    assert re.fullmatch(r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?", value)
    assert len(value) <= 63
