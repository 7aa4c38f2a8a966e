"""Reports say what was measured, and say so where nothing was."""

from __future__ import annotations

import json
from pathlib import Path

from tiphys.bench import exposition, report
from tiphys.bench.measure import Result

REQUESTS = """# TYPE apiserver_request_total counter
apiserver_request_total{verb="POST",resource="pods",code="201"} 3
apiserver_request_total{verb="POST",resource="pods",code="409"} 1
apiserver_request_total{verb="GET",resource="pods",code="200"} 7
other_total 5
"""


def result(**more: object) -> Result:
    made = Result("S3", {"size": 10}, wall_s=2.0, workflows=10, nodes=100)
    for name, value in more.items():
        setattr(made, name, value)
    return made


def test_requests_are_counted_by_verb_and_resource_whatever_their_answer() -> None:
    assert exposition.requests(REQUESTS) == {"POST pods": 4.0, "GET pods": 7.0}


def test_a_difference_keeps_only_what_changed() -> None:
    assert exposition.difference({"a": 1.0, "b": 2.0}, {"a": 1.0, "b": 5.0, "c": 1.0}) == {"b": 3.0, "c": 1.0}


def test_reads_do_not_count_as_writes() -> None:
    assert result(requests={"POST pods": 4.0, "GET pods": 7.0, "PATCH pods": 2.0}).writes == 6.0


def test_what_was_not_measured_says_so() -> None:
    head, row = report.rows([result()])
    assert row[head.index("controller ms/wf")] == report.NOT_MEASURED
    assert row[head.index("writes/wf")] == report.NOT_MEASURED


def test_cpu_is_told_per_workflow_and_per_pod() -> None:
    made = result(cpu_s={"controller": 0.5})
    assert (made.per_workflow_ms("controller"), made.per_node_ms("controller")) == (50.0, 5.0)


def test_ratios_are_of_medians() -> None:
    first = [result(wall_s=wall) for wall in (1.0, 2.0, 9.0)]
    second = [result(wall_s=wall) for wall in (4.0, 4.0, 100.0)]
    assert report.ratios(first, second)["wall_s"] == 2.0


def test_a_report_names_machine_date_versions_and_command(tmp_path: Path) -> None:
    (path, *_) = report.write(tmp_path / "new", [result()], ["tiphys", "bench", "S3"])
    told = json.loads(path.read_text())
    assert told["circumstances"]["command"] == ["tiphys", "bench", "S3"]
    assert {"date", "python", "platform", "cores", "tiphys"} <= set(told["circumstances"])
    assert told["results"][0]["per_minute"] == 300.0
