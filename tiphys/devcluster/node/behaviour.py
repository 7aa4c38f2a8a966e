"""How a simulated container behaves: what annotations and the caller's table of images say, read once. Pure.

| annotation                          | meaning                                                                       |
|-------------------------------------|-------------------------------------------------------------------------------|
| `simulated.tiphys.dev/start-after`  | seconds from its turn to its start: what pulling an image takes               |
| `simulated.tiphys.dev/delay`        | seconds it runs ("1.5"), or "forever": until it is stopped                    |
| `simulated.tiphys.dev/exit-code`    | its exit code                                                                 |
| `simulated.tiphys.dev/fail-after`   | seconds after which it ends badly, with `exit-code` or 1; "never"             |
| `simulated.tiphys.dev/ready-after`  | seconds from its start until it is ready, or "never", whatever its probe says |
| `simulated.tiphys.dev/unready-after`| seconds from its start after which it is not ready any more, or "never"       |
| `simulated.tiphys.dev/message`      | its termination message                                                       |
| `simulated.tiphys.dev/log`          | what it prints at its start                                                   |
| `simulated.tiphys.dev/never-start`  | it stays waiting: "true", or the reason to show ("ImagePullBackOff")           |

Numbers may be lists ("1,1,0"): one per attempt, the last one repeated. They speak of the main containers;
`<annotation>.<container>` (`simulated.tiphys.dev/delay.main`) speaks of one container of any kind. What no annotation
says is taken from the first entry of the table of images that matches the container's image.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from runtime.objects import Object
from tiphys.devcluster.node.containers import CannotCreate
from tiphys.devcluster.node.podspec import ContainerSpec
from tiphys.devcluster.node.settings import ImageTable

PREFIX = "simulated.tiphys.dev/"
NEVER = math.inf

NAMES = frozenset(
    {
        "start-after",
        "delay",
        "exit-code",
        "fail-after",
        "ready-after",
        "unready-after",
        "message",
        "log",
        "never-start",
    }
)


@dataclass(frozen=True, slots=True)
class Behaviour:
    """One attempt of one container. Times are in seconds; infinite means never."""

    start_after_s: float = 0.0
    runs_s: float = 0.0
    exit_code: int = 0
    ready: tuple[tuple[float, bool], ...] | None = None  # (seconds since its start, ready); None: as its probe says
    message: str = ""
    log: str = ""
    never_start: str = ""  # the reason of its waiting, empty if it starts


class Words:
    """What is said of one attempt of one container, by name."""

    def __init__(self, pod: Object, container: ContainerSpec, attempt: int, images: ImageTable) -> None:
        self._annotations: Mapping[str, str] = pod["metadata"].get("annotations") or {}
        self._container = container
        self._attempt = attempt
        self._image = next((said for pattern, said in images.items() if fnmatchcase(container.image, pattern)), {})

    def text(self, name: str) -> str:
        """The words as they are; empty when nothing is said."""
        own = self._annotations.get(f"{PREFIX}{name}.{self._container.name}")
        if own is None and self._container.kind == "main":
            own = self._annotations.get(PREFIX + name)
        return (self._image.get(name) if own is None else own) or ""

    def seconds(self, name: str, endless: str = "never") -> float | None:
        """A time of this attempt; None when nothing is said. Raises CannotCreate for what is no time."""
        text = self._of_attempt(name)
        if not text:
            return None
        if text == endless:
            return NEVER
        try:
            at = float(text.removesuffix("s"))
        except ValueError:
            at = -1.0
        if not 0 <= at < NEVER:
            raise self._senseless(name, f'seconds, such as "1.5", or "{endless}"')
        return at

    def number(self, name: str) -> int | None:
        """A whole number of this attempt; None when nothing is said. Raises CannotCreate for what is none."""
        text = self._of_attempt(name)
        if not text:
            return None
        try:
            return int(text)
        except ValueError:
            raise self._senseless(name, 'a number, or one per attempt ("1,1,0")') from None

    def _of_attempt(self, name: str) -> str:
        values = self.text(name).split(",")
        return values[min(max(self._attempt, 1), len(values)) - 1].strip()

    def _senseless(self, name: str, wanted: str) -> CannotCreate:
        text = self.text(name)
        return CannotCreate(
            f"{PREFIX}{name} of container {self._container.name} is {text!r}; it must be {wanted}", retry=False
        )


def behaviour(pod: Object, container: ContainerSpec, attempt: int, images: ImageTable, default_s: float) -> Behaviour:
    """How this attempt behaves. Raises CannotCreate for values that make no sense.

    Without a word main containers run for `default_s`, or for ever when the pod's restartPolicy is Always; init
    containers succeed at once; sidecars run until stopped."""
    said = Words(pod, container, attempt, images)
    runs_s = said.seconds("delay", "forever")
    if runs_s is None:
        runs_s = _usual_time(pod, container, default_s)
    code = said.number("exit-code")
    fails_s = said.seconds("fail-after")
    if fails_s is not None and fails_s < NEVER:
        runs_s, code = fails_s, code or 1
    never = said.text("never-start")
    return Behaviour(
        said.seconds("start-after") or 0.0,
        runs_s,
        code or 0,
        _readiness(said.seconds("ready-after"), said.seconds("unready-after")),
        said.text("message"),
        said.text("log"),
        "" if never == "false" else never,
    )


def check_images(images: ImageTable) -> None:
    """Raise ValueError for a table that says what nobody would read."""
    for pattern, said in images.items():
        if strangers := sorted(set(said) - NAMES):
            known = ", ".join(sorted(NAMES))
            raise ValueError(f"simulated image {pattern!r}: {', '.join(strangers)} is not known; known are {known}")


def _usual_time(pod: Object, container: ContainerSpec, default_s: float) -> float:
    if container.kind == "sidecar":
        return NEVER
    if container.kind == "init":
        return 0.0
    policy = (pod.get("spec") or {}).get("restartPolicy", "Always")
    return NEVER if policy == "Always" else default_s


def _readiness(ready_s: float | None, unready_s: float | None) -> tuple[tuple[float, bool], ...] | None:
    """When it becomes ready and when it ceases to be; None when neither is said."""
    if ready_s is None and unready_s is None:
        return None
    changes = [(ready_s or 0.0, True), (NEVER if unready_s is None else unready_s, False)]
    return tuple(change for change in sorted(changes) if change[0] < NEVER)
