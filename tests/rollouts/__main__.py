"""`python -m tests.rollouts --seeds 1000` lives through random Rollouts, and prints the seeds that broke a promise."""

from __future__ import annotations

import argparse
import logging

import anyio
import structlog

from tests.rollouts.trial import trial
from tests.virtual_time import VirtualLoop


def main() -> int:
    """Try every seed; 1 when one failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.rollouts", description=__doc__)
    parser.add_argument("--seeds", type=int, default=200, help="how many")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    wrong = 0
    for seed in range(options.first, options.first + options.seeds):
        found = anyio.run(trial, seed, backend_options={"loop_factory": VirtualLoop})
        if found.wrong:
            wrong += 1
            print(f"seed {seed} ({found.kind}, {found.actions}):\n  " + "\n  ".join(found.wrong), flush=True)  # noqa: T201  a program for people
    print(f"{options.seeds} seeds, {wrong} wrong")  # noqa: T201  likewise
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
