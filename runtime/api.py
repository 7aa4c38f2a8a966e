"""What the runtime needs of an API server, and the errors by what to do next.

Two implementations keep this contract and pass the same tests: `runtime.client.HttpApi` (aiohttp, any cluster) and the
dev cluster's in-process one. Both raise only the errors below.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, Literal, NamedTuple, Protocol, TypeAlias

from runtime.objects import Object, Reference, Resource

WatchType = Literal["ADDED", "MODIFIED", "DELETED", "BOOKMARK"]
PatchType = Literal["json", "merge", "strategic", "apply"]
Propagation = Literal["Background", "Foreground", "Orphan"]

Known: TypeAlias = Callable[[str, str], Object | None]
"""What somebody has already of a namespace and name; None: nothing."""


class ApiError(Exception):
    """An answer that is not the wished one. `status` is the server's Status object, empty when no answer came."""

    def __init__(self, message: str, *, code: int = 0, reason: str = "", status: Object | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.reason = reason
        self.status = status or {}


class Conflict(ApiError):
    """409 Conflict: somebody wrote in between. Look again, then decide again."""


class AlreadyExists(ApiError):
    """409 AlreadyExists: an object of that name is there. Look whether it is yours."""


class Withdrawn(ApiError):
    """Never begun, or put off by the server and not tried again: who had asked for it has withdrawn it."""


class Gone(ApiError):
    """404: the object is not there (or not with that uid). Forget it."""


class Expired(ApiError):
    """410: the version asked for is no longer kept. List again."""


class Throttled(ApiError):
    """429: come back after `after_s` seconds."""

    def __init__(self, message: str, *, after_s: float = 1.0, **rest: Any) -> None:
        super().__init__(message, **rest)
        self.after_s = after_s


class Unavailable(ApiError):
    """5xx, a broken connection, a time-out: the outcome is unknown. Back off, then look."""


class Refused(ApiError):
    """Any other 4xx (invalid, forbidden, …): trying again will not help. Tell the user."""


class WatchEvent(NamedTuple):
    """One line of a watch. A BOOKMARK's object carries only kind and metadata.resourceVersion."""

    type: WatchType
    object: Object


class ObjectList(NamedTuple):
    """A list as of `resource_version`; `continue_` is empty on the last page."""

    items: list[Object]
    resource_version: str
    continue_: str = ""


class Selection(NamedTuple):
    """Which objects of a resource: `namespace` None means all namespaces; selectors in Kubernetes' syntax."""

    namespace: str | None = None
    labels: str = ""
    fields: str = ""


class LogOptions(NamedTuple):
    """What of a container's log to read. `container` may be empty when the pod has one."""

    container: str = ""
    follow: bool = False
    previous: bool = False
    tail_lines: int | None = None
    limit_bytes: int | None = None
    since_s: float | None = None  # over HTTP whole seconds
    timestamps: bool = False


class Api(Protocol):
    """The verbs. All raise `ApiError` kinds; objects returned belong to the caller, objects passed are not kept."""

    async def get(self, ref: Reference) -> Object:
        """Read one object, live. Raises Gone when absent (or when ref.uid is set and differs)."""
        ...

    async def list(
        self,
        resource: Resource,
        selection: Selection = Selection(),
        *,
        limit: int = 0,
        continue_: str = "",
        known: Known | None = None,
    ) -> ObjectList:
        """Read a collection, most recent (a quorum read). Raises Expired for an old continue token.

        What is `known` with the same uid and version is given as it is there, and not made again."""
        ...

    def watch(
        self, resource: Resource, selection: Selection = Selection(), *, resource_version: str, timeout_s: int = 290
    ) -> AbstractAsyncContextManager[AsyncIterator[WatchEvent]]:
        """Stream what changed after `resource_version`, with bookmarks, until the server closes.

        Raises Expired (on entry or while iterating) when the version is no longer kept, Unavailable when the stream
        breaks."""
        ...

    async def create(self, resource: Resource, thing: Object, *, dry_run: bool = False) -> Object:
        """Create `thing` in its metadata.namespace."""
        ...

    async def replace(self, resource: Resource, thing: Object, *, subresource: str = "") -> Object:
        """PUT; with metadata.resourceVersion set it is conditional (Conflict)."""
        ...

    async def patch(
        self, ref: Reference, body: Any, *, kind: PatchType = "merge", subresource: str = "", manager: str = ""
    ) -> Object:
        """Patch; `metadata.resourceVersion` or `metadata.uid` inside a merge patch make it conditional (Conflict).

        `manager` is the field manager (needed for kind="apply", which also forces)."""
        ...

    async def delete(
        self, ref: Reference, *, grace_s: int | None = None, propagation: Propagation | None = None
    ) -> None:
        """Delete; ref.uid, when set, is sent as a precondition. Raises Gone when absent."""
        ...

    def log(
        self, ref: Reference, options: LogOptions = LogOptions()
    ) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """Stream a pod's log in chunks; ends at the container's end when following."""
        ...
