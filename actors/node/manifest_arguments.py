"""An argument that no command line can hold becomes a file, and the command is given `@` and its path. (PARAM-10)

So does upstream, and only programs that know the form (`curl -d @file`, argparse's `fromfile_prefix_chars`) make use of
it; any other says that there is no such command or file, where the kernel would have said that nothing can be started.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from actors.contract import paths

ARGUMENT_BYTES_MAX = (128 << 10) - 1  # of one argument: Linux refuses a longer one, whatever the others are
_SURELY_SHORT = ARGUMENT_BYTES_MAX // 4  # characters: no encoding of them is longer


def long_arguments(users: Iterable[tuple[str, Mapping[str, Any]]]) -> dict[str, str]:
    """The arguments of the containers (name and container) that become files: the file's name to its text."""
    return {
        paths.argument_file(name, number): str(text)
        for name, container in users
        for number, text in enumerate(container.get("args") or ())
        if _too_long(str(text))
    }


def with_files(container: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The container with `@` and a path in place of every argument that became a file."""
    volume = f"$({paths.mount_env(paths.SHIM_VOLUME)})"
    args = [
        f"@{volume}/{paths.argument_file(name, number)}" if _too_long(str(text)) else text
        for number, text in enumerate(container.get("args") or ())
    ]
    return {**container, "args": args}


def _too_long(text: str) -> bool:
    return len(text) > _SURELY_SHORT and len(text.encode()) > ARGUMENT_BYTES_MAX
