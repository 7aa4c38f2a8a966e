"""The committed table says of every example what it needs, how it must end, and how its twin must end.

`table.json` is written from the specification and from `expected.json`, never from what a run happened to give:

| field       | meaning                                                                                          |
|-------------|--------------------------------------------------------------------------------------------------|
| `expect`    | the end: `phase`, `message`, `types` (nodes by type), `nodes` (by display name), `absent`, …     |
| `twin`      | `breaks` (JSON pointer), `in` (file and object, when it is not the example itself) and `expect`  |
| `with`      | what is applied first: files of the examples, or names of `objects` of the table                 |
| `submit`    | of a definition: `from` (KIND/NAME), `entrypoint`, `parameters` of its run; or the `file` that uses it |
| `name`      | what a person names it (`submit --name`): a workflow without a name and one that is not the last   |
| `act`       | what a person does meanwhile: `resume`, `set` outputs of a waiting node                          |
| `limits`    | how many may hold a semaphore of the database of locks, by its key                              |
| `served`    | what a local web server answers for addresses that it asks: `code` and `body`                  |
| `store`     | host and port of a bucket that it names, which the same server stands in for                    |
| `random`    | chance decides; only what holds for every outcome is expected                                    |
| `takes_s`   | how long it sleeps of its own accord; above SLOW_S it is slow and runs only when asked for       |
| `needs`     | features it shows; while one of them is missing it does not count (and, without `expect`, is not run) |
| `also`      | what is expected besides, once these features are there                                          |
| `machine`   | what the machine must have: `arch`, `cpus`, `memory_gib`; `driver`: an artifact driver installed   |
| `not_run`   | why it is not run                                                                                |
| `no_count`  | why it does not count although it is run                                                         |
"""

from __future__ import annotations

import json
import os
import platform
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Final

from actors.cron.child import submitted_manifest
from crds.features import MISSING
from runtime.objects import Object
from tests.conformance import corpus
from tests.conformance.web import Served
from tiphys.cli.submission import origin, workflow_of
from tiphys.executor.artifacts.plugins import GROUP

TABLE: Final = Path(__file__).with_name("table.json")
GOAL: Final = 172
"""How many examples count where everything is run and the machine has what they need."""
SLOW_S: Final = 35.0
LIMIT_S: Final = 150.0
"""How long an example may take beyond its own sleep."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One workflow to run: an example, or the twin of one."""

    file: str
    twin: bool
    things: list[Object]  # all objects, companions first, the workflow last
    expect: dict[str, Any]
    act: list[dict[str, Any]]
    takes_s: float
    limits: dict[str, int] = field(default_factory=dict)  # of semaphores that a database keeps
    served: Served = field(default_factory=dict)  # what it asks the web for
    store: str = ""  # host and port of the bucket it names

    @property
    def name(self) -> str:
        """What it is called in reports."""
        return f"{self.file} twin" if self.twin else self.file

    @property
    def namespace(self) -> str:
        """A namespace of its own: fixed names and companions never meet those of another one."""
        stem = self.file.removesuffix(".yaml").replace("/", "-").lower()
        return f"{stem[:50]}-twin" if self.twin else stem[:55]

    @property
    def slow(self) -> bool:
        """Whether it sleeps too long for every day."""
        return self.takes_s > SLOW_S

    @property
    def limit_s(self) -> float:
        """When it is given up."""
        return self.takes_s + LIMIT_S


@dataclass(frozen=True, slots=True)
class Entry:
    """What the table says of one example."""

    file: str
    raw: dict[str, Any]

    @property
    def runs(self) -> bool:
        """Whether it is run at all."""
        return not self.why_not_run

    @property
    def lacks(self) -> list[str]:
        """The features it needs that are not there yet, in words."""
        missing = {entry.feature: entry.what for entry in MISSING.values()}
        return [f"not there yet: {missing[one]} ({one})" for one in self.raw.get("needs", []) if one in missing]

    @property
    def why_not_run(self) -> str:
        """Why it is not run; empty when it is."""
        if "not_run" in self.raw:
            return str(self.raw["not_run"])
        if unfit := _unfit(self.raw.get("machine", {})):
            return unfit
        return "" if "expect" in self.raw else "; ".join(self.lacks) or "nothing is expected of it yet"

    @property
    def fits(self) -> bool:
        """Whether this machine has what it needs."""
        return not _unfit(self.raw.get("machine", {}))

    @property
    def why_not_counted(self) -> list[str]:
        """Why it does not count, however it ends."""
        return self.lacks + ([self.raw["no_count"]] if "no_count" in self.raw else [])

    @property
    def slow(self) -> bool:
        """Whether it sleeps too long for every day."""
        return any(one.slow for one in trials_of(self)) if self.runs else self.takes_s > SLOW_S

    @property
    def takes_s(self) -> float:
        """How long it sleeps of its own accord."""
        return float(self.raw.get("takes_s", 0))

    @property
    def has_twin(self) -> bool:
        """Whether a twin is described."""
        return "twin" in self.raw


