"""Instructions are what a container of ours has to do, as one JSON document in its environment.

An environment variable is fixed with the pod and needs neither a mount nor a token. No value can break out of it: JSON
is written without a dollar sign, which Kubernetes would expand, and a long document continues in numbered variables.
"""

from __future__ import annotations

import json

from actors.contract.paths import INSTRUCTIONS_ENV

TYPE_CHECKING = False
if TYPE_CHECKING:  # see frame.py: the shim reads these too
    from collections.abc import Mapping

    from actors.contract.documents import Instructions

VARIABLE_BYTES_MAX = 96 << 10  # Linux refuses a single variable above 128 KiB
VARIABLES_MAX = 12  # and the whole environment at about 2 MB; an object has to stay below 1.5 MB anyway


def to_env(instructions: Instructions) -> list[dict[str, str]]:
    """The variables that carry `instructions`. Raises ValueError when they are too many to start a process with."""
    text = json.dumps(instructions, separators=(",", ":")).replace("$", "\\u0024")
    pieces = [text[i : i + VARIABLE_BYTES_MAX] for i in range(0, len(text), VARIABLE_BYTES_MAX)]
    if len(pieces) > VARIABLES_MAX:
        raise ValueError(f"{len(text)} bytes of instructions, at most {VARIABLE_BYTES_MAX * VARIABLES_MAX} fit a pod")
    return [{"name": _variable(number), "value": piece} for number, piece in enumerate(pieces)]


def from_env(env: Mapping[str, str]) -> Instructions:
    """The instructions in an environment. Raises ValueError when there are none."""
    pieces: list[str] = []
    while (piece := env.get(_variable(len(pieces)))) is not None:
        pieces.append(piece)
    if not pieces:
        raise ValueError(f"no {INSTRUCTIONS_ENV} in the environment: this program runs inside a workflow's pod")
    instructions: Instructions = json.loads("".join(pieces))
    return instructions


def _variable(number: int) -> str:
    return f"{INSTRUCTIONS_ENV}_{number}" if number else INSTRUCTIONS_ENV
