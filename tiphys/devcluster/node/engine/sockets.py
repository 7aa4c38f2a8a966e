"""Where an engine may answer, in the order in which they are tried, and what to say when none does. Pure."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

DOCKER = Path("/var/run/docker.sock")
PODMAN = Path("/run/podman/podman.sock")
SCHEME = "unix://"


class Candidate(NamedTuple):
    """A socket to try, or (without one) a place that cannot be used, and why."""

    place: str
    socket: Path | None = None
    why_not: str = ""


def candidates(environment: Mapping[str, str]) -> list[Candidate]:
    """The sockets to try. DOCKER_HOST decides alone where it is set, as for `docker` itself."""
    if host := environment.get("DOCKER_HOST", ""):
        if host.startswith(SCHEME):
            return [Candidate(f"DOCKER_HOST={host}", Path(host.removeprefix(SCHEME)))]
        why = "only unix:// is used: containers see folders of this machine"
        return [Candidate(f"DOCKER_HOST={host}", why_not=why)]
    runtime = environment.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}"
    own = [Path(runtime, "docker.sock"), Path(runtime, "podman/podman.sock")]
    return [Candidate(str(path), path) for path in (DOCKER, *own, PODMAN)]


def nobody_answers(tried: list[tuple[str, str]]) -> str:
    """The sentence for a machine without an engine; `tried` are places and what was wrong with each."""
    listed = "; ".join(f"{place}: {why}" for place, why in tried)
    return (
        f"no Docker or Podman engine answers here (tried {listed}): start one (`systemctl start docker`, or "
        "`systemctl --user start podman.socket`), name its socket in DOCKER_HOST=unix://…, or use --runtime auto, "
        "which needs none"
    )
