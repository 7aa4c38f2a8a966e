"""All manifests of an installation, in an order in which they can be applied."""

from __future__ import annotations

import crds
from runtime.objects import Object
from tiphys.installation import eventserver, roles, workload
from tiphys.installation.choice import PART_OF, Choice


def manifests(choice: Choice) -> list[Object]:
    """The objects that make `choice` true: definitions first, the controller last."""
    found = [*definitions()] if choice.definitions else []
    found += [workload.namespace(choice), workload.service_account(choice)]
    found += [*roles.controller_roles(choice)]
    if choice.scope == "cluster":
        found += roles.people_roles()
    found += [workload.service(choice), workload.deployment(choice)]
    if choice.highly_available:
        found.append(workload.disruption_budget(choice))
    if choice.network_policy:
        found.append(workload.network_policy(choice))
    if choice.monitoring:
        found.append(workload.service_monitor(choice))
    if choice.event_server:
        found += [*roles.event_server_roles(choice), *eventserver.objects(choice)]
    return found


def definitions() -> list[Object]:
    """Our CustomResourceDefinitions, labelled as ours: upstream's are left alone by whoever sees the difference."""
    return [_labelled(thing) for thing in crds.manifests()]


def _labelled(thing: Object) -> Object:
    return {**thing, "metadata": {**thing["metadata"], "labels": dict(PART_OF)}}
