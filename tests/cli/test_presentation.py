"""What upstream's web interface shows is kept, and shown where there is no web interface."""

from __future__ import annotations

import pytest

from runtime.objects import Object
from tiphys.cli import control, show
from tiphys.cli.screen import Screen
from tiphys.configuration.notices import notices
from tiphys.configuration.problems import BadConfiguration
from tiphys.configuration.reading import parsed

TITLE, DESCRIPTION = "workflows.argoproj.io/title", "workflows.argoproj.io/description"


def workflow(**annotations: str) -> Object:
    meta = {"name": "w", "namespace": "n", "annotations": annotations, "labels": {"team": "x"}}
    return {"metadata": meta, "spec": {}, "status": {"phase": "Running"}}


@pytest.mark.spec("UI-1")
def test_a_title_and_a_description_are_shown_and_a_hard_one_stays_on_its_line() -> None:
    thing = workflow(**{TITLE: "**Build** the docs", DESCRIPTION: "first line\nsecond\x1b[31m line"})
    lines = show.header(thing, 0.0, Screen())

    (title,) = [line for line in lines if line.startswith("Title:")]
    (description,) = [line for line in lines if line.startswith("Description:")]
    assert title.endswith("**Build** the docs")
    assert "first line" in description
    assert "\x1b" not in description
    assert not any(line.startswith(("Title:", "Description:")) for line in show.header(workflow(), 0.0, Screen()))


@pytest.mark.spec("UI-2")
def test_links_columns_and_the_colour_are_taken_and_nobody_is_told_that_they_are_shown() -> None:
    links = [{"name": "Grafana", "scope": "pod", "url": "https://g?n=${metadata.namespace}&p=${metadata.name}"}]
    columns = [{"name": "Team", "type": "label", "key": "team"}]
    read = parsed({"links": links, "columns": columns, "navColor": "#f0f"})

    assert (read.links, read.columns, read.navColor) == (links, columns, "#f0f")
    assert [notice.split(":")[0] for notice in notices(read)] == ["links", "columns", "navColor"]
    assert all("(UI-2)" in notice for notice in notices(read))


@pytest.mark.spec("UI-2")
def test_links_that_are_no_list_are_a_mistake() -> None:
    with pytest.raises(BadConfiguration, match="links"):
        parsed({"links": {"name": "Grafana"}})


@pytest.mark.spec("OP-9")
@pytest.mark.parametrize("strategy", ["Stop", "Terminate"])
def test_without_a_server_nobody_is_named_as_the_actor_and_labels_stay(strategy: str) -> None:
    before = workflow()
    stamped = {**before["metadata"]["labels"], "workflows.argoproj.io/actor": "sso-user"}
    before["metadata"]["labels"] = stamped

    assert control.shut_down(before, strategy)["metadata"]["labels"] == stamped
    assert control.suspended(workflow())["metadata"]["labels"] == {"team": "x"}
