"""Steps of Rollouts that packages bring along: entry points of the group `tiphys.step_plugins`.

Each is an async function from a `PluginQuery` to a `PluginAnswer`, and its name is the name of the step's plugin.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import cache
from importlib.metadata import entry_points
from typing import Final, cast

from actors.rollout.plan import PluginAnswer, PluginQuery
from actors.rollout.state import RolloutSettings
from runtime.log import Log
from tiphys.providers.surroundings import balancer_tag, routers, verifies_weights

GROUP: Final = "tiphys.step_plugins"

StepPlugin = Callable[[PluginQuery], Awaitable[PluginAnswer]]

log = Log()


def rollout_settings() -> RolloutSettings:
    """The settings of an installation with the plugins of its packages, and of where it runs."""
    names = frozenset(point.name for point in entry_points(group=GROUP))
    return RolloutSettings(
        routers=routers(), step_plugins=names, verifies_weights=verifies_weights(), balancer_tag=balancer_tag()
    )


async def ask(query: PluginQuery) -> PluginAnswer:
    """Call the plugin. Never raises but for cancellation."""
    try:
        return await load(query.call.name)(query)
    except LookupError:
        return PluginAnswer(error=f"step plugin {query.call.name} is not installed")
    except Exception as error:  # noqa: BLE001  # a plugin may fail in any way; the Rollout says so and asks again
        log.warning("step.broke", plugin=query.call.name, error=type(error).__name__)
        return PluginAnswer(error=f"step plugin {query.call.name} broke: {type(error).__name__}: {error}")


@cache
def load(name: str) -> StepPlugin:
    """The plugin of this name. Raises LookupError for one that is not there."""
    found = [point for point in entry_points(group=GROUP) if point.name == name]
    if not found:
        raise LookupError(name)
    return cast("StepPlugin", found[0].load())