def entries() -> dict[str, Entry]:
    """The whole table, by file."""
    return {file: Entry(file, raw) for file, raw in _read()["examples"].items()}


def trial(entry: Entry) -> Trial:
    """The example itself, ready to be run."""
    things = _with_run(
        entry, [*_companions(entry.raw), *(doc for file in _own(entry) for doc in corpus.documents(file))]
    )
    expect = entry.raw["expect"] if entry.lacks else {**entry.raw["expect"], **entry.raw.get("also", {})}
    return Trial(entry.file, False, things, expect, entry.raw.get("act", []), entry.takes_s, **_surroundings(entry))


def twin(entry: Entry) -> Trial:
    """Its twin: the same documents, one command of them broken."""
    described = entry.raw["twin"]
    file, name = described.get("in", [entry.file, ""])
    things = []
    for companion in entry.raw.get("with", []):
        found = _objects(companion)
        things += corpus.broken(found, name, described["breaks"]) if companion == file else found
    for own in _own(entry):
        found = corpus.documents(own)
        things += corpus.broken(found, name, described["breaks"]) if own == file else found
    takes_s = float(described.get("takes_s", entry.takes_s))
    things = _with_run(entry, things)
    acts = described.get("act", [])
    return Trial(entry.file, True, things, described["expect"], acts, takes_s, **_surroundings(entry))


def _surroundings(entry: Entry) -> dict[str, Any]:
    return {name: entry.raw[name] for name in ("limits", "served", "store") if name in entry.raw}


def _own(entry: Entry) -> list[str]:
    """The files of the trial itself: the example, and the one that uses it when it is a definition."""
    user = entry.raw.get("submit", {}).get("file")
    return [entry.file, user] if user else [entry.file]


def _with_run(entry: Entry, things: list[Object]) -> list[Object]:
    """The objects, the workflow that is judged last; of definitions, the one that `submit --from` makes of one."""
    wish = entry.raw.get("submit")
    if "name" in entry.raw:
        things = sorted(things, key=lambda one: _is_or_becomes(one, entry.raw["name"]))
    if wish is None or "file" in wish:
        return things
    ref = origin(wish["from"], "")
    [template] = [one for one in things if (one["kind"], one["metadata"]["name"]) == (ref.resource.kind, ref.name)]
    cron = template["kind"] == "CronWorkflow"
    made = {**template, "metadata": {**template["metadata"], "uid": ""}}
    workflow = submitted_manifest(made, 0.0) if cron else workflow_of(template, ref)
    workflow["metadata"].pop("ownerReferences", None)  # nobody knows its owner's uid yet
    spec = workflow["spec"] = {**workflow["spec"]}
    if "entrypoint" in wish:
        spec["entrypoint"] = wish["entrypoint"]
    if "parameters" in wish:
        spec["arguments"] = {"parameters": [{"name": k, "value": v} for k, v in wish["parameters"].items()]}
    still = [{**one, "spec": {**one["spec"], "suspend": True}} if one is template and cron else one for one in things]
    return [*still, workflow]  # a CronWorkflow is suspended: it runs when it is told to, once


def _is_or_becomes(thing: Object, name: str) -> bool:
    """Whether it is the workflow of that name; one without a name gets it."""
    meta = thing["metadata"]
    if thing["kind"] == "Workflow" and "generateName" not in meta:
        meta.setdefault("name", name)
    return bool(thing["kind"] == "Workflow" and meta.get("name") == name)


def _unfit(wanted: dict[str, Any]) -> str:
    """What the machine lacks; empty when it fits."""
    has = {"cpus": os.cpu_count() or 1, "memory_gib": os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30}
    if wanted.get("arch", platform.machine()) != platform.machine():
        return f"needs a machine of architecture {wanted['arch']}, this one is {platform.machine()}"
    if "driver" in wanted and not entry_points(group=GROUP, name=wanted["driver"]):
        return f"needs an artifact driver named {wanted['driver']}: dev.py test installs one"
    lacks = [f"{wanted[key]} {key}, this machine has {has[key]:.3g}" for key in has if wanted.get(key, 0) > has[key]]
    return f"needs {'; '.join(lacks)}" if lacks else ""


def things_of(entry: Entry) -> list[Object]:
    """The documents that it is about, whether it is run or not."""
    return trial(entry).things if "expect" in entry.raw else corpus.documents(entry.file)


def trials_of(entry: Entry) -> list[Trial]:
    """The example and, when it has one, its twin."""
    return [trial(entry), *([twin(entry)] if entry.has_twin else [])]


def _companions(raw: dict[str, Any]) -> list[Object]:
    return [thing for companion in raw.get("with", []) for thing in _objects(companion)]


def _objects(companion: str) -> list[Object]:
    return corpus.documents(companion) if companion.endswith(".yaml") else [_read()["objects"][companion]]


def _read() -> dict[str, Any]:
    table: dict[str, Any] = json.loads(TABLE.read_text())
    return table
