"""Where controllers share the work by namespaces: does any of them have the shard of this one?"""

from __future__ import annotations

from actors.names.buckets import group
from runtime.api import Api, ApiError
from runtime.objects import LEASES


async def sentences(api: Api, namespace: str, now: float) -> list[str]:
    """That nobody has it. Nothing when somebody has, when nothing is divided, or when leases may not be looked at."""
    from tiphys.installation.shard_findings import unheld  # noqa: PLC0415  # slow to import, and seldom needed

    try:
        leases = (await api.list(LEASES)).items
    except ApiError:
        return []
    return [
        f"  nobody holds shard {shard.number} of {shard.groups}, which namespace {namespace} is in"
        f" (lease {lease['metadata'].get('namespace')}/{lease['metadata']['name']}): tiphys check says who is there"
        for shard, lease in unheld(leases, lambda groups: group(namespace, groups), now)[:1]
    ]
