"""Findings for other programs: a JSON list, or SARIF as code hosts and editors read it. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import PurePath
from typing import Any, Final

from tiphys.cli.lint import RULES, Finding, Report
from tiphys.cli.lint_remedies import remedy_for

SCHEMA: Final = "https://json.schemastore.org/sarif-2.1.0.json"


def as_json(found: Sequence[Report]) -> str:
    """One object a finding: file, line, column (0: not known), rule, severity, object, field, message, remedy."""
    entries = [_entry(finding) for report in found for finding in report.findings]
    return json.dumps(entries, indent=2, ensure_ascii=False)


def as_sarif(found: Sequence[Report]) -> str:
    """A SARIF 2.1.0 log with one run."""
    rules = [{"id": name, "shortDescription": {"text": text}} for name, text in RULES.items()]
    driver = {"name": "tiphys lint", "rules": rules}
    results = [_result(finding) for report in found for finding in report.findings]
    log = {"$schema": SCHEMA, "version": "2.1.0", "runs": [{"tool": {"driver": driver}, "results": results}]}
    return json.dumps(log, indent=2, ensure_ascii=False)


def _entry(finding: Finding) -> dict[str, Any]:
    problem = finding.problem
    return {
        "file": problem.source,
        "line": problem.line,
        "column": problem.column,
        "rule": finding.rule,
        "severity": _severity(finding),
        "object": problem.object,
        "field": finding.path,
        "message": problem.message,
        "remedy": finding.remedy or remedy_for(problem.message),
    }


def _result(finding: Finding) -> dict[str, Any]:
    problem = finding.problem
    text = ": ".join(part for part in (problem.object, problem.message) if part)
    place: dict[str, Any] = {"artifactLocation": {"uri": PurePath(problem.source).as_posix()}}
    if problem.line:
        column = {"startColumn": problem.column} if problem.column else {}
        place["region"] = {"startLine": problem.line, **column}
    return {
        "ruleId": finding.rule,
        "level": _severity(finding),
        "message": {"text": text},
        "locations": [{"physicalLocation": place}],
        "properties": {"field": finding.path, "remedy": finding.remedy or remedy_for(problem.message)},
    }


def _severity(finding: Finding) -> str:
    return "error" if finding.error else "warning"
