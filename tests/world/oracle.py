"""What a workflow must come to, computed by a plain recursion that shares nothing with the engine.

It runs everything in one go, without time: an outcome is a function of a node's name. Phases of DAGs come from the walk
over the finished graph that the specification describes, with the edges drawn as it describes them.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable
from typing import Any

Outcomes = Callable[[str], str]
"""Name of a pod's node -> Succeeded, Failed or Error."""

COMPLETED = ("Succeeded", "Failed", "Error")
BAD = ("Failed", "Error")


class Oracle:
    """One workflow's prediction: `phases` by node name, then `end`."""

    def __init__(self, spec: dict[str, Any], outcomes: Outcomes) -> None:
        self.spec = spec
        self.templates = {template["name"]: template for template in spec["templates"]}
        self.outcomes = outcomes
        self.phases: dict[str, str] = {}
        self.types: dict[str, str] = {}
        self.children: dict[str, list[str]] = {}
        self.outbound: dict[str, list[str]] = {}

    def end(self) -> str:
        """The workflow's phase."""
        phase = self.call("w", self.spec["entrypoint"])
        if "onExit" in self.spec:
            left = self.call("w.onExit", self.spec["onExit"])
            if phase == "Succeeded" and left in BAD:
                return left
        return phase

    def note(self, name: str, kind: str, phase: str, outbound: list[str] | None = None) -> str:
        self.types[name], self.phases[name] = kind, phase
        self.outbound[name] = [name] if outbound is None else outbound
        self.children.setdefault(name, [])
        return phase

    def edge(self, parents: list[str], child: str) -> None:
        for parent in parents:
            kept = self.children.setdefault(parent, [])
            if child not in kept:
                kept.append(child)

    # --------------------------------------------------------------------------------------- calls

    def call(self, name: str, template_name: str, *, attempt: bool = False) -> str:
        template = self.templates[template_name]
        if "retryStrategy" in template and not attempt:
            return self.retry(name, template)
        if "steps" in template:
            return self.steps(name, template)
        if "dag" in template:
            return self.dag(name, template["dag"])
        if "suspend" in template:
            return self.note(name, "Suspend", "Succeeded")
        return self.note(name, "Pod", self.outcomes(name))

    def retry(self, name: str, template: dict[str, Any]) -> str:
        strategy = template["retryStrategy"]
        again = {"Always": BAD, "OnError": ("Error",)}.get(strategy.get("retryPolicy", ""), ("Failed",))
        phase, last = "", ""
        for number in range(int(strategy["limit"]) + 1):
            last = f"{name}({number})"
            self.edge([name], last)
            phase = self.call(last, template["name"], attempt=True)
            if phase not in again:
                break
        return self.note(name, "Retry", phase, [last])

    def site(self, name: str, step: dict[str, Any], parents: list[str]) -> str:
        """One call with its condition and its exit handler."""
        self.edge(parents, name)
        if step.get("when") == "false":
            return self.note(name, "Skipped", "Skipped")
        phase = self.call(name, step["template"])
        if "hooks" in step and phase in COMPLETED:
            self.edge([name], f"{name}.onExit")
            self.call(f"{name}.onExit", step["hooks"]["exit"]["template"])
            if self.types[name] == "Retry":
                self.outbound[name] = [f"{name}.onExit"]
        return phase

    def steps(self, name: str, template: dict[str, Any]) -> str:
        follows = [name]
        for index, group in enumerate(template["steps"]):
            here = f"{name}[{index}]"
            self.edge(follows, here)
            phase, ends = "Succeeded", []
            for step in group:
                for call in self.items(f"{here}.{step['name']}", step):
                    if self.excused(step, self.site(call, step, [here])):
                        phase = "Failed"
                    ends += self.outbound[call]
            self.note(here, "StepGroup", phase, ends or [here])
            follows = ends or [here]
            if phase == "Failed":
                return self.note(name, "Steps", "Failed", follows)
        return self.note(name, "Steps", "Succeeded", follows)

    def items(self, name: str, step: dict[str, Any]) -> list[str]:
        if "withItems" not in step:
            return [name]
        return [f"{name}({index}:{item})" for index, item in enumerate(step["withItems"])]

    def excused(self, step: dict[str, Any], phase: str) -> bool:
        """Whether a phase is a failure that the step does not forgive."""
        proceed = step.get("continueOn", {})
        return (phase == "Failed" and not proceed.get("failed")) or (phase == "Error" and not proceed.get("error"))

    # --------------------------------------------------------------------------------------- dags

    def dag(self, name: str, dag: dict[str, Any]) -> str:
        tasks = {task["name"]: task for task in dag["tasks"]}  # written in an order that fits
        needed: set[str] = set()
        for task in dag["tasks"]:
            needs = sorted(set(re.findall(r"T\d+", task.get("depends", ""))))
            needed |= set(needs)
            full = f"{name}.{task['name']}"
            parents = [end for need in needs for end in self.outbound[f"{name}.{need}"]] or [name]
            if not self.depends(name, task):
                self.edge(parents, full)
                self.note(full, "Skipped", "Omitted")
            elif "withItems" in task:
                self.edge(parents, full)
                self.loop(full, task)
            else:
                self.site(full, task, parents)
        targets = sorted(task for task in tasks if task not in needed)
        ends = [end for target in targets for end in self.outbound[f"{name}.{target}"]]
        return self.note(name, "DAG", self.verdict(name, [f"{name}.{target}" for target in targets]), ends)

    def depends(self, name: str, task: dict[str, Any]) -> bool:
        def holds(found: re.Match[str]) -> str:
            phase = self.phases[f"{name}.{found[1]}"]
            wanted = {"Errored": ("Error",), "": ("Succeeded", "Skipped")}.get(found[2] or "", (found[2] or "",))
            return str(phase in wanted)

        text = re.sub(r"(T\d+)(?:\.(\w+))?", holds, task.get("depends") or "True")
        return bool(eval(text.replace("&&", " and ").replace("||", " or ")))  # our own True and False

    def loop(self, name: str, task: dict[str, Any]) -> None:
        calls = self.items(name, task)
        bad = [phase for call in calls if (phase := self.site(call, task, [name])) in BAD]
        ends = [end for call in calls for end in self.outbound[call]]
        self.note(name, "TaskGroup", bad[-1] if bad else "Succeeded", ends)

    def verdict(self, dag: str, targets: list[str]) -> str:
        found: dict[str, set[str]] = {target: set() for target in targets}
        queue = deque((child, "Succeeded") for child in self.children.get(dag, ()))
        seen = set(queue)
        while queue:
            node, branch = queue.popleft()
            branch = self.phases[node] if self.phases[node] in COMPLETED else branch
            if node in found:
                found[node].add(branch)
            for step in [(child, branch) for child in self.children[node]]:
                if step not in seen:
                    seen.add(step)
                    queue.append(step)
        for target in targets:  # of several failures that reach one target, Failed decides (upstream: the first met)
            bad = [phase for phase in BAD if phase in found[target]]
            if bad:
                return bad[0]
        return "Succeeded"
