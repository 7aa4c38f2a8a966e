"""Which registry an image's name means, and what it is called there. Pure."""

from __future__ import annotations

from typing import NamedTuple

HUB = "registry-1.docker.io"
HUB_NAMES = frozenset({HUB, "docker.io", "index.docker.io"})


class Image(NamedTuple):
    """Where an image is kept."""

    registry: str
    repository: str
    reference: str  # tag or digest


def parse(image: str) -> Image:
    """Read an image's name as a container runtime does."""
    name, _, digest = image.partition("@")
    first, slash, rest = name.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        registry, path = first, rest
    else:
        registry, path = HUB, name
    folder, colon, tag = path.rpartition(":")
    if not colon or "/" in tag:
        folder, tag = path, "latest"
    if registry in HUB_NAMES:
        registry = HUB
        folder = folder if "/" in folder else f"library/{folder}"
    return Image(registry, folder, digest or tag)
