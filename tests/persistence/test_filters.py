"""A database answers as a plain filter over the workflows would, whatever is combined, and page by page."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from actors.names.timestamps import seconds
from runtime.api import Refused
from tests.persistence.workflows import archived, finished
from tiphys.devcluster.selectors import parse_labels
from tiphys.persistence import labelled
from tiphys.persistence.archive import Archive, Query
from tiphys.persistence.engine import Store

WORKFLOWS, QUESTIONS, PAGE_MOST = 60, 60, 30
NAMES = ("ab", "ab-1", "ab-12", "aB-1", "AB", "b", "b_1", "b%1", "a\\b", "ba")
PARTS = (*NAMES, "a", "B", "%", "_", "-1", "z", "\\")
SPACES, PHASES = ("x", "X", "y", "nowhere"), ("Succeeded", "Failed", "Error", "Running")
VALUES = ("", "1", "7", "010", "12", "1760000000000000000", "99999999999999999999", "big", "5x")
SELECTORS = (
    "size", "!size", "size=7", "size!=7", "size in (1,7,big)", "size notin (1,7)", "size>7", "size<12",
    "size>1700000000000000000", "team=a", "team!=a", "team", "!team", "nobody=1", "all", "!all",
)  # fmt: skip


def workflow(number: int, random: Random) -> dict[str, Any]:
    labels = {"all": "yes"}
    if random.random() < 0.6:
        labels["size"] = random.choice(VALUES)
    if random.random() < 0.4:
        labels["team"] = random.choice("ab")
    return finished(
        random.choice(NAMES), random.choice(SPACES[:3]), uid=f"u{number}", phase=random.choice(PHASES[:3]),
        started=1000.0 + 10 * random.randrange(20), labels=labels,
    )  # fmt: skip


def question(random: Random) -> Query:
    def perhaps(likely: float, some: Callable[[], Any], none: Any) -> Any:
        return some() if random.random() < likely else none

    def at() -> float:
        return 990.0 + 5 * random.randrange(50)

    return Query(
        namespace=perhaps(0.4, lambda: random.choice(SPACES), ""),
        name=perhaps(0.5, lambda: random.choice(PARTS), ""),
        name_is=random.choice(("exact", "prefix", "contains")),
        labels=perhaps(0.6, lambda: ",".join(random.sample(SELECTORS, random.choice((1, 1, 2, 3)))), ""),
        phases=perhaps(0.4, lambda: tuple(random.sample(PHASES, random.choice((1, 2)))), ()),
        started_after=perhaps(0.2, at, None),
        started_before=perhaps(0.2, at, None),
        finished_before=perhaps(0.2, at, None),
    )


def meets(thing: dict[str, Any], query: Query) -> bool:
    """Whether a workflow is one that is asked for."""
    meta, status = thing["metadata"], thing["status"]
    started, ended = seconds(status["startedAt"]), seconds(status["finishedAt"])
    return (
        query.namespace in ("", meta["namespace"])
        and (not query.name or called(meta["name"], query))
        and all(part.met_by(meta["labels"]) for part in parse_labels(query.labels))
        and (not query.phases or status["phase"] in query.phases)
        and (query.started_after is None or started >= query.started_after)
        and (query.started_before is None or started <= query.started_before)
        and (query.finished_before is None or ended <= query.finished_before)
    )


def called(name: str, query: Query) -> bool:
    if query.name_is == "prefix":
        return name.startswith(query.name)
    return query.name in name if query.name_is == "contains" else name == query.name


def newest_first(thing: dict[str, Any]) -> tuple[float, str]:
    return seconds(thing["status"]["startedAt"]), thing["metadata"]["uid"]


async def pages(archive: Archive, query: Query, size: int) -> list[str]:
    found, after = [], None
    while True:
        page = await archive.page(query, size, after)
        assert len(page.items) <= size
        found += [item["metadata"]["uid"] for item in page.items]
        after = page.after
        if after is None:
            return found


@pytest.mark.parametrize(
    ("store", "many"), [("sqlite", 0), ("sqlite", 15), ("sqlite", 1000), ("postgresql", 1)], indirect=["store"]
)
@pytest.mark.spec("ARCHV-2")
async def test_pages_have_what_a_plain_filter_finds(store: Store, many: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(labelled, "MANY", many)
    random = Random(many)
    archive = await archived(store)
    things = [workflow(number, random) for number in range(WORKFLOWS)]
    for thing in things:
        await archive.save(thing)
    things.sort(key=newest_first, reverse=True)

    for _ in range(QUESTIONS):
        query, size = question(random), random.randint(1, PAGE_MOST)
        expected = [thing["metadata"]["uid"] for thing in things if meets(thing, query)]
        assert await pages(archive, query, size) == expected, query


async def test_a_bound_that_is_no_number_is_refused_with_its_words(store: Store) -> None:
    archive = await archived(store)
    with pytest.raises(Refused, match="size > 'large': the bound has to be an integer"):
        await archive.page(Query(labels="size>large"), 1)
