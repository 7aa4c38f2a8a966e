"""A git repository at a revision, through the machine's own git (DRV-2).

Credentials reach git through its environment and private files, never a command line or the clone's configuration.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tiphys.executor.artifacts import Place, StoreError, StoreUnavailable
from tiphys.executor.artifacts.credentials import secret_file, secret_text
from tiphys.executor.redaction import redacted

PROTOCOLS = "file:git:http:https:ssh"  # never ext::, which runs what it is given
SILENCE_S = 60  # slower than 1 kB/s for so long is a dead connection
_ASK = """#!/bin/sh
case "$1" in
[Uu]sername*) printf '%s\\n' "$TIPHYS_GIT_USERNAME" ;;
*) printf '%s\\n' "$TIPHYS_GIT_PASSWORD" ;;
esac
"""
_PASSING = re.compile(
    r"could not resolve host|(failed to|couldn't) connect|connection (refused|reset)|timed out|"
    r"early EOF|unexpected disconnect|"
    r"error: (429|5\d\d)|operation too slow|temporary failure",
    re.IGNORECASE,
)


def load(place: Place, target: Path) -> None:
    """Clone, fetch, check out, and bring the submodules. Raises StoreError with what git said."""
    section = place.section
    if shutil.which("git") is None:
        raise StoreError("there is no git program in the executor's image (or on this machine): install it")
    with TemporaryDirectory(prefix="tiphys-git-") as folder:
        env = _environment(section, Path(folder))
        if target.exists():
            shutil.rmtree(target)  # of an attempt that broke off
        _git(_clone(section, target), env)
        if not _is_empty(target, env):
            _check_out(section, target, env)


def save(place: Place, source: Path) -> None:
    """Refuse: nothing is committed for anybody."""
    raise StoreError(f"a git artifact cannot be saved to ({place.section.get('repo')}, {source.name})")


def _clone(section: Mapping[str, Any], target: Path) -> list[str]:
    words = ["clone", "--quiet", *_depth(section)]
    if section.get("singleBranch"):
        words += ["--single-branch", f"--branch={section.get('branch')}"]
    else:
        words.append("--no-single-branch")
    return [*words, "--", str(section["repo"]), str(target)]


def _check_out(section: Mapping[str, Any], target: Path, env: Mapping[str, str]) -> None:
    here = ["-C", str(target)]
    for refspec in section.get("fetch") or ():
        _git([*here, "fetch", "--quiet", *_depth(section), "--", "origin", str(refspec)], env)
    revision = str(section.get("revision") or "")
    if revision.startswith("-"):
        raise StoreError(f"git.revision: {revision!r} is no revision")
    if revision:
        _git([*here, "checkout", "--quiet", _found(here, revision, env), "--"], env)
    if not section.get("disableSubmodules") and (target / ".gitmodules").is_file():
        _git([*here, "submodule", "--quiet", "update", "--init", "--recursive", "--force", *_depth(section)], env)


def _found(here: Sequence[str], revision: str, env: Mapping[str, str]) -> str:
    """The name under which the clone knows a revision; a branch of the remote becomes one here."""
    for name in (revision, f"refs/remotes/origin/{revision}", "FETCH_HEAD" if revision.startswith("refs/") else ""):
        if name and _known(here, name, env):
            return revision if name.startswith("refs/remotes/") else name
    raise StoreError(f"git.revision: the repository has no branch, tag or commit {revision!r}: is it behind `depth`?")


def _known(here: Sequence[str], name: str, env: Mapping[str, str]) -> bool:
    words = ["git", *here, "rev-parse", "--quiet", "--verify", f"{name}^{{commit}}"]
    return subprocess.run(words, env=env, capture_output=True, check=False).returncode == 0  # noqa: S603  (no shell)


def _is_empty(target: Path, env: Mapping[str, str]) -> bool:
    """Whether nobody has pushed anything yet: what is to be checked out may be what the workflow begins with."""
    return not any(_said(["-C", str(target), *words], env) for words in (["for-each-ref", "--count=1"], ["ls-remote"]))


def _said(words: Sequence[str], env: Mapping[str, str]) -> bytes:
    ended = subprocess.run(["git", *words], env=env, capture_output=True, check=False)  # noqa: S603, S607  (no shell)
    return ended.stdout.strip()


def _depth(section: Mapping[str, Any]) -> list[str]:
    return [f"--depth={int(section['depth'])}"] if section.get("depth") else []


def _environment(section: Mapping[str, Any], folder: Path) -> dict[str, str]:
    settings = {"http.lowSpeedLimit": "1000", "http.lowSpeedTime": str(SILENCE_S), "advice.detachedHead": "false"}
    if section.get("insecureSkipTLS"):
        settings["http.sslVerify"] = "false"
    env = {name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "TIPHYS_"))}
    env |= {
        "GIT_TERMINAL_PROMPT": "0",
        "LC_ALL": "C",
        "GIT_ALLOW_PROTOCOL": PROTOCOLS,
        "GIT_CONFIG_COUNT": str(len(settings)),
    }
    for number, (name, value) in enumerate(settings.items()):
        env |= {f"GIT_CONFIG_KEY_{number}": name, f"GIT_CONFIG_VALUE_{number}": value}
    ask = folder / "ask"
    ask.write_text(_ASK, encoding="utf-8")
    ask.chmod(0o700)
    env["GIT_ASKPASS"] = env["SSH_ASKPASS"] = str(ask)
    env["TIPHYS_GIT_USERNAME"] = secret_text(section, "usernameSecret")
    env["TIPHYS_GIT_PASSWORD"] = secret_text(section, "passwordSecret")
    env["GIT_SSH_COMMAND"] = _ssh(section, folder)
    return env


def _ssh(section: Mapping[str, Any], folder: Path) -> str:
    words = ["ssh", "-o", "BatchMode=yes"]
    if key := secret_file(section, "sshPrivateKeySecret"):
        private = folder / "key"
        private.touch(mode=0o600)
        private.write_text(key.read_text(encoding="utf-8").rstrip("\n") + "\n", encoding="utf-8")
        words += ["-i", str(private), "-o", "IdentitiesOnly=yes"]
    if section.get("insecureIgnoreHostKey"):
        words += ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"]
    return " ".join(words)


def _git(words: Sequence[str], env: Mapping[str, str]) -> None:
    command = ["git", *words]
    ended = subprocess.run(command, env=env, capture_output=True, text=True, errors="replace", check=False)  # noqa: S603  (no shell)
    if ended.returncode == 0:
        return
    said = redacted(ended.stderr.strip())[-600:]  # half a secret would not be known for one
    text = f"git {next(word for word in words if not word.startswith(('-', '/')))}: {said}"
    raise StoreUnavailable(text) if _PASSING.search(ended.stderr) else StoreError(text)
