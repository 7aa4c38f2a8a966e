"""A pod's shared volume and its containers, as plain subprocesses: no cluster, no mounts."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from actors.contract import frame, paths
from actors.contract.instructions import to_env

ROOT = Path(__file__).resolve().parents[2]
NONCE = "0123456789abcdef"


@dataclass
class Ended:
    code: int
    stdout: bytes
    stderr: str
    termination: str

    @property
    def content(self) -> dict[str, Any]:
        content = frame.decode(self.termination, NONCE)
        assert content is not None, self.termination
        whole = frame.decode_spill(self.stdout, content, NONCE)
        assert whole is not None
        return dict(whole)


@dataclass
class Volume:
    """The shared volume of one pod."""

    directory: Path
    repository: Path
    programs: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def env(self, told: dict[str, Any]) -> dict[str, str]:
        return {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            paths.mount_env(paths.SHIM_VOLUME): str(self.directory),
            paths.mount_env(paths.REPOSITORY_VOLUME): str(self.repository),
            "ARGO_CONTAINER_NAME": told["container"],
            **{entry["name"]: entry["value"] for entry in to_env(told)},  # type: ignore[arg-type]
        }

    def start(self, argv: list[str], told: dict[str, Any], **more: Any) -> subprocess.Popen[bytes]:
        program = subprocess.Popen(
            argv, env=self.env(told) | more.pop("env", {}), stdout=subprocess.PIPE, stderr=subprocess.PIPE, **more
        )
        self.programs.append(program)
        return program

    def executor(self, verb: list[str], told: dict[str, Any]) -> Ended:
        told = {"nonce": NONCE, "budget": 1500, **told}
        return self.end(self.start([sys.executable, "-m", "tiphys.executor", *verb], told), told)

    def shim(self, command: list[str], **told: Any) -> subprocess.Popen[bytes]:
        return self.start([str(self.directory / "shim"), "--", *command], shim_instructions(told))

    def run(self, command: list[str], **told: Any) -> Ended:
        return self.end(self.shim(command, **told), shim_instructions(told))

    def end(self, program: subprocess.Popen[bytes], told: dict[str, Any]) -> Ended:
        stdout, stderr = program.communicate(timeout=30)
        path = self.directory / paths.termination_file(told["container"])
        termination = path.read_text() if path.exists() else ""
        return Ended(program.returncode, stdout, stderr.decode(), termination)


def shim_instructions(told: dict[str, Any]) -> dict[str, Any]:
    return {"container": "main", "nonce": NONCE, "budget": 1500, **told}
