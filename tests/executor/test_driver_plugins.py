"""A driver that somebody else has installed keeps artifacts like one of ours."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tiphys.executor import artifacts
from tiphys.executor.artifacts import NotFound, StoreError

DRIVER = """
from pathlib import Path
from tiphys.executor.artifacts import NotFound

def _kept(place):
    return Path(place.section["configuration"].strip(), place.section["key"])

def load(place, target):
    if not _kept(place).exists():
        raise NotFound("nothing there")
    target.write_bytes(_kept(place).read_bytes())

def save(place, source):
    _kept(place).write_bytes(source.read_bytes())

def list_keys(place):
    return sorted(path.name for path in _kept(place).parent.iterdir())

def delete(place, *, tree):
    raise RuntimeError("out of order")
"""


def install(site: Path, package: str) -> None:
    """What a package says of itself that has the driver `theirs`."""
    about = site / f"{package}-1.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1\n")
    (about / "entry_points.txt").write_text(f"[tiphys.artifact_drivers]\ntheirs = {package}_driver\n")


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A driver named `theirs`, installed as a package would be, and where it keeps things."""
    install(tmp_path / "site", "somebodys")
    (tmp_path / "site" / "somebodys_driver.py").write_text(DRIVER)
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    (tmp_path / "kept").mkdir()
    yield tmp_path / "kept"
    sys.modules.pop("somebodys_driver", None)


@pytest.mark.spec("DRV-10")
def test_its_functions_are_called_with_the_plugins_section(store: Path, tmp_path: Path) -> None:
    location = {"plugin": {"name": "theirs", "key": "hi", "configuration": f"{store}\n"}}
    (tmp_path / "x").write_text("x")
    artifacts.save(location, tmp_path / "x", root="", mount="")
    artifacts.load(location, tmp_path / "in", root="", mount="")
    assert (tmp_path / "in").read_text() == "x"
    assert artifacts.list_keys(location, root="", mount="") == ["hi"]
    location["plugin"]["key"] = "other"
    with pytest.raises(NotFound):
        artifacts.load(location, tmp_path / "in", root="", mount="")


@pytest.mark.spec("DRV-10")
def test_what_it_raises_names_it(store: Path) -> None:
    location = {"plugin": {"name": "theirs", "key": "hi", "configuration": str(store)}}
    with pytest.raises(StoreError, match="artifact driver 'theirs': cannot delete 'hi': out of order"):
        artifacts.delete(location, tree=False, root="", mount="")


@pytest.mark.spec("DRV-10")
def test_one_that_is_not_installed_is_named_with_those_that_are(store: Path, tmp_path: Path) -> None:
    del store
    with pytest.raises(StoreError, match=r"'none' is not installed in the executor's image \(there are: .*theirs\)"):
        artifacts.load({"plugin": {"name": "none", "key": "k"}}, tmp_path / "in", root="", mount="")


@pytest.mark.spec("DRV-10")
def test_two_of_one_name_are_both_named_and_neither_is_asked(store: Path, tmp_path: Path) -> None:
    install(tmp_path / "site", "others")
    location = {"plugin": {"name": "theirs", "key": "hi", "configuration": str(store)}}
    (tmp_path / "x").write_text("x")
    with pytest.raises(StoreError, match="others_driver of others 1; somebodys_driver of somebodys 1"):
        artifacts.save(location, tmp_path / "x", root="", mount="")
    assert not list(store.iterdir())
