"""`python -m tests.rollouts` lives through random Rollouts, and prints the seeds that broke a promise.

--seeds 300 --first 7   one after the other
--soak --seeds 20000    in two processes, with the table that a soak is judged by
--cases                 upstream's end-to-end cases, and our tests of them
"""

from __future__ import annotations

import argparse

from tests.rollouts import cases
from tests.rollouts.soak import one, soak, told
from tests.world.soak import quiet, say


def main() -> int:
    """Try every seed; 1 when one failed (or a soak was too tame)."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.rollouts", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=200, help="how many")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    parser.add_argument("--soak", action="store_true", help="many processes, and a table")
    parser.add_argument("--processes", type=int, default=2, help="of a soak")
    parser.add_argument("--cases", action="store_true", help="print upstream's cases and our tests of them")
    options = parser.parse_args()
    if options.cases:
        say("\n".join(cases.table()))
        return 0
    quiet()
    if options.soak:
        return soak(options.seeds, options.first, options.processes)
    wrong = 0
    for seed in range(options.first, options.first + options.seeds):
        found = one(seed)
        wrong += bool(found.wrong)
        if found.wrong:
            say(told(found))
    say(f"{options.seeds} seeds, {wrong} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
