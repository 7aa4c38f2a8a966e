"""Tasks of a dag: what they need exists, nothing needs itself, and references go to what is needed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial

from actors.language.depends import DependsError, parse_depends
from actors.language.tags import tags_in
from actors.workflow.validation.calls import Caller, is_looped, judge_call
from actors.workflow.validation.cycles import Ancestry, cycle
from actors.workflow.validation.findings import FIELD_NAME, Findings, Json, Place, entries, is_dynamic, mapping, text
from actors.workflow.validation.scope import Node, Scope, judge_tags

STATUS = ".status"
Needs = dict[str, list[str]]


def judge_dag(caller: Caller, template: Json, scope: Scope) -> Scope:
    """Judge all tasks; the scope of the template's outputs, which see every task."""
    findings, place = caller.findings, caller.place
    dag = mapping(template.get("dag"))
    tasks = entries(dag, "tasks")
    if not tasks:
        findings.error(place, "must have at least one task")
    _judge_names(findings, place, tasks)
    by_name = {text(task.get("name")): task for task in tasks}
    needs = _judge_needs(caller, tasks, by_name)
    if found := cycle(needs):
        remedy = f"{'->'.join(found)} depend on each other: let one of them depend on none of the others"
        findings.error(Place(place.names, f"{place.path}.dag.tasks"), "sorting failed: graph with cycle", remedy)
        return scope  # who sees whom has no answer in a cycle
    _judge_target(caller, dag, by_name, scope)
    nodes = {name: caller.node(task) for name, task in by_name.items()}
    ancestry = Ancestry(needs)
    for index, task in enumerate(tasks):
        here = _place(caller, index, task)
        before = partial(ancestry.needs, text(task.get("name")))
        strangers = _judge_ancestry(caller, here, task, before, by_name)
        judge_call(caller, here, task, _visible(nodes, scope, partial(_either, before, strangers)))
    return _visible(nodes, scope)


def _judge_names(findings: Findings, place: Place, tasks: list[Json]) -> None:
    again = [name for name, often in Counter(text(task.get("name")) for task in tasks).items() if often > 1 and name]
    if again:
        where = Place(place.names, f"{place.path}.dag.tasks")
        findings.error(where, f"sorting failed: duplicated nodeName {again[0]}", "give one of them another name")
        return
    findings.names(Place(place.names, f"{place.path}.dag"), "tasks", tasks, FIELD_NAME)


def _visible(nodes: dict[str, Node], scope: Scope, known: Callable[[str], bool] = lambda _: True) -> Scope:
    return Scope(family="tasks", visible=lambda name: nodes.get(name) if known(name) else None, outer=scope)


def _either(before: Callable[[str], bool], more: frozenset[str], name: str) -> bool:
    return before(name) or name in more


def _place(caller: Caller, index: int, task: Json) -> Place:
    return Place(f"{caller.place.names}.tasks.{text(task.get('name'))}", f"{caller.place.path}.dag.tasks[{index}]")


def _judge_needs(caller: Caller, tasks: list[Json], by_name: dict[str, Json]) -> Needs:
    """Judge what tasks say they need; the graph of it."""
    findings = caller.findings
    with_depends = any(text(task.get("depends")) for task in tasks)
    needs: Needs = {}
    for index, task in enumerate(tasks):
        here, name = _place(caller, index, task), text(task.get("name"))
        listed = task.get("dependencies") or ()
        if (with_depends or listed) and name[:1].isdigit():
            findings.error(here, "name cannot begin with a digit when using either 'depends' or 'dependencies'")
        if with_depends and listed:
            findings.error(caller.place, "cannot use both 'depends' and 'dependencies' in the same DAG template")
        if with_depends and task.get("continueOn") is not None:
            findings.error(
                caller.place,
                "cannot use 'continueOn' when using 'depends'. Instead use 'dep-task.Failed'/'dep-task.Errored'",
                f"use '{name}.Failed' or '{name}.Errored' where '{name}' is depended on",
            )
        wanted, of_items = _terms(caller, here, task)
        needs[name] = [need for need in wanted if need in by_name]
        for need in wanted:
            if need not in by_name and not is_dynamic(need):
                where = here._replace(names=caller.place.names)
                remedy = f"'{name}' depends on it, and the DAG has no task of that name"
                findings.error(where, f"sorting failed: invalid dependency {need}", remedy)
        for need in of_items:
            if need in by_name and not is_looped(by_name[need]):
                findings.error(
                    here._replace(names=f"{caller.place.names}.tasks.{need}"),
                    f"dependency '{need}' uses an items-based condition such as .AnySucceeded or "
                    ".AllFailed but does not contain any items",
                )
    return needs


def _terms(caller: Caller, here: Place, task: Json) -> tuple[list[str], list[str]]:
    """The tasks that a task needs, and those whose items it asks about."""
    depends = text(task.get("depends"))
    if not depends or is_dynamic(depends):
        return [text(name) for name in task.get("dependencies") or ()], []
    try:
        clause = parse_depends(depends)
    except DependsError as error:
        caller.findings.error(here.at("depends")._replace(names=here.names), str(error))
        return [], []
    return sorted(clause.tasks()), sorted(clause.tasks_with_items())


def _judge_ancestry(
    caller: Caller, here: Place, task: Json, before: Callable[[str], bool], by_name: dict[str, Json]
) -> frozenset[str]:
    """Report references to tasks that need not be over; they are returned, so that each is reported once.

    A status has only who is needed: those asked for theirs are told of where tags are resolved, as upstream has it."""
    rest = {key: value for key, value in task.items() if key not in ("inline", "hooks")}
    known = {text(task.get("name")), *_tasks_in(rest, STATUS)}
    strangers: set[str] = set()
    arguments = mapping(task.get("arguments"))
    for kind, entry in [("parameter", entry) for entry in entries(arguments, "parameters")] + [
        ("artifact", entry) for entry in entries(arguments, "artifacts")
    ]:
        for name in _tasks_in(entry) - strangers - known:
            if name in by_name and not before(name):
                strangers.add(name)
                caller.findings.error(here, f"missing dependency '{name}' for {kind} '{text(entry.get('name'))}'")
    for name in sorted(_tasks_in(rest) - strangers - known):
        if name in by_name and not before(name):
            strangers.add(name)
            caller.findings.error(here, f"missing dependency '{name}'")
    return frozenset(strangers)


def _tasks_in(tree: object, end: str = "") -> set[str]:
    """The tasks that the plain tags of a tree name, tags that end so."""
    tags = [tag.name for tag in tags_in(tree) if not tag.is_expression and tag.name.startswith("tasks.")]
    return {name.split(".")[1] for name in tags if name != "tasks.name" and name.endswith(end)}


def _judge_target(caller: Caller, dag: Json, by_name: dict[str, Json], scope: Scope) -> None:
    target = text(dag.get("target"))
    where = Place(f"{caller.place.names}.targets", f"{caller.place.path}.dag.target")
    judge_tags(caller.findings, where, target, scope)
    for name in [] if is_dynamic(target) else target.split():
        if name not in by_name:
            caller.findings.error(where._replace(names=f"{where.names}:"), f"target '{name}' is not defined")
