"""Every series is listed, bounded, and the only thing that dashboards, rules and pages speak of."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from actors import upstream_metrics
from actors.cron import metrics as cron_metrics
from actors.node.manifest_request import PodSettings
from runtime.clock import SystemClock
from runtime.messages import Address, Measure
from runtime.system import Settings, System
from tests.e2e.conftest import ROOT
from tiphys.controllers import METRICS, ControllerSettings, rooms
from tiphys.devcluster.inprocess import InProcessApi
from tiphys.devcluster.server import ApiServer
from tiphys.observability import alerts, dashboards, own
from tiphys.observability.gauges import exposition, measured
from tiphys.observability.probe import Probe
from tiphys.observability.registry import registry, scraped

NAME = re.compile(r"[a-z_][a-z0-9_]*")
RUNS = 10_000


def system() -> System:
    """A controller over an empty API; it is never run."""
    server = ApiServer()
    server.start()
    settings = ControllerSettings(pods=PodSettings(executor_image="x"))
    chosen = Settings(metrics=METRICS, metrics_prefix="tiphys_", series=settings.series)
    return System(InProcessApi(server), rooms(settings), settings=chosen)


def samples(text: str) -> dict[str, int]:
    """How many series of each name there are; those of a histogram count once for each set of labels."""
    found: dict[str, int] = {}
    for line in text.splitlines():
        if line and not line.startswith("#") and "_bucket{" not in line:
            name = line.split("{")[0].split(" ")[0]
            found[name] = found.get(name, 0) + 1
    return found


def test_every_series_that_a_controller_shows_is_listed() -> None:
    known = {name for entry in registry() for name in scraped(entry)}
    shown = samples(exposition(system(), 0.0).decode())

    assert set(shown) <= known
    assert {"tiphys_messages_total", "argo_workflows_version", "process_cpu_seconds_total"} <= set(shown)


def test_names_are_unique_and_say_something() -> None:
    names = [entry.name for entry in registry()]

    assert len(names) == len(set(names))
    assert all(entry.metric.help.endswith((".", ")")) for entry in registry())


def after_runs(number: int) -> System:
    """A controller that has measured so many runs, each with names of its own."""
    made = system()
    for at in range(number):
        for measure in of_run(at):
            if measure.declared is not None:
                made.series.measure(measure)
            else:
                made.metrics.measure(measure.name, measure.value, measure.labels)
    return made


def of_run(at: int) -> list[Measure]:
    name, namespace = f"w{at}", f"n{at % 3000}"
    cron = Address("cron", namespace, name, "u")
    event = (("namespace", namespace), ("name", name), ("type", "Normal"), ("reason", "RolloutUpdated"))
    return [
        upstream_metrics.entered("Running", namespace),
        upstream_metrics.entered("Succeeded", namespace),
        upstream_metrics.pod_entered("Succeeded", namespace),
        upstream_metrics.pod_waits("ContainerCreating", namespace),
        upstream_metrics.template_triggered(name, namespace, "Succeeded", cluster=False),
        upstream_metrics.template_took(name, namespace, 1.0, cluster=False),
        upstream_metrics.lock_taken(f"{namespace}/Mutex/{name}"),
        cron_metrics.triggered(cron),
        cron_metrics.policy_triggered(cron, "Forbid"),
        measured(own.LOCKS_HELD, 1, "mutex", "configmap", name, namespace),
        Measure("rollout_events_total", 1.0, event),
        Measure("rollout_duration_seconds", 1.0, (("status", "Promoted"),)),
    ]


def test_after_ten_thousand_runs_there_are_no_more_series_than_the_registry_says() -> None:
    shown = samples(exposition(after_runs(RUNS), 0.0).decode())
    most = {name: entry.most for entry in registry() for name in scraped(entry)}

    assert shown["rollout_events_total"] == shown["argo_workflows_total_count"] == 1000
    assert [name for name, number in shown.items() if number > most[name]] == []


def test_the_latest_of_too_many_series_is_kept() -> None:
    text = exposition(after_runs(2000), 0.0).decode()

    assert 'name="w1999"' in text
    assert 'name="w0"' not in text


def metrics_in(expr: str) -> set[str]:
    """The names in an expression that are no function, keyword or label."""
    plain = re.sub(r"\{[^}]*\}|\[[^]]*\]|\"[^\"]*\"|\b(by|ignoring|on)\s*\([^)]*\)", "", expr)
    words = {match[0] for match in NAME.finditer(plain) if not plain[match.end() :].lstrip().startswith("(")}
    return words - {"by", "ignoring", "e"}


def test_dashboards_and_alerts_speak_of_listed_series_alone() -> None:
    known = {name for entry in registry() for name in scraped(entry)}
    boards: list[dict[str, Any]] = [json.loads(text) for text in dashboards.files().values()]
    exprs = [target["expr"] for board in boards for panel in board["panels"] for target in panel["targets"]]

    assert len(exprs) > 30
    for expr in (*exprs, *(alert.expr for alert in alerts.ALERTS)):
        assert metrics_in(expr), expr
        assert metrics_in(expr) <= known, expr


def test_panels_do_not_overlap() -> None:
    for text in dashboards.files().values():
        places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in json.loads(text)["panels"]]
        assert len(places) == len(set(places))


@pytest.mark.parametrize("alert", alerts.ALERTS, ids=lambda alert: alert.name)
def test_every_alert_has_a_page_that_begins_with_a_command_of_ours(alert: alerts.Alert) -> None:
    text = Path(ROOT, alert.page).read_text()
    (first, *_) = re.findall(r"^```\n(.*?)\n```$", text, flags=re.MULTILINE | re.DOTALL)

    assert text.startswith(f"# {alert.name}: ")
    assert first.startswith(("tiphys explain", "tiphys check"))


def test_every_page_is_some_alerts() -> None:
    there = {path.stem for path in Path(ROOT, alerts.RUNBOOKS).glob("*.md")}

    assert there == {alert.name for alert in alerts.ALERTS}


@pytest.mark.virtual_time
async def test_the_probe_says_how_old_the_oldest_message_is() -> None:
    made = system()
    probe = Probe(made, SystemClock())

    await probe.once()  # nobody reads: the system does not run
    first = made.metrics.value(own.OLDEST_MESSAGE.name)
    await probe.once()
    assert made.metrics.value(own.OLDEST_MESSAGE.name) > first > 0
    assert made.metrics.value(own.LOOP_DELAY.name) == 2
    assert made.metrics.value(own.MESSAGE_DELAY.name) == 0
