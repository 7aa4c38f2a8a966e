"""`python -m tests.world --seeds 1000` runs random workflows until one goes wrong, and prints what reproduces it."""

from __future__ import annotations

import argparse
import logging
import sys
from functools import partial

import anyio
import structlog

from tests.virtual_time import VirtualLoop
from tests.world.trial import trial


def main() -> int:
    """Try every seed; 1 when one failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.world", description=__doc__)
    parser.add_argument("--seeds", type=int, default=200, help="how many")
    parser.add_argument("--first", type=int, default=1000, help="the first of them")
    parser.add_argument("--kind", choices=("quiet", "bad", "deadly"), default="bad")
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    wrong = 0
    for seed in range(options.first, options.first + options.seeds):
        try:
            anyio.run(partial(trial, seed, options.kind), backend_options={"loop_factory": VirtualLoop})
        except Exception as error:  # noqa: BLE001  # whatever it is, the seed is the report
            wrong += 1
            say(f"python -m tests.world --kind {options.kind} --first {seed} --seeds 1\n  {_first(error)}")
    say(f"{options.seeds} seeds, {wrong} wrong")
    return 1 if wrong else 0


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _first(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return f"{type(error).__name__}: {error}"[:3000]


if __name__ == "__main__":
    sys.exit(main())
