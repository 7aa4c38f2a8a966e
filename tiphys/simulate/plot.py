"""The picture of an update: the new version's share above, ready pods of both versions below. Needs matplotlib."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")

from matplotlib import pyplot as plt

from tiphys.simulate.timeline import Moment

NOTES_MAX = 12
NOTE_CELLS = 45  # as much as fits the height of the upper half


def draw(name: str, moments: Sequence[Moment], path: Path) -> None:
    """Write the picture; the path's suffix says in which format."""
    times = [one.at_s / 60 for one in moments]
    figure, (top, bottom) = plt.subplots(2, 1, sharex=True, figsize=(10, 7), layout="constrained")
    figure.suptitle(f"{name}: {moments[-1].phase} after {moments[-1].at_s / 60:.1f} minutes")
    if any(one.weight is not None for one in moments):
        top.step(times, [one.weight or 0 for one in moments], where="post", color="tab:blue")
        top.fill_between(times, [one.weight or 0 for one in moments], step="post", alpha=0.15)
        top.set_ylim(0, 105)
        top.set_ylabel("new version's share, %")
    for one in [each for each in moments if each.said][:NOTES_MAX]:
        top.axvline(one.at_s / 60, color="grey", linewidth=0.5)
        text = one.said[-1] if len(one.said[-1]) <= NOTE_CELLS else f"{one.said[-1][:NOTE_CELLS]}…"
        where = (one.at_s / 60, 3)
        top.annotate(text, where, rotation=90, fontsize=6, va="bottom", ha="right", color="grey", clip_on=True)
    bottom.step(times, [one.stable[0] for one in moments], where="post", label="stable, ready")
    bottom.step(times, [one.new[0] for one in moments], where="post", label="new, ready")
    bottom.step(times, [one.stable[0] + one.new[0] for one in moments], where="post", linestyle=":", label="together")
    bottom.set_ylabel("pods")
    bottom.set_ylim(bottom=0)
    bottom.set_xlabel("minutes since the update")
    bottom.legend(loc="best", fontsize=8)
    figure.savefig(path, dpi=110)
    plt.close(figure)
