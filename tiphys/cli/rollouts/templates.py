"""Changes of the pod template: another image, or the template of an earlier revision. Pure."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, NamedTuple

from runtime.objects import Object
from tiphys.cli.problems import InputError
from tiphys.cli.rollouts.objects import HASH, owned, part, revision_of

CONTAINERS = ("initContainers", "containers", "ephemeralContainers")


class ImageWish(NamedTuple):
    """A container (`*`: all of them) and the image it is to have."""

    container: str
    image: str


def image_wishes(texts: Sequence[str]) -> list[ImageWish]:
    """`name=image` texts. Raises InputError for one that is none."""
    found = []
    for text in texts:
        container, equals, image = text.partition("=")
        if not container or not equals or not image:
            raise InputError(f"{text!r}: write CONTAINER=IMAGE, for instance app=example/app:2 or *=example/app:2")
        found.append(ImageWish(container, image))
    return found


def with_images(thing: Object, wishes: Sequence[ImageWish]) -> Object:
    """A copy of a Rollout (or a workload) with these images. Raises InputError naming a container that it has not."""
    made = copy.deepcopy(thing)
    spec = part(made, "spec", "template", "spec")
    for wish in wishes:
        chosen = [one for one in _containers(spec) if wish.container in ("*", one.get("name"))]
        if not chosen:
            names = ", ".join(sorted({str(one.get("name")) for one in _containers(spec)}))
            raise InputError(f"unable to find container named {wish.container!r}; there are: {names or 'none'}")
        for one in chosen:
            one["image"] = wish.image
    return made


def _containers(spec: dict[str, Any]) -> list[dict[str, Any]]:
    return [one for kind in CONTAINERS for one in spec.get(kind) or ()]


class Undo(NamedTuple):
    """What `undo` comes to: the template to take, or a sentence why there is nothing to do."""

    template: dict[str, Any] | None
    why: str = ""


def undo(rollout: Object, template: dict[str, Any], sets: Sequence[Object], revision: int) -> Undo:
    """Go back to a revision, 0 for the one before the newest. `template` is the present one, which a referenced
    workload may hold. Raises InputError when there is no such revision."""
    mine = sorted(owned(rollout, sets), key=revision_of)
    if revision:
        chosen = next((one for one in mine if revision_of(one) == revision), None)
        if chosen is None:
            there = ", ".join(str(revision_of(one)) for one in mine)
            raise InputError(f"unable to find specified revision {revision} in history; there are: {there or 'none'}")
    elif len(mine) < 2:
        raise InputError("no rollout history found: there is no revision before this one")
    else:
        chosen = mine[-2]
    wanted = without_hash(part(chosen, "spec", "template"))
    if wanted == without_hash(template):
        return Undo(None, f"skipped rollback (current template already matches revision {revision_of(chosen)})")
    return Undo(wanted)


def without_hash(template: dict[str, Any]) -> dict[str, Any]:
    """A ReplicaSet's template as it was before the controller marked it."""
    made = copy.deepcopy(template)
    meta = made.get("metadata") or {}
    labels = meta.get("labels") or {}
    labels.pop(HASH, None)
    if not labels:
        meta.pop("labels", None)
    meta.pop("creationTimestamp", None)
    return made
