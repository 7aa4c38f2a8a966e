"""How containers of well-known images start, though no image is there."""

from __future__ import annotations

import pytest

from tiphys.devcluster.node.containers import CannotRun
from tiphys.devcluster.node.entrypoints import KnownEntrypoints
from tiphys.devcluster.node.images import command_of, image_of

ENTRYPOINTS = KnownEntrypoints()


@pytest.mark.parametrize(
    ("reference", "args", "line"),
    [
        ("argoproj/argosay:v2", ["echo", "x"], ["/argosay", "echo", "x"]),
        ("argoproj/argosay:v1", [], ["cowsay"]),
        ("quay.io/argoproj/argosay:v1", ["cowsay", "hello"], ["cowsay", "hello"]),
        ("argoproj/argosay:v1.2", ["sh", "-c", "exit 1"], ["sh", "-c", "exit 1"]),
        ("argoproj/argosay:v10", ["echo"], ["/argosay", "echo"]),
        ("docker.io/library/busybox", [], ["sh"]),
        ("nginx:1.27", [], ["nginx", "-g", "daemon off;"]),
    ],
)
def test_an_image_starts_as_it_says_of_itself(reference: str, args: list[str], line: list[str]) -> None:
    container = {"name": "main", "image": reference, "args": args}
    assert command_of(container, image_of(reference, "tiphys"), {}) == line


def test_the_controller_hears_how_an_image_starts() -> None:
    assert ENTRYPOINTS["argoproj/argosay:v1"] == ((), ("cowsay",))
    assert ENTRYPOINTS["argoproj/argosay:v2"] == (("/argosay",), ())
    assert "docker/whalesay" not in ENTRYPOINTS


def test_an_image_of_which_nothing_is_known_needs_a_command() -> None:
    with pytest.raises(CannotRun, match="set command"):
        command_of({"name": "main", "image": "shop:1"}, image_of("shop:1", "tiphys"), {})
