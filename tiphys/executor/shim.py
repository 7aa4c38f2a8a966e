"""The shim runs the user's command as process 1 would, and says in a frame how it ended and what it made.

`shim -- COMMAND [ARG…]` starts the command in its own process group, forwards every signal to that group, reaps what
is orphaned, passes stdout on as it comes (keeping the end of it when the result is wanted), and after the end reads
the output files, packs output artifacts and writes the frame. Its exit code is the command's; 128 + n for a signal;
64 when the command cannot be started; 143 when a container that it waits for was killed. It holds a lock from start to
end: who waits for the lock learns of the end whatever its cause. `shim kill SIGNAL` signals the running shim of the
same container. `shim progress SECONDS` looks that often at what the commands say of their progress, and prints it when
it has changed.

It runs in front of the user's program in every captured pod: standard library only, few imports, nothing kept growing.
"""

from __future__ import annotations

import fcntl
import os
import signal
import sys
import time
from errno import ENOENT

from actors.contract import frame, paths
from actors.contract.instructions import from_env
from tiphys.executor.shim_process import CANNOT_START, STOPPED, CannotStart, Child, kept
from tiphys.executor.shim_progress import progress_in, tell

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from actors.contract.documents import Content, Instructions


def main(argv: Sequence[str] | None = None) -> int:
    """Run as a program; returns the exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments[:1] == ["kill"]:
        return kill(arguments[1:])
    if arguments[:1] == ["progress"] and len(arguments) == 2:
        return tell(shim_directory(), float(arguments[1]))
    if arguments[:1] != ["--"] or len(arguments) < 2:
        sys.stderr.write("usage: shim -- COMMAND [ARG...] | shim kill SIGNAL | shim progress SECONDS\n")
        return CANNOT_START
    return run(arguments[1:], from_env(os.environ), shim_directory())


def shim_directory() -> str:
    """Where the shared volume is: at its mount path, or where a node without mounts says."""
    return os.environ.get(paths.mount_env(paths.SHIM_VOLUME), paths.SHIM_MOUNT)


def run(command: Sequence[str], told: Instructions, directory: str) -> int:
    """Run `command` as told and report; the exit code to end with."""
    name = told["container"]
    for number in (signal.SIGTERM, signal.SIGINT):  # while nothing runs: process 1 would ignore them
        signal.signal(number, _leave)
    locked = [paths.OUTPUTS, name] if told.get("peers") else [name]
    locks = [hold(f"{directory}/{paths.lock_file(entry)}") for entry in locked]
    _write(f"{directory}/{paths.pid_file(name)}", str(os.getpid()))
    content: Content = {}
    tail = b""
    try:
        child = run_in_turn(list(command), told, directory)
        content["code"], tail = child.code, kept(child.tail)
    except CannotStart as error:
        content = {"code": error.code, "message": str(error)}
        sys.stderr.write(f"{error}\n")
    if told.get("peers"):
        gather(told, content["code"], locks.pop(), directory)
    collect(content, tail, told, directory)
    report(content, told, directory)
    _write(f"{directory}/{paths.exit_file(name)}", str(content["code"]))
    os.close(locks.pop())
    return content["code"]


def run_in_turn(command: list[str], told: Instructions, directory: str) -> Child:
    """Run the command when it may begin, and pause where the environment says so. Raises CannotStart."""
    name, before, after = told["container"], _is_set(paths.PAUSE_BEFORE_ENV), _is_set(paths.PAUSE_AFTER_ENV)
    if not (before or after):
        wait_for_others(told.get("after", ()), directory)
        return attempts(found_here(command, directory), told, directory)
    from tiphys.executor import shim_pause  # noqa: PLC0415  (few are ever paused)

    shim_pause.open_to_pauses(directory, name)
    wait_for_others(told.get("after", ()), directory)
    if before:
        shim_pause.pause_before(directory, name)
    child = attempts(found_here(command, directory), told, directory)
    if after and not child.asked_to_stop:
        shim_pause.pause_after(directory, name)
    return child


def hold(path: str) -> int:
    """Create and lock a file; it appears under its name only when it is locked."""
    early = f"{path}.{os.getpid()}"
    lock = os.open(early, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    fcntl.flock(lock, fcntl.LOCK_EX)
    os.rename(early, path)  # noqa: PTH104  (see frame.py: pathlib is slow to import)
    return lock


def wait_for_others(names: Sequence[str], directory: str) -> None:
    """Wait until these containers of the set have ended. Raises CannotStart unless all ended with 0 (CSET-1)."""
    for name in names:
        wait_for_end(name, directory)
        code = exit_code(name, directory)
        if code != 0:
            if code is None:
                raise CannotStart(f'dependency "{name}" was killed', STOPPED)
            raise CannotStart(f'dependency "{name}" exited with non-zero code: {code}')


def gather(told: Instructions, code: int, lock: int, directory: str) -> None:
    """Let main's dependants go on, then wait until every container of the set has ended: until then its outputs may
    still be written (ART-11)."""
    for number in (signal.SIGTERM, signal.SIGINT):  # the others are told as well, and then there is something to report
        signal.signal(number, signal.SIG_IGN)
    _write(f"{directory}/{paths.exit_file(told['container'])}", str(code))
    os.close(lock)
    for name in told["peers"]:
        wait_for_end(name, directory)


def wait_for_end(name: str, directory: str) -> None:
    """Block until the shim of container `name` has started and ended, however it ended."""
    path = f"{directory}/{paths.lock_file(name)}"
    while True:
        try:
            lock = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            break
        except FileNotFoundError:
            time.sleep(0.05)  # containers start in any order; a directory cannot be waited for without more imports
    fcntl.flock(lock, fcntl.LOCK_SH)
    os.close(lock)


def exit_code(name: str, directory: str) -> int | None:
    """The code that container `name` ended with; None when it was killed before it could say."""
    try:
        return int(_read(f"{directory}/{paths.exit_file(name)}", 16))
    except (OSError, ValueError):
        return None


def found_here(command: list[str], directory: str) -> list[str]:
    """The command as it can be started: a node without mounts has no images, so only a program's name can be found."""
    if directory == paths.SHIM_MOUNT or "/" not in command[0] or os.access(command[0], os.F_OK):
        return command
    return [command[0].rpartition("/")[2], *command[1:]]


