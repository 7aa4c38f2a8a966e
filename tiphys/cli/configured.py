"""`--config FILE`: the installation's configuration as a file, for run, dev and controller alike."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tiphys.cli.problems import InputError, Problem

if TYPE_CHECKING:
    from tiphys.configuration.keys import Configuration


def configuration_of(path: Path | None) -> Configuration | None:
    """The configuration in a file: upstream's ConfigMap, or its keys. Raises InputError, which names each wrong key."""
    if path is None:
        return None
    from tiphys.configuration.problems import BadConfiguration  # noqa: PLC0415
    from tiphys.configuration.reading import from_file  # noqa: PLC0415  pydantic is slow to import

    try:
        return from_file(path)
    except BadConfiguration as error:
        raise InputError(*(Problem(problem, str(path)) for problem in error.problems)) from error
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"--config {path}: {error}") from error
