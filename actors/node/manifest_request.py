"""A pod request is everything a workflow's pod is made of: plain values, decided before it is asked for.

Templates come in fully substituted, with inputs resolved (parameters have `value`, artifacts their location).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from actors.contract.frame import FRAME_BYTES_DEFAULT
from actors.pace import Pace

TokenPolicy = Literal["always", "named", "never"]
Held = Literal["always", "uncollected", "never"]


class BadTemplate(ValueError):
    """No pod can be made of this template; the message names the field and the remedy."""


class UnknownEntrypoint(BadTemplate):
    """The command of an image has to be known and is not; the message says how to name it."""

    def __init__(self, message: str, image: str) -> None:
        super().__init__(message)
        self.image = image


@dataclass(frozen=True, slots=True)
class PodSettings:
    """What the installation decides about all pods."""

    executor_image: str = "tiphys"
    executor_command: tuple[str, ...] = ("python3", "-m", "tiphys.executor")
    image_entrypoints: Mapping[str, tuple[Sequence[str], Sequence[str]]] = field(default_factory=dict)
    """image -> (entrypoint, cmd): for captured containers without `command`"""
    ask_registries: bool = False  # for the commands of images that are not among those
    pod_restarts_max: int = 3  # of a pod that was lost before its program began (RTY-13); 0: none
    frame_bytes: int = FRAME_BYTES_DEFAULT
    main_token: TokenPolicy = "named"  # noqa: S105  (a policy)
    instance_id: str = ""
    sharded: bool = False  # pods carry the bucket of their namespace
    traced: bool = False  # pods carry the ids of their spans (OPS-11)
    main_container: Mapping[str, Any] = field(default_factory=dict)  # merged under each user main container (POD-6)
    executor_container: Mapping[str, Any] = field(default_factory=dict)  # resources, securityContext, env of ours
    host_name_label: str = "kubernetes.io/hostname"  # of RTY-10
    deletion_delay_s: float = 5.0  # of finished pods, where podGC.deleteDelayDuration does not say
    deletion_grace_s: int | None = None  # of those pods; None: their own
    held: Held = "uncollected"
    """Which pods with wanted outputs stay until these are on record, whoever deletes them (PGC-4). By default those
    that podGC will not collect: they are patched at their end anyway, so that holding them costs no request."""
    pace: Pace | None = None  # of all pods that are created (PAR-5)
    agent_pods: bool = True  # are made; else somebody else's agent works off the task sets
    executor_plugins: bool = False  # those that ConfigMaps define are offered to workflows that bring none
    gc_deadline_s: int = 600  # how long artifacts may hold up the deletion of their workflow
    progress_tick_s: float = 60.0  # so often what a running pod says of its progress is read (PROG-2); 0: not at all
    progress_file_s: float = 3.0  # so often it is looked for in its file; 0: not at all
    repository_root: str = ""
    """Directory of the node below which `file://` repositories may lie. Empty refuses them: a workflow's author who
    could name any directory would read the node's files through our pods."""


@dataclass(frozen=True, slots=True)
class PodRequest:
    """One pod of one node. Everything is JSON as in the objects themselves."""

    workflow_name: str
    namespace: str
    workflow_uid: str
    spec: Mapping[str, Any]  # the workflow's (executed) spec
    template: Mapping[str, Any]
    node_id: str
    node_name: str
    pod_name: str
    boundary: Mapping[str, Any] = field(default_factory=dict)  # the enclosing steps or dag template (POD-1)
    include_result: bool = False
    on_exit: bool = False
    active_deadline_s: int | None = None  # None: template.activeDeadlineSeconds, if any
    deadline: str = ""  # of the workflow, RFC 3339: ARGO_DEADLINE
    annotations: Mapping[str, str] = field(default_factory=dict)
    claims: Sequence[tuple[str, str]] = ()  # volume name, claim name: of the workflow's volumeClaimTemplates
    repository: Mapping[str, Any] | None = None  # the resolved artifact repository
    key_format: str | None = None  # its keyFormat, substituted; None: <workflow>/<pod>
    avoid_hosts: Sequence[str] = ()  # hosts of earlier attempts, with retryStrategy.affinity.nodeAntiAffinity
    nonce: str = ""  # empty: derived from workflow uid, node id and pod name
    settings: PodSettings = field(default_factory=PodSettings)