def attempts(command: list[str], told: Instructions, directory: str) -> Child:
    """Run the command until it succeeds or the attempts of the containerSet's retryStrategy are used up (CSET-4)."""
    log = f"{directory}/{paths.log_file(told['container'])}" if told.get("keep_log") else ""
    left = told.get("attempts", 1)
    while True:
        child = Child(command, capture=bool(told.get("result")), log=log)
        child.run()
        left -= 1
        if child.code == 0 or left <= 0 or child.asked_to_stop:
            return child
        time.sleep(told.get("pause_s", 0.0))


def kill(arguments: Sequence[str]) -> int:
    """Send a signal to the shim of this container, which passes it on."""
    try:
        number = int(arguments[0])
        pid = int(_read(f"{shim_directory()}/{paths.pid_file(os.environ.get('ARGO_CONTAINER_NAME', paths.MAIN))}", 16))
        os.kill(pid, number)
    except (IndexError, ValueError, OSError) as error:
        sys.stderr.write(f"kill: {error}\n")
        return 1
    return 0


# ------------------------------------------------------------------------------------------------ what it made


def collect(content: Content, tail: bytes, told: Instructions, directory: str) -> None:
    """Put result, parameters, the user's message and packed artifacts where they belong."""
    if told.get("result"):
        content["result"] = text_of(tail.removesuffix(b"\n"))
    message = users_message(told.get("user_message", ""), directory)
    if message and "message" not in content:
        content["message"] = message
    progress = progress_in(directory)
    if progress:
        content["progress"] = progress
    parameters: dict[str, str] = {}
    for entry in told.get("parameters", ()):
        value, error = parameter(entry.get("path", ""), entry.get("default"))
        if value is not None:
            parameters[entry["name"]] = value
        elif "error" not in content:
            content["error"] = f"output parameter {entry['name']!r}: {error}"
    if parameters:
        content["parameters"] = parameters
    if told.get("staged"):
        from tiphys.executor.pack import stage  # noqa: PLC0415  (tarfile is slow to import, and few pods need it)

        for artifact in told["staged"]:
            stage(artifact, directory)


def parameter(path: str, default: str | None) -> tuple[str | None, str]:
    """The value of an output parameter, or None and why (PARAM-4, PARAM-5)."""
    if not path:
        return default, "no path and no default"
    try:
        with open(path, "rb") as file:  # noqa: PTH123  (pathlib costs more than the rest of the shim)
            content = file.read(frame.CONTENT_BYTES_MAX + 1)
    except OSError as error:
        if default is not None:
            return default, ""
        why = "no such file" if error.errno == ENOENT else error.strerror
        return None, f"cannot read {path}: {why}; write the file, or give the parameter a valueFrom.default"
    if len(content) > frame.CONTENT_BYTES_MAX:
        return None, f"{path} has more than {frame.CONTENT_BYTES_MAX} bytes: make it an output artifact"
    return text_of(content.removesuffix(b"\n")), ""


def text_of(raw: bytes) -> str:
    """Bytes as text: what is no UTF-8 becomes U+FFFD, as in every JSON that Kubernetes writes."""
    start = 0
    while start < min(3, len(raw)) and len(raw) >= frame.RESULT_BYTES_MAX - 1 and raw[start] & 0xC0 == 0x80:
        start += 1  # the tail of a long output may begin inside a character
    return raw[start:].decode("utf-8", "replace")


def users_message(path: str, directory: str) -> str:
    """What the user's program wrote for Kubernetes to show; a node without mounts has no such file of its own."""
    if not path or directory != paths.SHIM_MOUNT:
        return ""
    return _read_text(path, frame.MESSAGE_BYTES_MAX).strip()


def report(content: Content, told: Instructions, directory: str) -> None:
    """Write the frame as this container's termination message, and what does not fit at the end of its log."""
    text, lines = frame.encode(content, told["nonce"], told["budget"])
    if lines:
        _all_out("".join(f"{line}\n" for line in lines).encode())
    try:
        _write(termination_path(told["container"], directory), text)
    except OSError as error:
        sys.stderr.write(f"cannot write the termination message: {error}\n")


def termination_path(container: str, directory: str) -> str:
    """The file that becomes this container's termination message."""
    return os.environ.get(paths.TERMINATION_ENV) or f"{directory}/{paths.termination_file(container)}"


def _is_set(variable: str) -> bool:
    return os.environ.get(variable) == "true"


def _leave(number: int, _frame: object) -> None:
    os._exit(128 + number)


def _all_out(raw: bytes) -> None:
    view = memoryview(raw)
    while view:
        try:
            view = view[os.write(1, view) :]
        except OSError:
            return  # nobody reads the log: the frame's checksum will tell


def _write(path: str, text: str) -> None:
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
    try:
        os.write(file, text.encode())
    finally:
        os.close(file)


def _read(path: str, limit: int) -> bytes:
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(file, limit)
    finally:
        os.close(file)


def _read_text(path: str, limit: int) -> str:
    try:
        return _read(path, limit).decode("utf-8", "replace")
    except OSError:
        return ""
