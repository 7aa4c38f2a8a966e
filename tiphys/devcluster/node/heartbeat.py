"""The node's sign of life: a Lease renewed every ten seconds, and from time to time its conditions.

A cluster's own controllers (those of a real cluster, if the node joined one) take a node without it for lost. Where
pods are simulated a week of virtual time would be sixty thousand writes: there it is off unless asked for.
"""

from __future__ import annotations

from datetime import UTC, datetime

import anyio

from runtime.api import AlreadyExists, Api, ApiError, Gone
from runtime.log import Log
from runtime.objects import NODES, Object, Reference, Resource
from tiphys.devcluster.node.lifecycle import rfc3339
from tiphys.devcluster.node.settings import Clock

log = Log()

LEASES = Resource("coordination.k8s.io/v1", "Lease", "leases")
NAMESPACE = "kube-node-lease"
LEASE_PERIODS = 4  # how many renewals may be missed: the kubelet's 40 s to its 10 s
STATUS_EVERY_S = 300.0  # the kubelet's nodeStatusReportFrequency


async def beat(api: Api, node: Object, clock: Clock, every_s: float) -> None:
    """Renew until cancelled; what the API server does not take is tried again at the next beat."""
    reported = clock()
    while True:
        try:
            await _renew(api, node, clock(), every_s)
            if clock() - reported >= STATUS_EVERY_S:
                reported = clock()
                await _report(api, node, reported)
        except ApiError as error:
            log.warning("heartbeat.missed", node=node["metadata"]["name"], error=error.message)
        await anyio.sleep(every_s)


async def _renew(api: Api, node: Object, now: float, every_s: float) -> None:
    name = node["metadata"]["name"]
    at = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    spec = {"holderIdentity": name, "leaseDurationSeconds": int(every_s * LEASE_PERIODS), "renewTime": at}
    try:
        await api.patch(Reference(LEASES, NAMESPACE, name), {"spec": spec})
    except Gone:
        await _create(api, node, spec)


async def _create(api: Api, node: Object, spec: Object) -> None:
    name = node["metadata"]["name"]
    owner = await api.get(Reference(NODES, "", name))
    lease = {
        "apiVersion": LEASES.api_version,
        "kind": LEASES.kind,
        "metadata": {
            "name": name,
            "namespace": NAMESPACE,
            "ownerReferences": [{"apiVersion": "v1", "kind": "Node", "name": name, "uid": owner["metadata"]["uid"]}],
        },
        "spec": spec,
    }
    try:
        await api.create(LEASES, lease)
    except Gone:  # no such namespace: not every API server makes it
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
        await api.create(Resource("v1", "Namespace", "namespaces", namespaced=False), namespace)
        await api.create(LEASES, lease)
    except AlreadyExists:
        return


async def _report(api: Api, node: Object, now: float) -> None:
    conditions = [{**entry, "lastHeartbeatTime": rfc3339(now)} for entry in node["status"]["conditions"]]
    ref = Reference(NODES, "", node["metadata"]["name"])
    await api.patch(ref, {"status": {"conditions": conditions}}, kind="strategic", subresource="status")
