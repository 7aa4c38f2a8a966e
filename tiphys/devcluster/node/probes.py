"""Probes: when to ask, and what a run of answers means. The asking itself is the runtime's.

`judge` is the kubelet's threshold rule as a plain function; `watch_container` is the loop around it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import anyio

from runtime.objects import Object
from tiphys.devcluster.node.containers import Process

Verdict: TypeAlias = Literal["unknown", "success", "failure"]
ProbeKind: TypeAlias = Literal["readinessProbe", "livenessProbe", "startupProbe"]


@dataclass(frozen=True, slots=True)
class Probe:
    """A probe as written, with Kubernetes' defaults."""

    action: Object  # the body: exec, httpGet, tcpSocket
    delay_s: float
    period_s: float
    timeout_s: float
    successes: int
    failures: int


@dataclass(frozen=True, slots=True)
class Answers:
    """The last answers: how many of the same kind in a row, and what they amount to."""

    good: bool = True
    count: int = 0
    verdict: Verdict = "unknown"


def parse_probe(body: Object) -> Probe:
    """Read a probe; absent numbers take Kubernetes' defaults."""
    return Probe(
        action=body,
        delay_s=float(body.get("initialDelaySeconds") or 0),
        period_s=float(body.get("periodSeconds") or 10),
        timeout_s=float(body.get("timeoutSeconds") or 1),
        successes=int(body.get("successThreshold") or 1),
        failures=int(body.get("failureThreshold") or 3),
    )


def judge(probe: Probe, answers: Answers, *, good: bool) -> Answers:
    """Take in one answer: the verdict changes when a threshold of equal answers in a row is reached."""
    count = answers.count + 1 if good == answers.good else 1
    verdict = answers.verdict
    if count >= (probe.successes if good else probe.failures):
        verdict = "success" if good else "failure"
    return replace(answers, good=good, count=count, verdict=verdict)


Hear: TypeAlias = Callable[[ProbeKind, Verdict, str], None]
"""Called with a probe's kind, its verdict after an answer and the failure in words (empty when it went well)."""


async def run_probe(kind: ProbeKind, probe: Probe, process: Process, hear: Hear) -> None:
    """Ask again and again until cancelled; a startup probe ends with its first success."""
    answers = Answers()
    await anyio.sleep(probe.delay_s)
    while True:
        failure = await process.probe(probe.action, probe.timeout_s)
        answers = judge(probe, answers, good=not failure)
        hear(kind, answers.verdict, failure)
        if kind == "startupProbe" and answers.verdict == "success":
            return
        await anyio.sleep(probe.period_s)


async def watch_container(body: Object, process: Process, hear: Hear) -> None:
    """Run a container's probes as the kubelet does: the startup probe first, then the others side by side."""
    if startup := body.get("startupProbe"):
        await run_probe("startupProbe", parse_probe(startup), process, hear)
    async with anyio.create_task_group() as tasks:
        for kind in ("readinessProbe", "livenessProbe"):
            if probe := body.get(kind):
                tasks.start_soon(run_probe, kind, parse_probe(probe), process, hear)
