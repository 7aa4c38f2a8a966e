"""What a workflow must come to, computed by a plain recursion that shares nothing with the engine.

It runs everything in one go, without time: an outcome is a function of a node's name. Phases of DAGs come from the walk
over the finished graph that the specification describes, with the edges drawn as it describes them.
"""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from tests.world.further_flows import UNREADABLE_LOOP, UNREADABLE_WHEN
from tests.world.oracle_strategies import BAD, has_time, policy_allows, tried_again, unreadable

FAR_S = 100_000  # a deadline that is not met, if it is no longer than that
COMPLETED = ("Succeeded", "Failed", "Error")
ENGINE = "engine"  # how a node has ended that the engine could not run
TIMED_OUT = "timeout"  # how a node has failed whose pod never began
MADE_BY = re.compile(r"\{\{(steps|tasks)\.(\w+)\.outputs\.(?:parameters\.p|result)\}\}")
DEFAULT = "x"  # of the input `m` of every template that has one


@dataclass(frozen=True)
class Expected:
    """What is to be true of one node."""

    name: str
    type: str
    kind: str = ""  # of its template: sure (never fails), slow (may never start), daemon, ask (waits for a user)
    template: str = ""
    boundary: str = ""  # the composite it counts in
    locks: tuple[tuple[str, str], ...] = ()  # key, and the node that holds it: itself, its Retry node, a composite
    value: str | None = None  # of its input parameter m
    step: bool = False  # called by a group of steps: if its actor crashes, that group is an Error, not a failure


Outcomes = Callable[[Expected], str]
"""A pod's node, or a suspended one that a user resumes -> Succeeded, Failed or Error.

`Failed/2`: and how, by an exit code; or `transient`."""
Made = Callable[[str], str]
"""A node's name -> the value of its output parameter p, and of its result."""


@dataclass(frozen=True)
class Place:
    """Where a call stands."""

    boundary: str = ""
    value: str | None = None
    retried: bool = False  # by a Retry node
    locks: tuple[tuple[str, str], ...] = ()
    step: bool = False


def lock_names(owner: dict[str, Any]) -> list[str]:
    """The locks that a template, or a workflow, wants: of a mutex its name, of a semaphore its key."""
    entries = [entry for found in (owner.get("synchronization") or {}).values() for entry in found]
    return [entry.get("name") or entry["configMapKeyRef"]["key"] for entry in entries]


def unread(step: dict[str, Any]) -> bool:
    """Whether a step's list is none as it is written: bad JSON, or what another makes where the condition is false."""
    listed = step.get("withParam", "")
    return listed == UNREADABLE_LOOP or (step.get("when") == "false" and listed.startswith("{{"))


