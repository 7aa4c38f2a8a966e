"""One update, from a healthy Rollout to the end of what can happen: simulated, or on a stage with real pods."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import anyio

from actors.rollout.model import Ro, pause_s
from runtime.api import ApiError
from runtime.objects import Object, Reference, Resource
from tiphys.cli.rollouts import actions, facts, templates
from tiphys.cli.rollouts.objects import ROLLOUTS, Around
from tiphys.simulate.metrics import Series, assumption, measured
from tiphys.simulate.scenery import workload_of
from tiphys.simulate.stage import Stage, staged
from tiphys.simulate.timeline import Moment, Timeline, is_told, moment
from tiphys.simulate.warnings import is_endless

MARK = "simulated.tiphys.dev/update"
SETTLE_S = 2.0
WARM_UP_S = 600.0
LOOK_S = 0.5
HUMAN = ("InconclusiveAnalysisRun", "InconclusiveExperiment")


class CannotSimulate(Exception):
    """The update cannot be played; the message says why and what would help."""


class Person(Protocol):
    """Somebody who may promote what waits."""

    def answers(self, why: str, waited_s: float) -> bool | None:
        """True: promotes now; False: not yet; None: nobody ever will. Asked again and again while it waits."""
        ...


class Nobody:
    """Nobody is there."""

    def answers(self, why: str, waited_s: float) -> bool | None:
        """Never."""
        del why, waited_s
        return None


@dataclass(frozen=True, slots=True)
class Patient:
    """Somebody who promotes whatever has waited so long."""

    after_s: float

    def answers(self, why: str, waited_s: float) -> bool | None:
        """When the time has come."""
        del why
        return waited_s >= self.after_s


class Audience(Protocol):
    """Somebody who is shown the update while it happens."""

    def see(self, timeline: Timeline) -> None:
        """The timeline has changed."""
        ...

    def hear(self, sentence: str) -> None:
        """Something beside the update is told."""
        ...


class Empty:
    """Nobody watches."""

    def see(self, timeline: Timeline) -> None:
        """Not shown."""

    def hear(self, sentence: str) -> None:
        """Not told."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What to play."""

    rollout: Object
    others: Sequence[tuple[Resource, Object]] = ()  # Services, templates, …: created first
    images: Sequence[templates.ImageWish] = ()  # the update; without any the template is only marked
    series: Series = field(default_factory=Series)
    pods: Mapping[str, str] = field(default_factory=dict)  # what every pod does
    new_pods: Mapping[str, str] = field(default_factory=dict)  # what those of the new version do besides
    until_s: float = 86_400.0
    person: Person = field(default_factory=Nobody)  # who is there when the update waits for somebody


@dataclass(frozen=True, slots=True)
class Played:
    """How it went."""

    moments: Sequence[Moment]
    ending: str  # Healthy, Degraded, waits, or the time is up
    waits_for: str = ""


async def play(wish: Wish) -> Played:
    """Play the update. Raises CannotSimulate when the Rollout never becomes healthy in the first place."""
    wish.series.began = float("inf")
    wish.series.assumed.clear()
    wish = replace(wish, others=[(resource, measured(thing)) for resource, thing in wish.others])
    changed(wish)
    async with staged(wish.series.measure, wish.pods) as stage:
        return await perform(stage, wish, Empty())


async def perform(stage: Stage, wish: Wish, audience: Audience) -> Played:
    """Play the update on a stage. Raises CannotSimulate as `play` does, and InputError for a wrong container."""
    resource, thing = changed(wish)
    audience.hear("the first version starts")
    await _set_up(stage, wish)
    began = stage.clock.wall()
    wish.series.began = began
    audience.hear("the update begins")
    observer = _Observer(stage, wish, began, audience)
    ref = Reference(resource, observer.ref.namespace, thing["metadata"]["name"])
    await stage.api.replace(resource, updated(await stage.api.get(ref), wish))
    ending, waits_for = await _to_the_end(stage, observer, wish, began)
    await anyio.sleep(SETTLE_S)
    observer.look()
    return Played(observer.timeline.moments, ending, waits_for)


def changed(wish: Wish) -> tuple[Resource, Object]:
    """The object whose pod template is the Rollout's: itself, or the workload that it refers to. Raises CannotSimulate
    when the files have no such workload."""
    wanted = wish.rollout["spec"].get("workloadRef")
    if not wanted:
        return ROLLOUTS, wish.rollout
    found = workload_of(wish.rollout, wish.others)
    if found is None:
        what = f"{wanted.get('kind')} {wanted.get('name')}"
        raise CannotSimulate(f"spec.workloadRef: {what} is not in the files: add the one that has it")
    return found


def updated(thing: Object, wish: Wish) -> Object:
    """A Rollout, or its workload, with the new version. Raises InputError for a container that it has not."""
    made = templates.with_images(thing, wish.images) if wish.images else copy.deepcopy(thing)
    notes = made["spec"]["template"].setdefault("metadata", {}).setdefault("annotations", {})
    if not wish.images:
        notes[MARK] = "1"
    notes |= {f"simulated.tiphys.dev/{name}": value for name, value in wish.new_pods.items()}
    return made


