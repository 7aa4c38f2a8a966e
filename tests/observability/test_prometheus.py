"""A real Prometheus reads what a controller shows, and its promtool takes the rules and sees the alerts fire."""

from __future__ import annotations

import json
import socket
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest
import yaml

from tests.machine import prometheus_program
from tests.observability.test_registry import system
from tiphys.controller.health import answering
from tiphys.installation.files import FOLDER
from tiphys.observability.alerts import ALERTS
from tiphys.observability.registry import registry, scraped

PROMTOOL, PROMETHEUS = prometheus_program("promtool"), prometheus_program("prometheus")
RULES = FOLDER / "prometheus" / "rules.yaml"
WHERE = "is not here (Debian's package prometheus has it; TIPHYS_PROMETHEUS names a folder)"
needs_promtool = pytest.mark.skipif(PROMTOOL is None, reason=f"promtool {WHERE}")
needs_prometheus = pytest.mark.skipif(PROMETHEUS is None, reason=f"prometheus {WHERE}")
UP_S = 30


def promtool(*arguments: str) -> str:
    done = subprocess.run([str(PROMTOOL), *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@needs_promtool
def test_promtool_takes_the_rules() -> None:
    assert f"{len(ALERTS)} rules found" in promtool("check", "rules", str(RULES))


FIRING: dict[str, tuple[str, str]] = {
    "TiphysNobodyLeads": ('tiphys_leader{lease="l"}', "0x60"),
    "TiphysWatchSilent": ('tiphys_cache_silent_seconds{resource="pods",selector=""}', "500x60"),
    "TiphysMessagesOld": ("tiphys_oldest_message_seconds", "11x60"),
    "TiphysThrottled": ('tiphys_commands_total{outcome="throttled"}', "0+120x60"),
    "TiphysQuarantined": ('tiphys_objects_quarantined{room="node"}', "1x60"),
    "TiphysObjectsStuck": ('tiphys_objects_stuck{kind="Pod"}', "2x60"),
    "TiphysCronLate": ("tiphys_cron_late_seconds", "200x60"),
    "TiphysRestarts": ('tiphys_supervised_restarts_total{task="informers"}', "0+1x60"),
}
"""For an alert: a series, and its values minute by minute."""


@needs_promtool
@pytest.mark.parametrize("name", FIRING)
def test_an_alert_fires_when_what_it_is_about_is_so(name: str, tmp_path: Path) -> None:
    series, values = FIRING[name]
    others = [{"series": "tiphys_messages_total", "values": "0+1x60"}]
    quiet = [] if name == "TiphysNobodyLeads" else [{"series": 'tiphys_leader{lease="l"}', "values": "1x60"}]
    test = {
        "interval": "1m",
        "input_series": [{"series": series, "values": values}, *others, *quiet],
        "promql_expr_test": [{"expr": f'count(ALERTS{{alertname="{name}",alertstate="firing"}})', "eval_time": "45m"}],
    }
    test["promql_expr_test"][0]["exp_samples"] = [{"labels": "{}", "value": 1}]  # type: ignore[index]
    path = tmp_path / "test.yaml"
    path.write_text(yaml.safe_dump({"rule_files": [str(RULES)], "evaluation_interval": "1m", "tests": [test]}))

    promtool("test", "rules", str(path))


@needs_promtool
def test_nothing_fires_while_all_is_well(tmp_path: Path) -> None:
    well = {'tiphys_leader{lease="l"}': "1x60", "tiphys_messages_total": "0+100x60", "tiphys_cron_late_seconds": "0x60"}
    test = {
        "interval": "1m",
        "input_series": [{"series": series, "values": values} for series, values in well.items()],
        "promql_expr_test": [{"expr": "ALERTS", "eval_time": "50m"}],
    }
    path = tmp_path / "test.yaml"
    path.write_text(yaml.safe_dump({"rule_files": [str(RULES)], "evaluation_interval": "1m", "tests": [test]}))

    promtool("test", "rules", str(path))


@contextmanager
def prometheus(target: str, folder: Path) -> Iterator[str]:
    """A Prometheus that scrapes `target` once a second; its URL."""
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(RULES)],
        "scrape_configs": [{"job_name": "tiphys", "static_configs": [{"targets": [target]}]}],
    }
    path = folder / "prometheus.yml"
    path.write_text(yaml.safe_dump(config))
    port = free_port()
    command = [str(PROMETHEUS), f"--config.file={path}", f"--storage.tsdb.path={folder / 'data'}"]
    command += [f"--web.listen-address=127.0.0.1:{port}", "--log.level=error"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as started:
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            started.terminate()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def asked(url: str, path: str, **query: str) -> Any:
    """What Prometheus answers; None while it does not."""
    try:
        with urllib.request.urlopen(f"{url}{path}?{urllib.parse.urlencode(query)}", timeout=5) as answer:
            return json.loads(answer.read())["data"]
    except (OSError, urllib.error.URLError):
        return None


@needs_prometheus
async def test_a_real_prometheus_scrapes_a_controller_and_evaluates_its_rules(tmp_path: Path) -> None:
    async with answering(system(), "127.0.0.1", 0) as target:
        with prometheus(target.removeprefix("http://"), tmp_path) as url, anyio.fail_after(UP_S):

            async def ask(path: str, **query: str) -> Any:
                return await anyio.to_thread.run_sync(lambda: asked(url, path, **query))

            while not ((await ask("/api/v1/query", query="up == 1")) or {}).get("result"):  # noqa: ASYNC110  a process
                await anyio.sleep(0.1)
            names = set(await ask("/api/v1/label/__name__/values"))
            rules = await ask("/api/v1/rules")

    known = {name for entry in registry() for name in scraped(entry)}
    assert {"tiphys_messages_total", "argo_workflows_version", "process_cpu_seconds_total"} <= names
    assert {name for name in names if not name.startswith(("scrape_", "up", "ALERTS"))} <= known
    assert len(rules["groups"][0]["rules"]) == len(ALERTS)
