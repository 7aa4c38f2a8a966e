"""Images as the pods' pull policies want them, with the kubelet's reasons and its patience with registries."""

from __future__ import annotations

from collections import defaultdict

import anyio

from runtime.api import Api, ApiError
from runtime.objects import SECRETS, Object, Reference
from tiphys.devcluster.node.containers import CannotCreate
from tiphys.devcluster.node.engine.api import EngineApi
from tiphys.devcluster.node.engine.bodies import Image, image_of
from tiphys.devcluster.node.engine.credentials import logins
from tiphys.devcluster.node.engine.errors import EngineError
from tiphys.devcluster.node.events import EventRecorder
from tiphys.devcluster.node.plan import BACKOFF_FIRST_S, BACKOFF_MAX_S

BAD_REQUEST = 400


class Images:
    """The images of one node's pods."""

    def __init__(self, api: Api, engine: EngineApi, events: EventRecorder) -> None:
        self._api = api
        self._engine = engine
        self._events = events
        self._pulls: defaultdict[str, anyio.Lock] = defaultdict(anyio.Lock)  # one pull of an image at a time
        self._failures: dict[tuple[str, str], tuple[float, float]] = {}  # (pod, image) -> not before, then how long

    async def image(self, pod: Object, container: Object) -> Image:
        """The container's image, pulled when its policy says so. Raises CannotCreate with the kubelet's reasons."""
        reference = str(container.get("image") or "")
        policy = container.get("imagePullPolicy") or "IfNotPresent"
        present = await self._present(reference)
        if policy == "Never" and present is None:
            message = f'Container image "{reference}" is not present with pull policy of Never'
            raise CannotCreate(message, reason="ErrImageNeverPull")
        if present is not None and policy != "Always":
            self.say_present(pod, reference)
            return present
        async with self._pulls[reference]:
            if policy != "Always" and (present := await self._present(reference)) is not None:
                self.say_present(pod, reference)  # somebody else has waited for it
                return present
            await self._pull(pod, reference, is_here=present is not None)
        found = await self._present(reference)
        if found is None:
            raise CannotCreate(f'image "{reference}" vanished after its pull', reason="ErrImagePull")
        return found

    def say_present(self, pod: Object, reference: str) -> None:
        """Tell that an image need not be pulled."""
        self._events.say(pod, "Pulled", f'Container image "{reference}" already present on machine')

    def forget(self, uid: str) -> None:
        """The pod has ended."""
        self._events.forget(uid)
        for key in [key for key in self._failures if key[0] == uid]:
            del self._failures[key]

    async def _present(self, reference: str) -> Image | None:
        """The image if it is on this machine."""
        if not reference:
            raise CannotCreate("the container names no image", reason="InvalidImageName")
        try:
            return image_of(await self._engine.image(reference))
        except EngineError as error:
            if error.is_absent:
                return None
            reason = "InvalidImageName" if error.status == BAD_REQUEST else "ImageInspectError"
            raise CannotCreate(f'image "{reference}": {error.message}', reason=reason) from error

    async def _pull(self, pod: Object, reference: str, *, is_here: bool) -> None:
        key = (str(pod["metadata"]["uid"]), reference)
        not_before, pause_s = self._failures.get(key, (0.0, BACKOFF_FIRST_S))
        began = anyio.current_time()
        if began < not_before:
            raise CannotCreate(f'Back-off pulling image "{reference}"', reason="ImagePullBackOff")
        self._events.say(pod, "Pulling", f'Pulling image "{reference}"')
        try:
            await self._engine.pull_with(reference, logins(reference, await self._secrets(pod)))
        except EngineError as error:
            self._failures[key] = (anyio.current_time() + pause_s, min(pause_s * 2, BACKOFF_MAX_S))
            self._events.warn(pod, "Failed", f'Failed to pull image "{reference}": {error.message}')
            remedy = "; it is on this machine: imagePullPolicy IfNotPresent would use it" if is_here else ""
            raise CannotCreate(f"{error.message}{remedy}", reason="ErrImagePull") from error
        self._failures.pop(key, None)
        took_s = anyio.current_time() - began
        self._events.say(pod, "Pulled", f'Successfully pulled image "{reference}" in {took_s:.3g}s')

    async def _secrets(self, pod: Object) -> list[Object]:
        """The pod's imagePullSecrets that exist: as the kubelet, it is tried without those that do not."""
        found: list[Object] = []
        for entry in (pod.get("spec") or {}).get("imagePullSecrets") or ():
            ref = Reference(SECRETS, pod["metadata"]["namespace"], str(entry.get("name") or ""))
            try:
                found.append(await self._api.get(ref))
            except ApiError:
                message = f"Unable to retrieve some image pull secrets ({ref.name}); attempting to pull the image may "
                self._events.warn(pod, "FailedToRetrieveImagePullSecret", f"{message}not succeed.")
        return found
