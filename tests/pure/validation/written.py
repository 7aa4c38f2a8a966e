"""Small workflows in YAML, and what validation says first about them."""

from __future__ import annotations

from typing import Any

import yaml

from actors.workflow.validation import validate


def thing(spec: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    echo = {
        "name": "echo",
        "inputs": {"parameters": [{"name": "message"}]},
        "container": {"image": "busybox", "args": ["{{inputs.parameters.message}}"]},
    }
    templates = [*spec.get("templates", []), echo, {"name": "ok", "container": {"image": "busybox"}}]
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Workflow",
        "metadata": {"name": "x"} | metadata,
        "spec": {"entrypoint": "ok"} | spec | {"templates": templates},
    }


def first(spec: str) -> tuple[str, str]:
    """The path and message of the first problem of a spec in YAML."""
    problems = validate(thing(yaml.safe_load(spec)), lookup=lambda _: None)
    assert problems, "nothing was found"
    assert problems[0].severity == "error"
    return problems[0].path, problems[0].message


def first_of_template(template: str) -> str:
    """The message about a template `t` in YAML."""
    return first(yaml.dump({"templates": [{"name": "t"} | yaml.safe_load(template)]}))[1]


def first_of_steps(steps: str) -> str:
    """The message about a template `t` with these groups of steps in YAML."""
    return first_of_template(yaml.dump({"steps": yaml.safe_load(steps)}))


def first_of_dag(tasks: str) -> str:
    """The message about a template `t` with these tasks in YAML."""
    return first_of_template(yaml.dump({"dag": {"tasks": yaml.safe_load(tasks)}}))