class Oracle:
    """One workflow's prediction: `phases` by node name, then `end`."""

    def __init__(
        self, spec: dict[str, Any], outcomes: Outcomes, *, name: str = "w", made: Made = str, library: Any = ()
    ) -> None:
        self.spec = spec
        self.name = name
        self.templates = {template["name"]: template for template in spec["templates"]}
        self.templates |= {f"library/{template['name']}": template for template in library}
        self.outcomes = outcomes
        self.made = made
        self.phases: dict[str, str] = {}
        self.types: dict[str, str] = {}
        self.hows: dict[str, str] = {}
        self.children: dict[str, list[str]] = {}
        self.outbound: dict[str, list[str]] = {}
        self.nodes: dict[str, Expected] = {}
        self.limits: dict[str, int] = {}  # of composites: how many of their calls may have a live pod
        self.hurries = spec.get("activeDeadlineSeconds", FAR_S) < FAR_S
        self.vague = self.hurries  # what runs depends on who is first

    def end(self) -> str:
        """The workflow's phase."""
        hooks = self.spec.get("hooks") or {}
        fired = [f"{self.name}.hooks.running"] if "running" in hooks else []
        if fired:
            self.call(fired[0], hooks["running"]["template"])
        phase = self.call(self.name, self.spec["entrypoint"])
        if "over" in hooks and phase == "Succeeded":
            fired.append(f"{self.name}.hooks.over")
            self.call(fired[-1], hooks["over"]["template"])
        for hook in fired:
            self.edge([self.name], hook)
        if "onExit" in self.spec:
            left = self.call(f"{self.name}.onExit", self.spec["onExit"])
            cannot_run = self.hows.get(f"{self.name}.onExit") == ENGINE  # whatever came before it (EXIT-5)
            if cannot_run or (phase == "Succeeded" and left in BAD):
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

    def call(self, name: str, template_name: str, place: Place = Place()) -> str:
        template = self.templates[template_name]
        if not place.retried:
            place = replace(place, locks=(*place.locks, *((key, name) for key in lock_names(template))))
        strategy = template.get("retryStrategy", self.spec.get("retryStrategy"))
        if strategy is not None and not place.retried:
            return self.retry(name, template_name, strategy, place)
        if "parallelism" in template:
            self.limits[name] = template["parallelism"]
        inside = Place(boundary=name, locks=place.locks)
        if "steps" in template:
            return self.closed(name, template, self.steps(name, template, inside, template_name))
        if "dag" in template:
            return self.closed(name, template, self.dag(name, template["dag"], inside))
        kind = (template.get("metadata") or {}).get("annotations", {}).get("kind", "")
        kind = "ask" if "suspend" in template and not template["suspend"] else kind
        type_ = "Suspend" if "suspend" in template else "Pod"
        known = Expected(name, type_, kind, template["name"], place.boundary, place.locks, place.value, place.step)
        self.nodes[name] = known
        ended = "Succeeded" if type_ == "Suspend" and kind != "ask" else self.outcomes(known)
        phase, _, self.hows[name] = ended.partition("/")
        return self.note(name, type_, phase, self.containers(name, template, phase))

    def containers(self, name: str, template: dict[str, Any], phase: str) -> list[str]:
        """What follows the node of a pod hangs on: its set's containers on which no other one depends, or itself."""
        found = (template.get("containerSet") or {}).get("containers", ())
        needed = {need for each in found for need in each.get("dependencies", ())}
        for each in found:
            self.note(f"{name}.{each['name']}", "Container", phase)
            self.edge([f"{name}.{need}" for need in each.get("dependencies", ())] or [name], f"{name}.{each['name']}")
        return [f"{name}.{each['name']}" for each in found if each["name"] not in needed] or [name]

    def closed(self, name: str, template: dict[str, Any], phase: str) -> str:
        """After a failure in a template that fails fast nobody begins any more: who did by then, only time says."""
        below = [each for text, each in self.phases.items() if text.startswith((f"{name}.", f"{name}["))]
        self.vague = self.vague or (bool(template.get("failFast")) and any(each in BAD for each in below))
        return phase

    def retry(self, name: str, template_name: str, strategy: dict[str, Any], place: Place) -> str:
        strategy = json.loads(json.dumps(strategy).replace("{{inputs.parameters.n}}", "2"))
        strategy = json.loads(json.dumps(strategy).replace("{{inputs.parameters.p}}", "some"))
        if unreadable(strategy):
            last = f"{name}(0)"
            self.edge([name], last)
            phase = self.call(last, template_name, replace(place, retried=True, step=False))
            return self.note(name, "Retry", "Error" if phase in BAD else phase, [last])
        phase, last = "", ""
        for number in range(int(strategy.get("limit", 1000)) + 1):
            last = f"{name}({number})"
            self.edge([name], last)
            phase = self.call(last, template_name, replace(place, retried=True, step=False))
            if not tried_again(strategy, phase, self.hows.get(last, "")):
                break
        if self.hows.get(last) == ENGINE and not policy_allows(strategy, phase, ENGINE) and has_time(strategy):
            self.hows[name] = ENGINE  # what the attempt had to say is the last word
        return self.note(name, "Retry", phase, [last])

    def site(self, name: str, step: dict[str, Any], parents: list[str], place: Place, scope: str = "") -> str:
        """One call with its condition and its hooks."""
        self.edge(parents, name)
        if step.get("when") == "false":
            return self.note(name, "Skipped", "Skipped")
        if step.get("when") == UNREADABLE_WHEN:
            looped = {"withItems", "withParam", "withSequence"} & step.keys()
            return self.never_ran(name, {} if place.step or looped else step, place)
        library = "library/" if "templateRef" in step or scope.startswith("library/") else ""
        called = step["templateRef"]["template"] if "templateRef" in step else step["template"]
        phase = self.call(name, library + called, place)
        self.followed(name, step, phase, place, library)
        return phase

    def never_ran(self, name: str, step: dict[str, Any], place: Place) -> str:
        """A call that cannot be read: an Error that a task's exit handler may still leave."""
        phase = self.note(name, "Skipped", "Error")
        self.followed(name, step, phase, place, "")
        return phase

    def followed(self, name: str, step: dict[str, Any], phase: str, place: Place, library: str) -> None:
        for hook, entry in step.get("hooks", {}).items():
            leaving = hook == "exit"
            if phase in COMPLETED if leaving else phase == "Succeeded":
                full = f"{name}.onExit" if leaving else f"{name}.hooks.{hook}"
                self.edge([name], full)
                self.call(full, library + entry["template"], replace(place, value=None, step=False))
                if self.types[name] == "Retry":
                    self.outbound[name] = [full]

    def steps(self, name: str, template: dict[str, Any], place: Place, scope: str) -> str:
        follows = [name]
        for index, group in enumerate(template["steps"]):
            here = f"{name}[{index}]"
            self.edge(follows, here)
            phase, decided, ends = "Succeeded", "", []
            if any(self.closes_group(step) for step in group):  # then none of its steps begins
                self.note(here, "StepGroup", "Error", [here])
                return self.note(name, "Steps", "Failed", [name])
            for step in group:
                if self.over_nothing(step, name):
                    ends += self.nothing(f"{here}.{step['name']}", [here])
                for call, item in self.items(f"{here}.{step['name']}", step, name):
                    below = replace(place, value=self.argument(step, item, name), step=True)
                    found = self.site(call, step, [here], below, scope)
                    if step.get("when") == UNREADABLE_WHEN or self.hows.get(call) == ENGINE:
                        decided = decided or "Error"
                    elif self.types[call] == "Pod" and self.hows.get(call) == TIMED_OUT:  # which nothing forgives
                        decided = decided or "Failed"
                    elif self.unforgiven(step, found):
                        phase = "Failed"
                    ends += self.outbound[call]
            phase = self.note(here, "StepGroup", decided or phase, ends or [here])
            follows = ends or [here]
            if phase in BAD:
                return self.note(name, "Steps", "Failed", follows)
        return self.note(name, "Steps", "Succeeded", follows)

    def items(self, name: str, step: dict[str, Any], inside: str) -> list[tuple[str, str]]:
        if "withSequence" in step:
            found = [str(number) for number in range(int(step["withSequence"]["count"]))]
        elif unread(step):
            return [(name, "")]
        elif "withParam" in step:
            found = json.loads(self.filled(step["withParam"], "", inside))
        elif "withItems" in step:
            found = step["withItems"]
        else:
            return [(name, "")]
        return [(f"{name}({index}:{item})", item) for index, item in enumerate(found)]

    def closes_group(self, step: dict[str, Any]) -> bool:
        """Whether a step cannot be read before it is known what it loops over."""
        if self.loop_unreadable(step):
            return True
        looped = {"withItems", "withParam", "withSequence"} & step.keys()
        return step.get("when") == UNREADABLE_WHEN and not looped

    def loop_unreadable(self, step: dict[str, Any]) -> bool:
        return step.get("withParam") == UNREADABLE_LOOP and step.get("when") != "false"

    def over_nothing(self, step: dict[str, Any], inside: str) -> bool:
        return "withParam" in step and not unread(step) and json.loads(self.filled(step["withParam"], "", inside)) == []

    def nothing(self, name: str, parents: list[str]) -> list[str]:
        """A loop over nothing is one node that was skipped."""
        self.edge(parents, name)
        self.note(name, "Skipped", "Skipped")
        return self.outbound[name]

    def argument(self, step: dict[str, Any], item: str, inside: str) -> str | None:
        """The value of parameter m that a step gives, if it gives one; the input's own, if its maker did not run."""
        parameters = (step.get("arguments") or {}).get("parameters") or ()
        if not parameters:
            return None
        makers = [maker for found in MADE_BY.finditer(parameters[0]["value"]) for maker in self.named(found, inside)]
        unmade = any(self.phases[maker] in {"Skipped", "Omitted"} for maker in makers)
        return DEFAULT if unmade else self.filled(parameters[0]["value"], item, inside)

    def filled(self, text: str, item: str, inside: str) -> str:
        """A text with its item and the outputs of former steps or tasks of `inside` filled in."""

        def value(found: re.Match[str]) -> str:
            makers = self.named(found, inside)
            made = [self.made(self.maker(maker)) for maker in makers]
            return made[0] if not makers[0].endswith(")") else f"[{','.join(made)}]"  # of a loop: a list (LOOP-8)

        return MADE_BY.sub(value, text.replace("{{item}}", item))

    def named(self, found: re.Match[str], inside: str) -> list[str]:
        """The nodes that a tag of MADE_BY says: of a loop one for each item."""
        call = found[2] if found[1] == "tasks" else ""
        names = [f"{inside}.{call}"] if call else [f"{inside}[{i}].{found[2]}" for i in range(9)]
        single = [name for name in names if name in self.phases and self.types[name] != "TaskGroup"]
        item = re.compile(rf"(?:{'|'.join(map(re.escape, names))})\(\d+:[^)]*\)")
        return single or [name for name in self.phases if item.fullmatch(name)]

    def maker(self, name: str) -> str:
        """The node that made a node's outputs: of a Retry node, its last attempt. Its hooks may follow it, too."""
        if self.types[name] != "Retry":
            return name
        return [child for child in self.children[name] if child.startswith(f"{name}(")][-1]

    def unforgiven(self, step: dict[str, Any], phase: str) -> bool:
        """Whether a phase is a failure that the step does not forgive."""
        proceed = step.get("continueOn", {})
        return (phase == "Failed" and not proceed.get("failed")) or (phase == "Error" and not proceed.get("error"))

    # --------------------------------------------------------------------------------------- dags

    def dag(self, name: str, dag: dict[str, Any], place: Place) -> str:
        tasks = {task["name"]: task for task in dag["tasks"]}  # written in an order that fits
        needed = {need for task in dag["tasks"] for need in self.needs(task)}
        targets = dag["target"].split() if dag.get("target") else sorted(tasks.keys() - needed)
        wanted = set(targets)
        for task in reversed(dag["tasks"]):
            wanted |= set(self.needs(task)) if task["name"] in wanted else set()
        for task in dag["tasks"]:
            if task["name"] not in wanted:
                continue
            needs = self.needs(task)
            full = f"{name}.{task['name']}"
            parents = [end for need in needs for end in self.outbound[f"{name}.{need}"]] or [name]
            if not self.depends(name, task, tasks):
                self.edge(parents, full)
                self.note(full, "Skipped", "Omitted")
            elif self.over_nothing(task, name):
                self.nothing(full, parents)
            elif self.loop_unreadable(task):
                self.edge(parents, full)
                self.never_ran(full, task, place)
            elif {"withItems", "withParam", "withSequence"} & task.keys() and not unread(task):
                self.edge(parents, full)
                self.loop(full, task, place)
            else:
                below = replace(place, value=self.argument(task, "", name))
                self.site(full, task, parents, below)
        ends = [end for target in targets for end in self.outbound[f"{name}.{target}"]]
        return self.note(name, "DAG", self.verdict(name, dag, tasks, targets), ends)

    def needs(self, task: dict[str, Any]) -> list[str]:
        return sorted({*re.findall(r"T\d+", task.get("depends", "")), *task.get("dependencies", ())})

    def depends(self, name: str, task: dict[str, Any], tasks: dict[str, dict[str, Any]]) -> bool:
        for need in task.get("dependencies", ()):
            phase = self.phases[f"{name}.{need}"]
            if phase == "Omitted" or self.unforgiven(tasks[need], phase):
                return False

        def holds(found: re.Match[str]) -> str:
            phase = self.phases[f"{name}.{found[1]}"]
            wanted = {"Errored": ("Error",), "": ("Succeeded", "Skipped")}.get(found[2] or "", (found[2] or "",))
            return str(phase in wanted)

        text = re.sub(r"(T\d+)(?:\.(\w+))?", holds, task.get("depends") or "True")
        return bool(eval(text.replace("&&", " and ").replace("||", " or ")))  # our own True and False

    def loop(self, name: str, task: dict[str, Any], place: Place) -> None:
        inside = name.rpartition(".")[0]
        calls = self.items(name, task, inside)
        bad = []
        for call, item in calls:
            phase = self.site(call, task, [name], replace(place, value=self.argument(task, item, inside)))
            bad += [phase] if phase in BAD else []
        ends = [end for call, _ in calls for end in self.outbound[call]]
        self.note(name, "TaskGroup", bad[-1] if bad else "Succeeded", ends)

    def verdict(self, dag: str, declared: dict[str, Any], tasks: dict[str, Any], names: list[str]) -> str:
        targets = {f"{dag}.{name}": tasks[name] for name in names}
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
        result = "Succeeded"
        for target, task in targets.items():  # of several failures that reach one target, Failed decides
            bad = [phase for phase in BAD if phase in found[target]]
            if bad and self.unforgiven(task, bad[0]):
                if declared.get("failFast") is not False:
                    return bad[0]
                result = bad[0]
        return result
