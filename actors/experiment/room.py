"""The experiment room: its mind, and what of the cluster it is told."""

from __future__ import annotations

from actors.addressing import controlled_by, own_address
from actors.experiment.analyses import RUNS
from actors.experiment.makes import EXPERIMENTS, REPLICA_SETS
from actors.experiment.mind import ExperimentMind
from actors.experiment.state import ROOM
from actors.names.podhash import HASH_LABEL
from runtime.actor import Room, Watch
from runtime.objects import SERVICES


def experiment_room(instance_id: str = "") -> Room:
    """Experiments wake their actors; what they made is told to the Experiment that controls it."""
    made = controlled_by(ROOM, EXPERIMENTS.kind)
    watches = (
        Watch(EXPERIMENTS, own_address(ROOM, instance_id), wakes=True),
        Watch(REPLICA_SETS, made, labels=HASH_LABEL),
        Watch(SERVICES, made),
        Watch(RUNS, made),
    )
    return Room(ROOM, ExperimentMind(), watches)
