"""Pictures of one run: how many workflows had ended by when, and how latencies are spread. Needs matplotlib."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")

from matplotlib import pyplot as plt

from tiphys.bench.measure import Result

TITLES = {
    "submit_to_pod": "submitted to first pod",
    "update": "update to healthy",
    "hop": "pod finished to next pod",
    "pod_to_end": "last pod to workflow's end",
}


def run(result: Result, path: Path) -> None:
    """Write the picture of a result as PNG."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
    size = ", ".join(f"{name} {value}" for name, value in result.parameters.items())
    figure.suptitle(f"{result.scenario} ({size}): {result.workflows} workflows, {result.nodes} pods")
    ended = result.series.get("ended", [])
    left.step(ended, range(1, len(ended) + 1), where="post")
    left.set_xlabel("seconds since the first submission")
    left.set_ylabel("workflows ended")
    for name, title in TITLES.items():
        values = sorted(result.series.get(name, []))
        if values:
            shares = [(at + 1) / len(values) for at in range(len(values))]
            right.plot([value * 1000 for value in values], shares, label=title)
    right.set_xscale("log")
    right.set_xlabel("milliseconds")
    right.set_ylabel("share")
    right.grid(visible=True, alpha=0.3)
    if right.lines:
        right.legend()
    figure.savefig(path, dpi=110)
    plt.close(figure)
