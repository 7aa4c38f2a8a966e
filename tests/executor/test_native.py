"""Where an image has the static program, that is what a pod gets: the user's image need not have Python."""

from __future__ import annotations

from pathlib import Path

import pytest

from tiphys.executor import staging


def test_the_static_program_is_staged_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "native").write_bytes(b"\x7fELF")
    (tmp_path / "volume").mkdir()
    monkeypatch.setattr(staging, "NATIVE", tmp_path / "native")
    staging.stage_shim(tmp_path / "volume")
    (staged,) = (tmp_path / "volume").iterdir()
    assert staged.read_bytes() == b"\x7fELF"
    assert staged.stat().st_mode & 0o777 == 0o755
