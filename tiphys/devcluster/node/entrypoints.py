"""How the images that the node stands in for start: what a controller must know to put a program in front of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from tiphys.devcluster.node.images import image_of


class KnownEntrypoints(Mapping[str, tuple[Sequence[str], Sequence[str]]]):
    """Image reference -> (entrypoint, command), whatever its registry and tag. Unknown images are not in it.

    It answers for names, so it has no list of them: iterating gives nothing."""

    def __getitem__(self, reference: str) -> tuple[Sequence[str], Sequence[str]]:
        image = image_of(reference, "")
        if not image.entrypoint and not image.command:
            raise KeyError(reference)
        return image.entrypoint, image.command

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0
