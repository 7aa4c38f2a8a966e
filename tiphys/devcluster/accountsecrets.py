"""A secret that names a service account gets that account's token, and goes with the account.

As the token controller of any cluster does it: `kubernetes.io/service-account-token` secrets are filled in after they
are created, filled in again when somebody takes a part out, and deleted when no such account is there. It watches the
store's commits, as the garbage collector does; the deeds happen later, in `run`.
"""

from __future__ import annotations

import base64
from itertools import islice

import anyio
import anyio.abc
import anyio.lowlevel
import orjson

from runtime.api import ApiError
from runtime.objects import SECRETS, SERVICE_ACCOUNTS, Object
from tiphys.devcluster import tokens
from tiphys.devcluster.deletion import DeleteOptions
from tiphys.devcluster.secretrules import ACCOUNT_NAME, ACCOUNT_TOKEN
from tiphys.devcluster.server import ApiServer
from tiphys.devcluster.storage import Bucket, Change, Key

ACCOUNT_UID = "kubernetes.io/service-account.uid"
STEPS_PER_TURN = 50  # secrets looked at before the loop lets others run


def is_account_token(secret: Object) -> bool:
    """True for a secret that holds a service account's token, or is to."""
    return secret.get("type") == ACCOUNT_TOKEN


def belongs_to(secret: Object, account: Object) -> bool:
    """True when the secret names this very account: by its uid too, once it says one."""
    said = secret["metadata"].get("annotations") or {}
    uid = said.get(ACCOUNT_UID)
    return said.get(ACCOUNT_NAME) == account["metadata"]["name"] and uid in (None, "", account["metadata"]["uid"])


def missing(secret: Object, root_ca: str) -> dict[str, str]:
    """What the data lacks besides the token: the authority's certificate (none without one) and the namespace."""
    known = secret.get("data") or {}
    certificate, namespace = _coded(root_ca), _coded(secret["metadata"]["namespace"])
    found = {"ca.crt": certificate} if root_ca and known.get("ca.crt") != certificate else {}
    return found if known.get("namespace") else {**found, "namespace": namespace}


def _coded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


class AccountSecrets:
    """Keeps the secrets of service accounts' tokens; `root_ca` is what clients trust this server by (PEM)."""

    def __init__(self, server: ApiServer, root_ca: str = "") -> None:
        self._server = server
        self._rest = server.rest
        self._root_ca = root_ca
        self._secrets = server.catalog.of(SECRETS)
        self._accounts = server.catalog.of(SERVICE_ACCOUNTS)
        self._todo: dict[Key, None] = {}  # an ordered set of secrets
        self._wake = anyio.Event()
        self._look_at_all()
        server.storage.observers.append(self._observe)
        server.storage.rewound.append(self._look_at_all)

    async def run(self, *, task_status: anyio.abc.TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Fill in and delete until cancelled."""
        task_status.started()
        while True:
            if not self._todo:
                self._wake = anyio.Event()
                await self._wake.wait()
            self.step(STEPS_PER_TURN)
            await anyio.lowlevel.checkpoint()

    def step(self, limit: int) -> None:
        """Look at up to `limit` secrets."""
        for key in list(islice(self._todo, limit)):
            del self._todo[key]
            try:
                self._look_at(key)
            except ApiError:
                continue  # it went, or was changed, in between: that commit has put it on the list again

    def _look_at_all(self) -> None:
        for key, record in self._rest.bucket(self._secrets).records.items():
            if is_account_token(record.object):
                self._enqueue(key)

    def _observe(self, bucket: Bucket, change: Change) -> None:
        if bucket.group:
            return
        thing, key = change.record.object, change.record.key
        if bucket.plural == SECRETS.plural and change.type != "DELETED" and is_account_token(thing):
            self._enqueue(key)
        elif bucket.plural == SERVICE_ACCOUNTS.plural and change.type == "DELETED":
            for record in self._rest.bucket(self._secrets).in_order(key[0]):
                if is_account_token(record.object) and belongs_to(record.object, thing):
                    self._enqueue(record.key)

    def _enqueue(self, key: Key) -> None:
        self._todo[key] = None
        self._wake.set()

    def _look_at(self, key: Key) -> None:
        record = self._rest.bucket(self._secrets).records.get(key)
        if record is None or "deletionTimestamp" in record.object["metadata"]:
            return
        secret = record.object
        name = (secret["metadata"].get("annotations") or {}).get(ACCOUNT_NAME, "")
        found = self._rest.bucket(self._accounts).records.get((key[0], name))
        if found is None or not belongs_to(secret, found.object):
            self._rest.delete(self._secrets, key, DeleteOptions(uid=secret["metadata"]["uid"]))
            return
        news, account = missing(secret, self._root_ca), found.object
        if not (secret.get("data") or {}).get("token"):
            news["token"] = _coded(tokens.issue_lasting(self._server.signing_key, account, key[1]))
        if not news:
            return
        thing: Object = orjson.loads(record.json)
        thing["data"] = {**(thing.get("data") or {}), **news}
        thing["metadata"]["annotations"][ACCOUNT_UID] = account["metadata"]["uid"]
        self._rest.update(self._secrets, key, thing)
