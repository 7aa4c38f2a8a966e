"""The analysis room: its mind, what of the cluster it is told, and who makes its measurements."""

from __future__ import annotations

from actors.addressing import own_address
from actors.analysis.job import JOBS, ROOM, run_address
from actors.analysis.mind import AnalysisMind
from actors.analysis.query import SERVICE, Provider
from actors.analysis.state import RUNS, AnalysisSettings
from actors.names import analysis_labels as keys
from runtime.actor import Room, Watch
from runtime.objects import PODS


def analysis_room(measure: Provider, settings: AnalysisSettings | None = None) -> Room:
    """AnalysisRuns wake their actors; Jobs and their pods are told to the run they were made for.

    `measure` answers the queries of all providers but Jobs."""
    chosen = settings or AnalysisSettings()
    watches = (
        Watch(RUNS, own_address(ROOM, chosen.instance_id), wakes=True),
        Watch(JOBS, run_address, labels=keys.JOB_RUN_UID),
        Watch(PODS, run_address, labels=keys.JOB_RUN_UID),
    )
    return Room(ROOM, AnalysisMind(chosen), watches, {SERVICE: measure})
