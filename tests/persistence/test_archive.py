"""What is archived is read back as it was, in pages that neither miss nor repeat a workflow."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.names import labels
from actors.names.timestamps import rfc3339
from runtime.api import Gone, Refused
from tests.persistence.workflows import archived, finished
from tiphys.persistence.archive import Archive, Query
from tiphys.persistence.engine import Store
from tiphys.persistence.nul import read_json, without_nul


@pytest.fixture
async def archive(store: Store) -> Archive:
    return await archived(store)


@pytest.mark.spec("ARCHV-1")
async def test_a_workflow_comes_back_whole_and_says_that_it_is_persisted(archive: Archive) -> None:
    workflow = finished("w", uid="u1", labels={"team": "a", labels.ARCHIVING_STATUS: "Pending"})
    await archive.save(workflow)

    found = await archive.get("u1")

    assert found["metadata"]["labels"] == {"team": "a", labels.ARCHIVING_STATUS: "Persisted"}
    assert {**found, "metadata": None} == {**workflow, "metadata": None}


async def test_the_newest_version_of_a_workflow_replaces_another(archive: Archive) -> None:
    await archive.save(finished("w", uid="u1", phase="Failed", labels={"old": "x"}))
    await archive.save(finished("w", uid="u1", phase="Succeeded"))

    page = await archive.page(Query(), 10)

    assert [item["status"]["phase"] for item in page.items] == ["Succeeded"]
    assert "old" not in await archive.label_keys()


async def test_what_is_not_there_is_gone_and_its_deletion_says_so(archive: Archive) -> None:
    with pytest.raises(Gone, match="no archived workflow with the uid u9"):
        await archive.get("u9")
    assert await archive.delete("u9") is False

    await archive.save(finished("w", uid="u1"))
    assert await archive.delete("u1") is True
    assert (await archive.page(Query(), 10)).items == []
    assert await archive.label_keys() == []


async def test_pages_have_every_workflow_once_newest_first_also_those_that_began_together(archive: Archive) -> None:
    started = [1000.0, 1000.0, 1000.0, 1005.0, 990.0, 1005.0, 1000.0]
    for number, at in enumerate(started):
        await archive.save(finished(f"w{number}", uid=f"u{number}", started=at))

    seen: list[str] = []
    after = None
    while True:
        page = await archive.page(Query(), 2, after)
        seen += [item["metadata"]["uid"] for item in page.items]
        after = page.after
        if after is None:
            break

    assert sorted(seen) == [f"u{number}" for number in range(7)]
    assert [started[int(uid[1:])] for uid in seen] == sorted(started, reverse=True)


async def test_a_list_shows_times_labels_parameters_and_message_but_no_nodes(archive: Archive) -> None:
    workflow = finished("w", uid="u1", phase="Failed", started=1000.0)
    workflow["spec"] |= {"arguments": {"parameters": [{"name": "x", "value": "1"}]}, "priority": 3}
    workflow["status"] |= {"message": "child failed", "progress": "1/2"}
    await archive.save(workflow)

    (item,) = (await archive.page(Query(), 10)).items

    assert item["status"] == {
        "phase": "Failed", "message": "child failed", "progress": "1/2",
        "startedAt": rfc3339(1000.0), "finishedAt": rfc3339(1010.0),
    }  # fmt: skip
    assert item["spec"] == {"arguments": {"parameters": [{"name": "x", "value": "1"}]}, "priority": 3}
    assert item["metadata"]["creationTimestamp"] == rfc3339(995.0)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (Query(namespace="a"), {"u1", "u2"}),
        (Query(name="one"), {"u1", "u3"}),
        (Query(name="on", name_is="prefix"), {"u1", "u3"}),
        (Query(name="w", name_is="contains"), {"u2"}),
        (Query(name="%", name_is="contains"), set()),
        (Query(labels="team=x"), {"u1"}),
        (Query(labels="team!=x"), {"u2", "u3"}),
        (Query(labels="team in (x, y)"), {"u1", "u2"}),
        (Query(labels="team"), {"u1", "u2"}),
        (Query(labels="!team"), {"u3"}),
        (Query(labels="team notin (y)"), {"u1", "u3"}),
        (Query(labels="size>5"), {"u2"}),
        (Query(labels="size<20,team"), {"u2"}),
        (Query(phases=("Failed",)), {"u3"}),
        (Query(started_after=1500.0), {"u2", "u3"}),
        (Query(started_before=1500.0), {"u1"}),
        (Query(finished_before=2500.0, namespace="a"), {"u1", "u2"}),
        (Query(labels="team=';--"), set()),
    ],
)
async def test_what_is_asked_for_is_found(archive: Archive, query: Query, expected: set[str]) -> None:
    await archive.save(finished("one", "a", uid="u1", started=1000.0, labels={"team": "x"}))
    await archive.save(finished("two", "a", uid="u2", started=2000.0, labels={"team": "y", "size": "10"}))
    await archive.save(finished("one", "b", uid="u3", started=3000.0, phase="Failed", labels={"size": "many"}))

    page = await archive.page(query, 10)

    assert {item["metadata"]["uid"] for item in page.items} == expected


@pytest.mark.spec("ARCHV-3")
async def test_clusters_and_instances_do_not_see_each_other(store: Store) -> None:
    one = await archived(store, cluster="one")
    other = await archived(store, cluster="other")
    instance = await archived(store, cluster="one", instance_id="i")
    await one.save(finished("w", uid="u1", labels={"a": "b"}))

    for stranger in (other, instance):
        assert (await stranger.page(Query(), 10)).items == []
        assert await stranger.delete("u1") is False
    assert await other.label_keys() == []
    assert (await one.get("u1"))["metadata"]["name"] == "w"


@pytest.mark.spec("ARCHV-1")
async def test_workflows_that_ended_before_a_time_are_forgotten_in_portions(archive: Archive) -> None:
    for number in range(5):
        await archive.save(finished(f"w{number}", uid=f"u{number}", started=1000.0 * number))

    assert await archive.delete_ended_before(2500.0, limit=2) == 2
    assert await archive.delete_ended_before(2500.0, limit=2) == 1
    assert await archive.delete_ended_before(2500.0, limit=2) == 0
    assert {item["metadata"]["uid"] for item in (await archive.page(Query(), 9)).items} == {"u3", "u4"}


async def test_labels_are_told_with_their_values(archive: Archive) -> None:
    await archive.save(finished("a", uid="u1", labels={"team": "x"}))
    await archive.save(finished("b", uid="u2", labels={"team": "y", "size": "1"}))

    assert await archive.label_keys() == ["size", "team", labels.ARCHIVING_STATUS]
    assert await archive.label_values("team") == ["x", "y"]


async def test_a_nul_character_survives(archive: Archive) -> None:
    workflow = finished("w", uid="u1")
    workflow["status"]["message"] = "before\0after \\u0000"
    await archive.save(workflow)

    assert (await archive.get("u1"))["status"]["message"] == "before\0after \\u0000"
    assert (await archive.page(Query(), 1)).items[0]["status"]["message"] == "before\0after \\u0000"


async def test_a_selector_that_cannot_be_read_is_refused_with_its_words(archive: Archive) -> None:
    with pytest.raises(Refused, match="unable to parse requirement"):
        await archive.page(Query(labels="a in ("), 1)


_json = st.recursive(
    st.none() | st.text() | st.integers(-5, 5), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
)


@given(_json)
def test_any_json_survives_the_way_without_nul(value: Any) -> None:
    travelling = orjson.dumps(without_nul(value))
    assert b"\\u0000" not in travelling.replace(b"\\\\", b"")
    assert read_json(travelling) == value
