"""Tokens of service accounts for pods: asked of the API server, bound to the pod, and asked for again in time.

As the kubelet does it: whoever runs in a pod is the pod's service account and nobody more.
"""

from __future__ import annotations

from typing import NamedTuple

import anyio

from runtime.api import Api, ApiError, Conflict, Gone
from runtime.log import Log
from runtime.objects import SERVICE_ACCOUNTS, Object, token_request
from tiphys.devcluster.node.containers import CannotPrepare

log = Log()

LASTS_S = 3607
"""What Kubernetes itself asks for where a pod says nothing."""

RENEWED_AFTER = 0.8
"""Of its life: then a token is asked for again."""


class Wish(NamedTuple):
    """Which token of its account a pod wants; the empty audience is the API server's."""

    audience: str = ""
    lasts_s: int = LASTS_S


def wishes(volume: Object) -> list[Wish]:
    """The tokens that a projected volume shows."""
    sources = (volume.get("projected") or {}).get("sources") or ()
    return [wish_of(part["serviceAccountToken"]) for part in sources if "serviceAccountToken" in part]


def wish_of(source: Object) -> Wish:
    """What a serviceAccountToken source asks for."""
    return Wish(source.get("audience") or "", source.get("expirationSeconds") or LASTS_S)


class _Held(NamedTuple):
    token: str
    until: float  # of the event loop's time: it serves no longer than that


class AccountTokens:
    """The tokens of one node's pods.

    `make_accounts`: an account that is not there is made, as on a laptop nobody else would."""

    def __init__(self, api: Api, *, make_accounts: bool) -> None:
        self._api = api
        self._make_accounts = make_accounts
        self._held: dict[str, dict[Wish, _Held]] = {}  # by the pod's uid

    async def get(self, pod: Object, wish: Wish) -> str:
        """A token with most of its life before it. Raises CannotPrepare when there is none to be had."""
        held = self._held.setdefault(pod["metadata"]["uid"], {})
        known = held.get(wish)
        if known is None or known.until <= anyio.current_time():
            held[wish] = known = await self._asked(pod, wish)
        return known.token

    def forget(self, uid: str) -> None:
        """The pod is over."""
        self._held.pop(uid, None)

    def is_due(self, uid: str) -> bool:
        """Whether a token of this pod is to be renewed."""
        now = anyio.current_time()
        return any(one.until <= now for one in self._held.get(uid, {}).values())

    def due(self) -> list[str]:
        """The uids of all such pods."""
        return [uid for uid in self._held if self.is_due(uid)]

    async def _asked(self, pod: Object, wish: Wish) -> _Held:
        meta, name = pod["metadata"], pod["spec"].get("serviceAccountName") or "default"
        bound = {"apiVersion": "v1", "kind": "Pod", "name": meta["name"], "uid": meta["uid"]}
        spec: Object = {"expirationSeconds": wish.lasts_s, "boundObjectRef": bound}
        if wish.audience:
            spec["audiences"] = [wish.audience]
        place = {"name": name, "namespace": meta["namespace"]}
        request = {"apiVersion": "authentication.k8s.io/v1", "metadata": place, "spec": spec}
        asked_at = anyio.current_time()
        try:
            answer = await self._answer(meta["namespace"], name, request)
        except ApiError as error:
            raise CannotPrepare(f"no token of service account {name!r}: {error.message}") from error
        return _Held(answer["status"]["token"], asked_at + RENEWED_AFTER * wish.lasts_s)

    async def _answer(self, namespace: str, name: str, request: Object) -> Object:
        try:
            return await self._api.create(token_request(name), request)
        except Gone:
            if not self._make_accounts:
                raise
        try:
            await self._api.create(SERVICE_ACCOUNTS, {"metadata": {"name": name, "namespace": namespace}})
            log.info("account.made", namespace=namespace, name=name)
        except Conflict:  # by another pod of it
            pass
        return await self._api.create(token_request(name), request)
