"""Does it live, and is it ready? Two lists of complaints, read off the statistics; empty means yes.

Alive: the loop reads whom it has to read, and every supervised task runs. A process that is not should be restarted.
Ready: every cache was filled once and is fresh, and it is known who leads; a standby is as ready as a leader.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from runtime.informer import WATCH_GRACE_S, WATCH_TIMEOUT_S

if TYPE_CHECKING:
    from runtime.election import ElectionStatistics
    from runtime.statistics import SystemStatistics

STUCK_S = 30.0
"""An actor that has been ready to read for so long will not be read any more."""

FAILING_S = 60.0
"""A watch that fails for so long is no longer weather: what the cache says may be old."""

SILENT_S = WATCH_TIMEOUT_S + WATCH_GRACE_S + 30.0
"""A server that has said nothing for so long should have been hung up on."""

UNCONFIRMED_S = 30.0
"""A lease that nobody has renewed or read for so long may be anybody's."""


def not_alive(now: SystemStatistics) -> list[str]:
    """Why the process should be restarted."""
    complaints = [f"{child.name} does not run" for child in now.children if child.wanted and not child.running]
    if now.registry.ready and now.scheduler.idle_s > STUCK_S:
        complaints.append(f"{now.registry.ready} actors have waited to read for {now.scheduler.idle_s:.0f} s")
    return complaints


def not_ready(now: SystemStatistics) -> list[str]:
    """Why nothing should be expected of it at this moment."""
    complaints = []
    for informer in now.informers:
        name = informer.resource.plural + (f" ({informer.labels})" if informer.labels else "")
        if not informer.synced:
            complaints.append(f"{name}: not listed yet" + (f": {informer.error}" if informer.error else ""))
        elif informer.served and informer.silent_s > (FAILING_S if informer.error else SILENT_S):
            why = f": {informer.error}" if informer.error else ""
            complaints.append(f"{name}: nothing heard for {informer.silent_s:.0f} s{why}")
    if not now.elections and not complaints and not now.ready:
        complaints.append("actors are being born")
    for election in now.elections:
        complaints += _of_election(election, born=now.ready or bool(complaints))
    return complaints


def _of_election(election: ElectionStatistics, *, born: bool) -> list[str]:
    if not election.known:
        return [f"it is not known who holds the lease {election.lease}"]
    if election.unconfirmed_s > UNCONFIRMED_S:
        return [f"the lease {election.lease} was not confirmed for {election.unconfirmed_s:.0f} s"]
    return ["actors are being born"] if election.held and not born else []
