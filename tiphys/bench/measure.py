"""What one run of one scenario cost and how long things took, from the first submission to the last end."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

from tiphys.bench import exposition
from tiphys.bench.observation import Observation, percentile
from tiphys.bench.rig import Rig

SHARES = {"p50": 0.5, "p90": 0.9, "p99": 0.99}
WRITES = ("POST", "PUT", "PATCH", "DELETE")


@dataclass
class Result:
    """Numbers of one run. Times in seconds; CPU in seconds by process; what was not measured is None or absent."""

    scenario: str
    parameters: dict[str, Any]
    wall_s: float = 0.0
    workflows: int = 0
    nodes: int = 0
    failed: int = 0
    duplicates: int = 0
    cpu_s: dict[str, float] = field(default_factory=dict)
    peak_mib: dict[str, float] = field(default_factory=dict)
    requests: dict[str, float] = field(default_factory=dict)
    latencies: dict[str, dict[str, float | None]] = field(default_factory=dict)
    more: dict[str, Any] = field(default_factory=dict)
    series: dict[str, list[float]] = field(default_factory=dict)  # for the plots

    @property
    def writes(self) -> float:
        """Requests that change something, by anybody."""
        return sum(number for name, number in self.requests.items() if name.split()[0] in WRITES)

    def per_workflow_ms(self, process: str) -> float | None:
        """CPU milliseconds of a process, or of all of that kind, for each workflow."""
        return _share(self._cpu_s(process), self.workflows)

    def per_node_ms(self, process: str) -> float | None:
        """CPU milliseconds of a process, or of all of that kind, for each pod."""
        return _share(self._cpu_s(process), self.nodes)

    def _cpu_s(self, kind: str) -> float | None:
        """Several controllers are called "controller", "controller 2", and so on."""
        found = [cpu_s for name, cpu_s in self.cpu_s.items() if name.partition(" ")[0] == kind]
        return sum(found) if found else None

    def as_json(self) -> dict[str, Any]:
        """Everything but the series, with the ratios people ask for."""
        plain = asdict(self)
        plain.pop("series")
        plain["per_minute"] = self.workflows / self.wall_s * 60 if self.wall_s else None
        plain["writes_per_workflow"] = self.writes / self.workflows if self.workflows else None
        plain["writes_per_node"] = self.writes / self.nodes if self.nodes else None
        plain["controller_ms_per_workflow"] = self.per_workflow_ms("controller")
        plain["controller_ms_per_node"] = self.per_node_ms("controller")
        return plain


@asynccontextmanager
async def measured(rig: Rig, result: Result, seen: Observation) -> AsyncIterator[None]:
    """Fill `result` with what happens inside the block."""
    costs, requests, began = rig.costs(), await rig.requests(), time.monotonic()
    pods_before, ended_before = len(seen.pods), seen.finished
    yield
    result.wall_s = time.monotonic() - began
    for name, cost in rig.costs().items():
        result.cpu_s[name] = max(cost.cpu_s - costs[name].cpu_s, 0.0) if name in costs else cost.cpu_s
        result.peak_mib[name] = cost.peak_mib
    result.requests = exposition.difference(requests, await rig.requests())
    result.workflows = seen.finished - ended_before
    result.nodes = len(seen.pods) - pods_before
    result.failed, result.duplicates = seen.failed, seen.duplicates
    found = seen.latencies()
    for name, values in (("submit_to_pod", found.to_first_pod), ("hop", found.hop), ("pod_to_end", found.to_end)):
        result.latencies[name] = {label: percentile(values, share) for label, share in SHARES.items()}
        result.series[name] = values
    stalls = await rig.controller_metrics()
    result.more |= {"controller_metrics": {k: v for k, v in stalls.items() if "stall" in k or "slow" in k}}


def _share(cpu_s: float | None, number: int) -> float | None:
    return None if cpu_s is None or not number else cpu_s / number * 1000
