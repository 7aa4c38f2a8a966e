"""The API server without a socket: kinds, store and verbs, and what follows from a write at once.

What follows: a CustomResourceDefinition is served as soon as it is created, a new namespace has its default service
account. What takes others (garbage collection, nodes, controllers) is not here.
"""

from __future__ import annotations

import hmac
import secrets
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Collection
from random import Random

from runtime.objects import CONFIGMAPS, NAMESPACES, SERVICE_ACCOUNTS
from tiphys.devcluster.admission import Admission
from tiphys.devcluster.crd import Definitions
from tiphys.devcluster.exec import ExecSource
from tiphys.devcluster.further import PRIORITY_CLASSES
from tiphys.devcluster.kinds import Catalog
from tiphys.devcluster.logs import LogSource
from tiphys.devcluster.metadata import Source
from tiphys.devcluster.quotas import Quotas
from tiphys.devcluster.resources import built_in
from tiphys.devcluster.rest import Rest
from tiphys.devcluster.rules import SYSTEM_PRIORITIES
from tiphys.devcluster.storage import Bucket, Change, Storage
from tiphys.devcluster.tokens import ISSUER, OWNER, User, holder

ROOT_CA = "kube-root-ca.crt"
FIRST_NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease")


class ApiServer:
    """An in-memory Kubernetes API. Time and chance come in; everything else is its own."""

    def __init__(self, *, now: Callable[[], float] = time.time, random: Random | None = None) -> None:
        self.storage = Storage()
        self.catalog = Catalog(built_in())
        self.rest = Rest(self.storage, Source(now, random or Random()))  # noqa: S311 - uids and names are no secrets
        self.definitions = Definitions(self.rest, self.catalog)
        self.quotas = Quotas(self.rest, self.catalog)
        self.rest.admission = Admission(self.storage, self.quotas)
        self.logs: LogSource | None = None  # who has the pods' logs; set by the node
        self.commands: ExecSource | None = None  # who can run commands in pods; set by the node
        self.root_ca = ""  # PEM, what pods trust the API by; every namespace has it in a ConfigMap
        self.signing_key = secrets.token_bytes(32)  # of service accounts' tokens
        self.token = ""  # the owner's, once the API is served
        self.requests: Counter[tuple[str, str, int]] = Counter()  # answered over HTTP: (method, plural, code)
        self.storage.observers.append(self._after)
        self.storage.rewound.append(self.definitions.reload)
        self.settled: Callable[[], Awaitable[None]] | None = None  # set by the disk: waits until all changes are kept

    def user_of(self, token: str, audiences: Collection[str] = (ISSUER,)) -> User | None:
        """Who has this token; None for one that is not, or no longer, of this cluster, or for none of the audiences."""
        if self.token and hmac.compare_digest(token.encode(), self.token.encode()):
            return OWNER
        return holder(self.signing_key, token, self.storage, self.now(), audiences)

    @property
    def now(self) -> Callable[[], float]:
        """The wall clock, in seconds since the epoch."""
        return self.rest.source.now

    def start(self) -> None:
        """Create what every cluster has, unless it is there already (restored from a disk)."""
        namespaces = self.catalog.of(NAMESPACES)
        for name in FIRST_NAMESPACES:
            if ("", name) not in self.rest.bucket(namespaces).records:
                self.rest.create(namespaces, "", {"metadata": {"name": name}})
        classes = self.catalog.of(PRIORITY_CLASSES)
        for name, value in SYSTEM_PRIORITIES.items():
            if ("", name) not in self.rest.bucket(classes).records:
                self.rest.create(classes, "", {"metadata": {"name": name}, "value": value})

    def publish_root_ca(self, pem: str) -> None:
        """Put the CA of the HTTPS door where pods look for it: `kube-root-ca.crt` in every namespace."""
        self.root_ca = pem
        for _, name in list(self.rest.bucket(self.catalog.of(NAMESPACES)).records):
            self._write_root_ca(name)

    def _write_root_ca(self, namespace: str) -> None:
        kind, key = self.catalog.of(CONFIGMAPS), (namespace, ROOT_CA)
        content = {"ca.crt": self.root_ca}
        known = self.rest.bucket(kind).records.get(key)
        if known is None:
            self.rest.create(kind, namespace, {"metadata": {"name": ROOT_CA}, "data": content})
        elif known.object.get("data") != content:
            self.rest.update(kind, key, {**known.copy(), "data": content})

    def _after(self, bucket: Bucket, change: Change) -> None:
        if (bucket.group, bucket.plural) == ("", "namespaces") and change.type == "ADDED":
            accounts = self.catalog.of(SERVICE_ACCOUNTS)
            name = change.record.object["metadata"]["name"]
            if (name, "default") not in self.rest.bucket(accounts).records:
                self.rest.create(accounts, name, {"metadata": {"name": "default"}})
            if self.root_ca:
                self._write_root_ca(name)
        elif bucket.plural == "customresourcedefinitions":
            self.definitions.observe(change)