async def _set_up(stage: Stage, wish: Wish) -> None:
    for resource, thing in [*wish.others, (ROLLOUTS, wish.rollout)]:
        try:
            await stage.api.create(resource, copy.deepcopy(thing))
        except ApiError as e:
            raise CannotSimulate(f"{resource.kind} {thing['metadata'].get('name')}: {e.message}") from e
    ref = _reference(wish.rollout)
    with anyio.move_on_after(min(WARM_UP_S, wish.until_s)):
        while True:
            rollout = await stage.api.get(ref)
            phase = facts.phase(rollout)
            if phase.name == "Healthy":
                await anyio.sleep(SETTLE_S)
                return
            if phase.name == "Degraded":
                hint = " (name the file that has it too)" if phase.message.endswith("not found") else ""
                raise CannotSimulate(f"before any update the Rollout is Degraded: {phase.message}{hint}")
            await anyio.sleep(LOOK_S)
    phase = facts.phase(rollout)
    why = "".join(f"; {warning}" for warning in _last_warning(stage, ref))
    raise CannotSimulate(f"before any update the Rollout is not healthy: {phase.name} {phase.message}{why}")


def _last_warning(stage: Stage, ref: Reference) -> list[str]:
    """What the controller complained of last, if it did."""
    said = [
        event for event in stage.stored("", "events", ref.namespace)
        if event.get("type") == "Warning" and event["involvedObject"].get("name") == ref.name
    ]  # fmt: skip
    return [max(said, key=lambda event: str(event.get("lastTimestamp")))["message"]] if said else []


async def _to_the_end(stage: Stage, observer: _Observer, wish: Wish, began: float) -> tuple[str, str]:
    waits_since: float | None = None
    while stage.clock.wall() - began < wish.until_s:
        await anyio.sleep(LOOK_S)
        rollout = await stage.api.get(observer.ref)
        phase = facts.phase(rollout)
        if phase.name in ("Healthy", "Degraded"):
            return phase.name, phase.message
        why = waits_for_a_person(rollout)
        if not why:
            waits_since = None
            continue
        waits_since = waits_since if waits_since is not None else stage.clock.wall()
        answer = wish.person.answers(why, stage.clock.wall() - waits_since)
        if answer is None:
            return "waits", why
        if answer:
            observer.timeline.say("a person promotes")
            for patch in actions.promote(rollout):
                await stage.api.patch(observer.ref, patch.body, subresource="status" if patch.status else "")
            waits_since = None
    return "time is up", facts.phase(await stage.api.get(observer.ref)).message


def waits_for_a_person(rollout: Object) -> str:
    """Why nothing will happen until somebody does something; empty when time alone will do."""
    ro = Ro(rollout)
    phase = facts.phase(rollout).name
    if phase == "Progressing" and ro.step and is_endless(ro.step.get("experiment")):
        return "an experiment without duration: promote, abort, or end the experiment"
    if phase != "Paused":
        return ""
    if ro.is_paused:
        return "spec.paused is set"
    for reason in HUMAN:
        if ro.paused_for(reason):
            return f"{reason}: promote or abort"
    if ro.paused_for("CanaryPauseStep") and ro.step and ro.step.get("pause") is not None:
        return "a pause without duration: promote or abort" if pause_s(ro.step["pause"]) is None else ""
    if ro.paused_for("BlueGreenPause") and (ro.blue_green or {}).get("autoPromotionEnabled") is False:
        return "autoPromotionEnabled is false: promote or abort"
    return ""


def _reference(rollout: Object) -> Reference:
    return Reference(ROLLOUTS, rollout["metadata"]["namespace"], rollout["metadata"]["name"])


class _Observer:
    """Looks at the Rollout after every commit, keeps what changed and shows it."""

    def __init__(self, stage: Stage, wish: Wish, began: float, audience: Audience) -> None:
        self._audience = audience
        self._assumed, self._warned = wish.series.assumed, 0
        self.ref = _reference(wish.rollout)
        self.timeline = Timeline()
        self._stage = stage
        self._began = began
        self._heard: set[str] = set()
        for event in self._events():
            self._heard.add(event["metadata"]["uid"])
        stage.cluster.server.storage.observers.append(lambda _bucket, _change: self.look())

    def look(self) -> None:
        """Take in what is true now."""
        rollouts = self._of("argoproj.io", "rollouts")
        rollout = next((one for one in rollouts if one["metadata"]["name"] == self.ref.name), None)
        if rollout is None:
            return
        for event in self._events():
            if event["metadata"]["uid"] not in self._heard:
                self._heard.add(event["metadata"]["uid"])
                if is_told(event):
                    self.timeline.say(event["message"])
        self._say_what_is_assumed()
        around = Around(
            self._of("apps", "replicasets"),
            experiments=self._of("argoproj.io", "experiments"),
            runs=self._of("argoproj.io", "analysisruns"),
        )
        if self.timeline.add(moment(rollout, around, self._stage.clock.wall() - self._began)):
            self._audience.see(self.timeline)

    def _say_what_is_assumed(self) -> None:
        names = list(self._assumed)[self._warned :]
        if names:
            self._warned += len(names)
            self.timeline.say(assumption(names))

    def _events(self) -> list[Object]:
        return [one for one in self._of("", "events") if one["involvedObject"].get("name") == self.ref.name]

    def _of(self, group: str, plural: str) -> list[Object]:
        return self._stage.stored(group, plural, self.ref.namespace)
