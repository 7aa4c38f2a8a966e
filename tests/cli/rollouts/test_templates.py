"""Images and earlier revisions: what becomes of the pod template."""

from __future__ import annotations

import pytest

from tests.cli.rollouts.family import replica_set, rollout, template
from tiphys.cli.problems import InputError
from tiphys.cli.rollouts import templates
from tiphys.cli.rollouts.templates import ImageWish


@pytest.mark.spec("RO-1.14-set-image")
def test_only_the_named_container_gets_another_image_and_the_original_is_not_touched() -> None:
    thing = rollout()
    thing["spec"]["template"]["spec"]["initContainers"] = [{"name": "set-up", "image": "app:2"}]
    made = templates.with_images(thing, [ImageWish("app", "app:3")])
    assert made["spec"]["template"]["spec"]["containers"][0]["image"] == "app:3"
    assert made["spec"]["template"]["spec"]["initContainers"][0]["image"] == "app:2"
    assert thing["spec"]["template"]["spec"]["containers"][0]["image"] == "app:2"


def test_a_star_stands_for_every_container() -> None:
    thing = rollout()
    thing["spec"]["template"]["spec"]["initContainers"] = [{"name": "set-up", "image": "app:2"}]
    made = templates.with_images(thing, templates.image_wishes(["*=app:3"]))
    assert {
        one["image"] for kind in ("containers", "initContainers") for one in made["spec"]["template"]["spec"][kind]
    } == {"app:3"}


def test_an_unknown_container_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(InputError, match=r"unable to find container named 'web'; there are: app"):
        templates.with_images(rollout(), [ImageWish("web", "x")])


@pytest.mark.parametrize("text", ["app", "app=", "=x", ""])
def test_a_wish_without_container_or_image_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="CONTAINER=IMAGE"):
        templates.image_wishes([text])


@pytest.mark.spec("RO-1.14-undo")
def test_undo_takes_the_revision_before_the_newest_without_the_controllers_mark() -> None:
    found = templates.undo(rollout(), template(3), [replica_set(3, 1), replica_set(1, 0), replica_set(2, 0)], 0)
    assert found.template == {
        "metadata": {"labels": {"app": "demo"}},
        "spec": {"containers": [{"name": "app", "image": "app:2"}]},
    }


def test_undo_to_a_named_revision() -> None:
    found = templates.undo(rollout(), template(3), [replica_set(one, 0) for one in (1, 2, 3)], 1)
    assert found.template is not None
    assert found.template["spec"]["containers"][0]["image"] == "app:1"


def test_undo_to_what_is_there_already_is_skipped() -> None:
    found = templates.undo(rollout(), template(2), [replica_set(one, 0) for one in (1, 2)], 2)
    assert found == (None, "skipped rollback (current template already matches revision 2)")


def test_undo_without_such_a_revision_is_refused() -> None:
    with pytest.raises(InputError, match="unable to find specified revision 7 in history; there are: 1, 2"):
        templates.undo(rollout(), template(2), [replica_set(one, 0) for one in (1, 2)], 7)
    with pytest.raises(InputError, match="no rollout history"):
        templates.undo(rollout(), template(1), [replica_set(1, 1)], 0)
