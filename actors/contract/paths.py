"""Names that the controller and the programs inside a pod both rely on: volumes, paths, environment, annotations.

A volume whose name starts with `tiphys-` is ours and is only ever reached through the environment variable
`TIPHYS_MOUNT_<VOLUME>`: on a cluster its value is the mount path, on a node without mounts the volume's real directory.
"""

from __future__ import annotations

SHIM_VOLUME = "tiphys-shim"  # the staged program, locks, exit codes, staged outputs
SHIM_MOUNT = "/var/run/tiphys"
SCRIPT_VOLUME = "tiphys-script"  # downwardAPI: the script's source out of an annotation
SCRIPT_MOUNT = "/var/run/tiphys-script"
SCRIPT_FILE = "script"
REPOSITORY_VOLUME = "tiphys-repository"  # hostPath of a file:// artifact repository
REPOSITORY_MOUNT = "/var/run/tiphys-repository"
TOKEN_VOLUME = "tiphys-token"  # noqa: S105  (a volume's name): resource templates talk to the API server
TOKEN_MOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"  # noqa: S105  (a path)
SECRETS_MOUNT = "/var/run/tiphys-secrets"
PLUGIN_VOLUME = "var-run-argo"  # of an agent's pod: a folder for each executor plugin, with its token
PLUGIN_MOUNT = "/var/run/argo"  # where upstream's plugins look for theirs: a fixed path, hence no prefix
DEBUG_MOUNT = "/var/run/argo"  # the shim's volume again, in a container that is paused: where people look for it
PLUGIN_TOKEN = "token"  # noqa: S105  (a file's name)
INPUTS_VOLUME = "input-artifacts"  # mounted piecewise at the artifacts' own paths: not ours alone, so no prefix
INPUTS_MOUNT = "/argo/inputs/artifacts"
MAIN_ROOT = "/mainctrfs"  # main's own volumes, as init and wait see them

MAIN = "main"
OUTPUTS = "main.outputs"  # what is locked until a set's outputs are packed; no container can have this name
WAIT = "wait"
INIT = "init"
TELLER = "tiphys-progress"  # the sidecar that tells what a pod's programs say of their progress

SHIM_FILE = "shim"
SOURCE_FILE = "source"  # a script's source too large for an annotation, written by init
PROGRESS_FILE = "progress"
PROGRESS_ENV = "ARGO_PROGRESS_FILE"  # where a command is to write how far it is
PAUSE_BEFORE_ENV = "ARGO_DEBUG_PAUSE_BEFORE"  # "true": wait for `pause_folder`/before to begin the command
PAUSE_AFTER_ENV = "ARGO_DEBUG_PAUSE_AFTER"  # "true": wait for `pause_folder`/after to report what it did

INSTRUCTIONS_ENV = "TIPHYS_INSTRUCTIONS"  # JSON; continued in TIPHYS_INSTRUCTIONS_1, _2, …
TERMINATION_ENV = "TIPHYS_TERMINATION_MESSAGE_PATH"  # set by a node without mounts: where the message really goes
NONCE_ANNOTATION = "tiphys.io/nonce"
SOURCE_ANNOTATION = "tiphys.io/script-source"
SOURCE_BYTES_MAX = 200 << 10  # all annotations of an object together have 256 KiB


def mount_env(volume: str) -> str:
    """The variable that says where a `tiphys-` volume is: `tiphys-shim` -> `TIPHYS_MOUNT_TIPHYS_SHIM`."""
    return "TIPHYS_MOUNT_" + volume.upper().replace("-", "_")


def termination_file(container: str) -> str:
    """The file of the shim volume that holds a container's frame."""
    return f"termination-{container}"


def argument_file(container: str, number: int) -> str:
    """The file of the shim volume with an argument that is too long for a command line, written by init."""
    return f"argument-{container}-{number}"


def lock_file(container: str) -> str:
    """The file of the shim volume that a running container's shim holds locked; it exists once the shim has started."""
    return f"lock-{container}"


def exit_file(container: str) -> str:
    """The file of the shim volume with a finished container's exit code, as decimal text."""
    return f"exit-{container}"


def pid_file(container: str) -> str:
    """The file of the shim volume with the process id of a container's shim, as that container sees it."""
    return f"pid-{container}"


def pause_folder(container: str) -> str:
    """The folder of the shim volume with the files that a paused container waits for."""
    return f"ctr/{container}"


def log_file(container: str) -> str:
    """The file of the shim volume with a container's stdout and stderr, kept only when logs are archived."""
    return f"log-{container}"


def staged_artifact(number: int) -> str:
    """The file or directory of the shim volume that holds output artifact `number`, packed by the shim."""
    return f"artifact-{number}"
