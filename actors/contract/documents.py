"""The JSON documents that a controller and the programs inside its pods exchange, as types.

Programs that must start fast import this for type checkers only: `typing` costs more than their whole work.
"""

from __future__ import annotations

from typing import Any, TypedDict


class Spill(TypedDict):
    """Where the rest is: `lines` marked lines whose payload has `bytes` bytes and that SHA-256."""

    bytes: int
    lines: int
    sha256: str


class Content(TypedDict, total=False):
    """What a frame can say. Absent is absent: an empty result is not the same as none."""

    code: int  # exit code of the user's command; 128 + n for a signal
    result: str
    parameters: dict[str, str]
    artifacts: list[dict[str, Any]]  # name and location of what `wait` saved
    error: str  # why the outputs are not there: makes the node Error
    message: str  # the user's own termination message
    progress: str
    undeleted: dict[str, str]  # of a collector: why, by the number of what it was told to delete
    spilled: Spill


class Parameter(TypedDict, total=False):
    """An output parameter: a file's text, or `default` when there is no file."""

    name: str
    path: str
    default: str
    jsonPath: str  # of a resource template
    jqFilter: str


class Staged(TypedDict):
    """An output artifact that the shim packs onto the shared volume; `form` is tar, zip or none."""

    name: str
    path: str
    number: int
    form: str
    level: int


class Transfer(TypedDict, total=False):
    """An artifact to load or save: where it is kept (`location`: a driver's section) and where it lies in the pod.

    `place` is where the executor reads or writes; for an output that the shim packs it is absent."""

    name: str
    path: str
    place: str
    location: dict[str, Any]
    archive: str  # "auto" (inputs only), "tar", "zip", "none"
    level: int
    optional: bool
    mode: int
    recurse: bool
    number: int


class Discard(TypedDict):
    """An artifact to delete; `tree`: it may be a directory, which stores keep below its key."""

    location: dict[str, Any]
    tree: bool


class PluginPlace(TypedDict):
    """An executor plugin of the agent's pod: where it listens."""

    name: str
    port: int


class AgentOrder(TypedDict):
    """Whose tasks an agent works off, and who helps it."""

    taskSet: str
    namespace: str
    workflow: str  # uid
    account: str  # the service account it works under; empty: the namespace's default
    own: str  # the workflow's: of tasks whose template names none
    plugins: list[PluginPlace]


class Instructions(TypedDict, total=False):
    """All that can be asked; each program reads what is its own."""

    container: str
    nonce: str
    budget: int
    user_message: str  # path of the user's own termination message
    result: bool
    parameters: list[Parameter]
    staged: list[Staged]
    keep_log: bool
    after: list[str]  # containers that must have ended with 0 (containerSet)
    peers: list[str]  # all other containers of the set: they may still write main's outputs
    attempts: int  # of the command, in the same container (containerSet)
    pause_s: float  # between attempts
    shims: list[str]  # init: containers that run under the shim
    source: str  # init: a script too large for an annotation
    arguments: dict[str, str]  # init: arguments too long for a command line, by the files that they become
    inputs: list[Transfer]
    outputs: list[Transfer]
    logs: list[Transfer]  # archived logs; `name` is the container's
    mains: list[str]  # wait: the containers (and `paths.OUTPUTS`) whose locks it waits for
    repository_root: str  # directory of the node that the repository volume is
    resource: dict[str, Any]
    listing: Transfer  # data: what to list
    transformation: list[str]  # data: expressions, each over what the one before made
    agent: AgentOrder
    discard: list[Discard]
