"""What runs read from Secrets: for the provider's eyes alone, anew for every measurement."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from actors.analysis.query import Answer
from runtime.api import Refused, Unavailable
from runtime.objects import SECRETS
from tests.analysis.world import RUNS, Script, lab, metric, run_of
from tests.kernel.coat import Coat

pytestmark = pytest.mark.virtual_time

SECRET = [{"name": "token", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]
ASKS = {"web": {"url": "http://x", "headers": [{"key": "Authorization", "value": "{{args.token}}"}]}}


@pytest.mark.spec("RO-AN-8")
async def test_a_secret_reaches_the_provider_and_no_message():
    script = Script({"m": [Answer(phase="Error", message="hunter2 is wrong")]})
    async with lab(script) as here:
        await here.create(SECRETS, {"metadata": {"name": "s"}, "data": {"k": "aHVudGVyMg=="}})
        wanted = metric(provider=ASKS, consecutiveErrorLimit=0)
        ref = await here.create(RUNS, run_of("r", wanted, args=SECRET))
        status = await here.phase(ref, "Error")

        assert script.queries[0].settings["headers"][0]["value"] == "hunter2"
        assert "hunter2" not in str(await here.get(ref))
        assert '"Error Message: ***** is wrong"' in status["message"]
        assert "hunter2" not in repr(script.queries[0])


async def test_a_secret_is_read_anew_for_every_measurement():
    async with lab() as here:
        secret = await here.create(SECRETS, {"metadata": {"name": "s"}, "stringData": {"k": "one"}})
        await here.create(RUNS, run_of("r", metric(provider=ASKS, interval="10s"), args=SECRET))
        await anyio.sleep(5)
        await here.world.api.patch(secret, {"stringData": {"k": "two"}})
        await anyio.sleep(10)

        said = [query.settings["headers"][0]["value"] for query in here.script.queries]
        assert said == ["one", "two"]


@pytest.mark.parametrize(("content", "message"), [
    (None, 'Unable to resolve metric arguments: secrets "s" not found'),
    ({"other": "eA=="}, "Unable to resolve metric arguments: key 'k' does not exist in secret 's'"),
])  # fmt: skip
async def test_a_secret_that_is_not_there_is_an_error(content, message):
    async with lab() as here:
        if content is not None:
            await here.create(SECRETS, {"metadata": {"name": "s"}, "data": content})
        ref = await here.create(RUNS, run_of("r", metric(provider=ASKS), args=SECRET))
        status = await here.phase(ref, "Error")

        assert status["message"] == message


async def test_a_secret_that_may_not_be_read_says_whose_right_is_missing():
    text = 'secrets "s" is forbidden: User "tiphys" cannot get resource "secrets"'

    def fault(verb: str, subject: Any) -> Exception | None:
        return Refused(text, code=403) if (verb, subject) == ("get", "s") else None

    async with lab(coat=lambda api: Coat(api, fault=fault)) as here:
        ref = await here.create(RUNS, run_of("r", metric(provider=ASKS), args=SECRET))
        status = await here.phase(ref, "Error")

        assert status["message"] == f"Unable to resolve metric arguments: {text}"


async def test_a_secret_that_cannot_be_read_just_now_is_read_later():
    tries: list[str] = []

    def fault(verb: str, subject: Any) -> Exception | None:
        if (verb, subject) == ("get", "s"):
            tries.append(subject)
            return Unavailable("no answer") if len(tries) < 4 else None
        return None

    async with lab(coat=lambda api: Coat(api, fault=fault)) as here:
        await here.create(SECRETS, {"metadata": {"name": "s"}, "data": {"k": "eA=="}})
        ref = await here.create(RUNS, run_of("r", metric(provider=ASKS), args=SECRET))
        await here.phase(ref, "Successful")

        assert len(tries) == 4


async def test_a_providers_own_secret_is_handed_to_it_present_or_not():
    async with lab() as here:
        namespaced = {"datadog": {"query": "q", "secretRef": {"name": "d", "namespaced": True}}}
        await here.create(SECRETS, {"metadata": {"name": "d"}, "stringData": {"api-key": "a"}})
        ref = await here.create(RUNS, run_of("r", metric("a", provider=namespaced),
                                             metric("b", provider={"newRelic": {"query": "q"}}),
                                             metric("c", provider={"wavefront": {"address": "w"}})))  # fmt: skip
        await here.phase(ref, "Successful")

        credentials = {query.metric["name"]: query.credentials for query in here.script.queries}
        assert credentials["a"] == {("default", "d"): {"api-key": "a"}}
        assert credentials["b"] == {("system", "newrelic"): None}
        assert credentials["c"] == {("system", "wavefront-api-tokens"): None}
