"""The plugin room: which executor plugins an installation offers, as labelled ConfigMaps define them. (AGENT-6, KIND-9)

One actor for all of them; agents ask it before they make their pod. A definition that cannot be read is left out, and
why is told with the others.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from actors.contract.plugins import unfit
from actors.messages import Plugins, WantsPlugins
from runtime.messages import Command, Gone, Message, Observed, Tell, Told
from runtime.objects import Object

CONTAINER, AUTOMOUNT = "sidecar.container", "sidecar.automountServiceAccountToken"


@dataclass
class PluginState:
    """The ConfigMaps, by namespace and name."""

    known: dict[tuple[str, str], Object] = field(default_factory=dict)


class PluginMind:
    """How the actor that knows the plugins behaves. `namespace` has those that are for everybody."""

    def __init__(self, namespace: str = "") -> None:
        self.namespace = namespace

    def birth(self, address: Any, argument: Any) -> PluginState:
        """None are known yet."""
        del address, argument
        return PluginState()

    def waiting(self, state: PluginState) -> str:
        """What would move it on."""
        return f"to be asked for one of {len(state.known)} plugins"

    def receive(self, state: PluginState, message: Message, now: float) -> Iterable[Command]:
        """Keep the definitions, and answer who asks."""
        del now
        match message:
            case Observed(ref, thing):
                state.known[ref.namespace, ref.name] = thing
            case Gone(ref, _):
                state.known.pop((ref.namespace, ref.name), None)
            case Told(sender, WantsPlugins(namespace)):
                return [Tell(sender, self._offered(state, namespace))]
        return []

    def _offered(self, state: PluginState, namespace: str) -> Plugins:
        """Everybody's and the namespace's own, which wins over one of the same name."""
        chosen = {name: state.known[where, name] for where in (self.namespace, namespace) for name in _of(state, where)}
        found, errors = [], []
        for name, thing in sorted(chosen.items()):
            try:
                found.append(definition(name, thing))
            except ValueError as error:
                errors.append(str(error))
        return Plugins(tuple(found), "; ".join(errors))


def _of(state: PluginState, namespace: str) -> list[str]:
    return [name for where, name in state.known if where == namespace]


def definition(name: str, config_map: Mapping[str, Any]) -> dict[str, Any]:
    """A plugin as `spec.executorPlugins` would have it. Raises ValueError for a ConfigMap that defines none."""
    data = config_map.get("data") or {}
    try:
        container = yaml.safe_load(str(data.get(CONTAINER) or ""))
    except yaml.YAMLError as error:
        raise ValueError(
            f"executor plugin {name!r}: {CONTAINER} is not YAML: {' '.join(str(error).split())}"
        ) from error
    if not isinstance(container, dict):
        raise ValueError(f"executor plugin {name!r}: its ConfigMap has no {CONTAINER}")  # noqa: TRY004  (the user's)
    if wrong := unfit(container):
        raise ValueError(f"executor plugin {name!r}: sidecar is invalid: {wrong}")
    automount = str(data.get(AUTOMOUNT) or "").strip().lower() == "true"
    sidecar = {"container": container, "automountServiceAccountToken": automount}
    return {"metadata": {"name": name.removesuffix("-executor-plugin")}, "spec": {"sidecar": sidecar}}
