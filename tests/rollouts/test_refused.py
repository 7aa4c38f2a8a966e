"""A ReplicaSet that the API server refuses is told, tried again, and forgotten with the template that was refused."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from actors.rollout.invalid import refused
from runtime.api import Refused
from runtime.objects import Object, Resource
from tests.rollouts.world import RolloutWorld, rollout, rollout_world
from tiphys.devcluster.inprocess import InProcessApi

pytestmark = pytest.mark.virtual_time


@pytest.mark.parametrize(
    ("said", "first"),
    [
        (
            'ReplicaSet.apps "r-1" is invalid: spec.template.spec.x: Required value',
            "spec.template.spec.x: Required value",
        ),
        (
            'ReplicaSet.apps "r-1" is invalid: [spec.template.spec.x: Invalid value: "a, b": no, spec.template.y: Bad]',
            'spec.template.spec.x: Invalid value: "a, b": no',
        ),
        ("exceeded quota: x", ""),
    ],
)
def test_the_first_thing_that_is_wrong_is_told(said: str, first: str) -> None:
    assert refused(said) == first


async def container(here: RolloutWorld, **more: str) -> None:
    """Another container of the same name, and so another template."""
    wanted = {"name": "app", "image": "v1", **more}
    await here.patch({"spec": {"template": {"spec": {"containers": [wanted]}}}})
    await here.settle()


@pytest.mark.spec("RO-1.2-template")
async def test_a_refused_template_holds_up_no_later_one() -> None:
    async with rollout_world() as here:
        await here.apply(rollout(replicas=2, canary={}))
        await here.until_phase("Healthy")
        for image in ("v2", "v3"):
            await container(here, name="No_Name")
            found = here.condition("InvalidSpec")
            assert found is not None
            place = "spec.template.spec.containers[0].name"
            assert found["message"].startswith(f'The Rollout "r" is invalid: {place}: Invalid value: "No_Name": ')
            assert here.status()["message"] == f"InvalidSpec: {found['message']}"
            assert here.phase() == "Degraded"
            await here.settle(300)  # by now it is tried once a minute
            await container(here, image=image)
            await here.until_phase("Healthy", limit_s=10)
        assert here.sizes() == {1: 0, 2: 0, 3: 2}


async def test_the_refusal_that_is_told_is_the_newest() -> None:
    async with rollout_world() as here:
        await here.apply(rollout(replicas=2, canary={}))
        await here.until_phase("Healthy")
        for name in ("No_Name", "Nor_This"):
            await container(here, name=name)
            found = here.condition("InvalidSpec")
            assert found is not None
            assert name in found["message"]
        await container(here, image="")
        assert "image: Required value" in here.status()["message"]
        await container(here, name="Nor_This")
        assert "Nor_This" in here.status()["message"]
        await container(here, image="v2")
        await here.until_phase("Healthy", limit_s=10)
        assert here.condition("InvalidSpec") is None


async def test_a_refusal_in_ever_other_words_is_tried_until_it_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """A quota, a webhook: what is refused now is accepted later, and each refusal may have its own number in it."""
    refusals = iter(range(1, 6))
    monkeypatch.setattr(InProcessApi, "create", _refusing(InProcessApi.create, refusals))
    async with rollout_world() as here:
        await here.apply(rollout(replicas=1, canary={}))
        await here.until(lambda: bool(here.events("ReplicaSetCreateError")))
        assert here.condition("InvalidSpec") is None
        await here.until_phase("Healthy", limit_s=120)
        assert next(refusals, None) is None


def _refusing(create: object, refusals: Iterator[int]) -> object:
    async def refused(self: InProcessApi, resource: Resource, thing: Object, *, dry_run: bool = False) -> Object:
        number = next(refusals, None) if resource.plural == "replicasets" else None
        if number is not None:
            raise Refused(f"exceeded quota: request {number}", code=403, reason="Forbidden")
        return await create(self, resource, thing, dry_run=dry_run)  # type: ignore[operator, no-any-return]

    return refused
