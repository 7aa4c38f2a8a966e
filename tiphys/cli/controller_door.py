"""Where a controller answers: the address that was given, or the one that `tiphys dev` keeps beside its kubeconfig.

A dev cluster's is on loopback, where every account of the machine can knock; so it asks for the token that stands in
the same file, which is the user's alone.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from tiphys.cli.places import dev_kubeconfig
from tiphys.cli.problems import InputError

TIMEOUT_S = 10.0
SUFFIX = ".http"


class Door(NamedTuple):
    """A URL, and the token it asks for (empty: none)."""

    url: str
    token: str = ""


def file_of(kubeconfig: Path) -> Path:
    """Where the door of that dev cluster's controllers is written down."""
    return kubeconfig.with_name(kubeconfig.name + SUFFIX)


def note(kubeconfig: Path, door: Door) -> Path:
    """Write a door down, for its user alone."""
    path = file_of(kubeconfig)
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(f"{door.url}\n{door.token}\n")
    return path


def door(address: str = "", kubeconfig: str = "") -> Door:
    """The door that a command means. Raises InputError when there is none."""
    if address:
        return Door(address.rstrip("/") if "://" in address else f"http://{address}".rstrip("/"))
    path = file_of(Path(kubeconfig).expanduser() if kubeconfig else dev_kubeconfig())
    if not path.is_file() or path.stat().st_uid != os.getuid():
        raise InputError(
            f"no controller: there is no running `tiphys dev` with controllers ({path} is not there).\n"
            "Name one with --address, for instance http://127.0.0.1:9090 after"
            " `kubectl port-forward deploy/tiphys-controller 9090`"
        )
    url, token, *_ = [*path.read_text().splitlines(), "", ""]
    return Door(url, token)


def read(at: Door, path: str) -> str:
    """What it answers. Raises InputError when it does not."""
    if not at.url.startswith(("http://", "https://")):
        raise InputError(f"{at.url} is no address of a controller: write http://HOST:PORT")
    request = Request(at.url + path)  # noqa: S310  # the scheme was just looked at
    if at.token:
        request.add_header("Authorization", f"Bearer {at.token}")
    try:
        with urlopen(request, timeout=TIMEOUT_S) as answer:  # noqa: S310  # as above
            return str(answer.read().decode())
    except HTTPError as e:
        raise InputError(f"{at.url}{path} answers {e.code}: {e.read().decode(errors='replace').strip()}") from e
    except (URLError, OSError, ValueError) as e:
        raise InputError(f"{at.url} does not answer: {e}; is the controller running?") from e
