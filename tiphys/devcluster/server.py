"""The API server without a socket: kinds, store and verbs, and what follows from a write at once.

What follows: a CustomResourceDefinition is served as soon as it is created, a new namespace has its default service
account. What takes others (garbage collection, nodes, controllers) is not here.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Awaitable, Callable
from random import Random

from runtime.objects import CONFIGMAPS, NAMESPACES, SERVICE_ACCOUNTS
from tiphys.devcluster.crd import Definitions
from tiphys.devcluster.exec import ExecSource
from tiphys.devcluster.kinds import Catalog
from tiphys.devcluster.logs import LogSource
from tiphys.devcluster.metadata import Source
from tiphys.devcluster.resources import built_in
from tiphys.devcluster.rest import Rest
from tiphys.devcluster.storage import Bucket, Change, Storage

ROOT_CA = "kube-root-ca.crt"
FIRST_NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease")


class ApiServer:
    """An in-memory Kubernetes API. Time and chance come in; everything else is its own."""

    def __init__(self, *, now: Callable[[], float] = time.time, random: Random | None = None) -> None:
        self.storage = Storage()
        self.catalog = Catalog(built_in())
        self.rest = Rest(self.storage, Source(now, random or Random()))  # noqa: S311 - uids and names are no secrets
        self.definitions = Definitions(self.rest, self.catalog)
        self.logs: LogSource | None = None  # who has the pods' logs; set by the node
        self.commands: ExecSource | None = None  # who can run commands in pods; set by the node
        self.root_ca = ""  # PEM, what pods trust the API by; every namespace has it in a ConfigMap
        self.tokens: dict[str, float] = {}  # of service accounts: token -> until when (seconds since the epoch)
        self.requests: Counter[tuple[str, str, int]] = Counter()  # answered over HTTP: (method, plural, code)
        self.storage.observers.append(self._after)
        self.storage.rewound.append(self.definitions.reload)
        self.settled: Callable[[], Awaitable[None]] | None = None  # set by the disk: waits until all changes are kept

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
