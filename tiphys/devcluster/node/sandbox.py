"""A fork server for containers: stand-alone, standard library only, started as `python -I -S sandbox.py FD CONFIG`.

It is forked instead of started anew, so a container costs some milliseconds. In process mode the server first enters
namespaces of its own (with a user namespace when it is not root) and is their pid 1: when it dies, by whatever cause,
the kernel kills every container. Each container is a nested pid namespace whose pid 1 is `attend` below, with a private
mount, hostname and IPC namespace and a root of its own (see `rootfs`). Without namespaces ("plain") a container is a
session of processes, and whoever serves it kills what is left of them.

The node sends one byte and two file descriptors per container: its channel and the write end of its log. On the
channel: first the container as one line of JSON, then commands ({"signal": 15}, {"exec": 1, "argv": […]} with a file
descriptor for the output, {"kill": 1}); back come {"started": true}, {"failed": "…"}, {"exec": 1, "code": 0} and last
{"exit": 3, "oom": false}. Its end of file means that the node is gone, or that the container is.
"""

# os and os.path throughout: pathlib is imported by nobody else here, and costs the start of every node.
# ruff: noqa: PTH103, PTH113, PTH120

from __future__ import annotations

import contextlib
import gc
import json
import os
import select
import signal
import socket
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

    from tiphys.devcluster.node import rootfs
else:
    sys.path.insert(0, os.path.dirname(__file__))  # run by path, isolated: nothing else puts the neighbour in reach
    import rootfs

PATH_MAX_MESSAGE = 1 << 16
MEMORY_LOOK_S = 0.25  # how often the memory of a container with a limit is looked at
EXEC_FAILED = 128  # what the kubelet reports for a command that cannot be started


# ------------------------------------------------------------------------------------------------ the server


def main() -> None:
    """Serve on the socket FD until it closes; CONFIG is JSON: mode, binds."""
    control = socket.socket(fileno=int(sys.argv[1]))
    config = json.loads(sys.argv[2])
    rootfs.die_with_parent()
    plain = config["mode"] == "plain"
    as_root = False
    if not plain:
        try:
            as_root = rootfs.enter_namespaces()
        except OSError as error:
            refuse(control, words(error))
        child = os.fork()
        if child:
            control.close()
            os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) & 0xFF)
        rootfs.die_with_parent()
        try:
            rootfs.prepare_base(config["base"], config["binds"])
        except OSError as error:
            refuse(control, words(error))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the node's to handle
    control.sendall(b"ready root\n" if as_root else b"ready\n")
    gc.collect()
    gc.freeze()
    gc.disable()
    serve(control, plain=plain, config=config)


def refuse(control: socket.socket, why: str) -> NoReturn:
    """Tell the node that this mode does not work here."""
    control.sendall(why.encode() + b"\n")
    os._exit(1)


def serve(control: socket.socket, *, plain: bool, config: dict[str, Any]) -> None:
    """Fork one process per request; when the node closes its end, end (and with pid 1 every container)."""
    own = -1 if plain else os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel reaps
    while True:
        message, fds, _, _ = socket.recv_fds(control, 1, 2)
        if not message:
            break
        keep_from_commands(fds)
        if len(fds) < 2:  # no descriptors left: the node sees both closed
            for fd in fds:
                os.close(fd)
            continue
        channel, log = socket.socket(fileno=fds[0]), fds[1]
        try:
            if not plain:
                rootfs.unshare(rootfs.CLONE_NEWPID)
            child = os.fork()
        except OSError as error:
            send(
                channel,
                {"failed": f"the machine refuses another process: {words(error)}", "reason": "RunContainerError"},
            )
            child = -1
        if child == 0:
            control.close()
            run_container(channel, log, config, plain=plain)
        if not plain:
            rootfs.return_to_pid_namespace(own)
        channel.close()
        os.close(log)
    if not plain:
        os._exit(0)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    with contextlib.suppress(ChildProcessError):
        while True:  # they see their channels close, kill what they serve and end
            os.waitpid(-1, 0)


# ------------------------------------------------------------------------------------------------ one container


def run_container(channel: socket.socket, log: int, config: dict[str, Any], *, plain: bool) -> NoReturn:
    """Be the container's pid 1 (in plain mode its guardian) from here on."""
    code = 1
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        if plain:
            rootfs.adopt_orphans()
        else:
            rootfs.die_with_parent()
        code = Container(channel, log, plain=plain).attend(config)
    except (OSError, ValueError) as error:
        send(channel, {"failed": words(error), "reason": "RunContainerError"})
    finally:
        os._exit(code)


class Container:
    """The processes of one container, and the channel to the node."""

    def __init__(self, channel: socket.socket, log: int, *, plain: bool) -> None:
        self._channel = channel
        self._log = log
        self._plain = plain
        self._buffer = b""
        self._fds: list[int] = []
        self._spec: dict[str, Any] = {}
        self._main = 0
        self._execs: dict[int, int] = {}  # pid -> the node's number of the execution
        self._killed = False
        self._memory_over = False

    def attend(self, config: dict[str, Any]) -> int:
        """Start the command, obey the node, reap, and report the end. Returns this process's exit code."""
        spec = self._receive_spec()
        os.umask(0o022)
        if self._plain:
            os.makedirs(spec["root"], exist_ok=True)
        else:
            rootfs.build(spec, config["base"], config["binds"])
            rootfs.be_like_the_container()
        wake_read, wake_write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK) if hasattr(os, "pipe2") else _pipe()
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, _noop)
        kills = rootfs.oom_kills()
        try:
            self._main = self._spawn(spec["argv"], [self._log])
        except OSError as error:
            send(self._channel, {"failed": str(error), "reason": "StartError"})
            return 0
        os.close(self._log)
        send(self._channel, {"started": True})
        status = self._loop(wake_read)
        self._kill_all()
        code = exit_code(status)
        oom = self._memory_over or (code == 128 + signal.SIGKILL and not self._killed and rootfs.oom_kills() > kills)
        send(self._channel, {"exit": code, "oom": oom})
        return 0

    def _receive_spec(self) -> dict[str, Any]:
        while b"\n" not in self._buffer:
            if not self._receive():
                os._exit(0)
        self._spec = self._take()
        return self._spec

    def _loop(self, wake_read: int) -> int:
        """Serve until the main process ends; its wait status."""
        channel = self._channel.fileno()
        limit = self._spec.get("memory_max")
        while True:
            readable, _, _ = select.select([channel, wake_read], [], [], MEMORY_LOOK_S if limit else None)
            if limit and not self._memory_over:
                self._heed_memory(limit)
            if wake_read in readable:
                with contextlib.suppress(BlockingIOError):
                    os.read(wake_read, 4096)
                status = self._reap()
                if status is not None:
                    return status
            if channel in readable:
                if not self._receive():
                    self._kill_all()
                    os._exit(0)
                while b"\n" in self._buffer:
                    self._obey(self._take())

    def _heed_memory(self, limit: int) -> None:
        """Kill the main process when all of the container's together have more memory than it may."""
        if rootfs.memory_of_descendants(all_processes=not self._plain) > limit:
            self._memory_over = True
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._main, signal.SIGKILL)

    def _receive(self) -> bool:
        try:
            received, fds, _, _ = socket.recv_fds(self._channel, PATH_MAX_MESSAGE, 4)
        except ConnectionError:
            return False
        keep_from_commands(fds)
        self._buffer += received
        self._fds += fds
        return bool(received)

    def _take(self) -> dict[str, Any]:
        line, _, self._buffer = self._buffer.partition(b"\n")
        message: dict[str, Any] = json.loads(line)
        return message

    def _obey(self, command: dict[str, Any]) -> None:
        if "signal" in command:
            number = command["signal"]
            self._killed |= number == signal.SIGKILL
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._main, number)
        elif "exec" in command:
            streams = [self._fds.pop(0) for _ in range(command.get("streams", 1))]  # input, output, errors; or output
            try:
                self._execs[self._spawn(command["argv"], streams)] = command["exec"]
            except OSError as error:
                with contextlib.suppress(OSError):
                    os.write(streams[-1], str(error).encode())
                send(self._channel, {"exec": command["exec"], "code": 126})
            for stream in streams:
                os.close(stream)
        elif "kill" in command:
            for pid, number in self._execs.items():
                if number == command["kill"]:
                    with contextlib.suppress(ProcessLookupError, PermissionError):
                        os.killpg(pid, signal.SIGKILL)

    def _reap(self) -> int | None:
        """Collect ended processes; the main one's status if it is among them."""
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return None
                if pid == self._main:
                    return status
                number = self._execs.pop(pid, None)
                if number is not None:
                    send(self._channel, {"exec": number, "code": exit_code(status)})
        return None

    def _kill_all(self) -> None:
        """Kill every process of the container and wait until none is left."""
        if not self._plain:
            with contextlib.suppress(ProcessLookupError):
                os.kill(-1, signal.SIGKILL)
        else:
            for group in (self._main, *self._execs):
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(group, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            while True:
                if self._plain:
                    for pid in rootfs.children():
                        with contextlib.suppress(ProcessLookupError):
                            os.kill(pid, signal.SIGKILL)
                os.waitpid(-1, 0)

    # -------------------------------------------------------------------------------------------- processes

    def _spawn(self, argv: list[str], streams: list[int]) -> int:
        """Fork and exec in a session of its own; raises OSError in runc's words when the command cannot run."""
        read, write = os.pipe()  # inherited by nobody: close-on-exec is Python's default
        pid = os.fork()
        if pid == 0:
            os.close(read)
            self._become(argv, streams, write)
        os.close(write)
        with os.fdopen(read, "rb") as report:
            failure = report.read().decode()
        if failure:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)
            raise OSError(failure)
        return pid

    def _become(self, argv: list[str], streams: list[int], report: int) -> NoReturn:
        try:
            os.setsid()
            null = os.open("/dev/null", os.O_RDONLY)
            for target, source in enumerate(streams if len(streams) == 3 else (null, streams[0], streams[0])):
                os.dup2(source, target)
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT, signal.SIGCHLD):
                signal.signal(number, signal.SIG_DFL)
            self._change_directory()
            rootfs.become_user(self._spec.get("uid"), self._spec.get("gid"), self._spec.get("groups") or [])
            execute(argv, self._spec["env"])
        except OSError as error:
            os.write(report, words(error).encode())
        finally:
            os._exit(EXEC_FAILED)

    def _change_directory(self) -> None:
        directory = self._spec["cwd"]
        with contextlib.suppress(OSError):
            os.makedirs(directory, exist_ok=True)
        os.chdir(directory)


def execute(argv: list[str], env: dict[str, str]) -> NoReturn:
    """Replace this process; raises OSError in the words of runc."""
    command = argv[0] if argv else ""
    variables = {key.encode(): value.encode("utf-8", "surrogateescape") for key, value in env.items()}
    arguments = [argument.encode("utf-8", "surrogateescape") for argument in argv]
    if "/" in command:
        try:
            os.execve(command, arguments, variables)  # noqa: S606 - running commands is what this is for
        except OSError as error:
            what = "stat" if isinstance(error, FileNotFoundError) else "fork/exec"
            raise OSError(f'exec: "{command}": {what} {command}: {os.strerror(error.errno or 0).lower()}') from None
    for directory in env.get("PATH", "").split(":"):
        candidate = f"{directory}/{command}"
        if command and os.path.isfile(candidate) and os.access(candidate, os.X_OK):
            os.execve(candidate, arguments, variables)  # noqa: S606 - as above
    raise OSError(f'exec: "{command}": executable file not found in $PATH')


def exit_code(status: int) -> int:
    """A wait status as shells and the kubelet count: 128 + n for signal n."""
    code = os.waitstatus_to_exitcode(status)
    return 128 - code if code < 0 else code


def words(error: OSError | ValueError) -> str:
    """An error as a sentence, without its number."""
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def keep_from_commands(fds: list[int]) -> None:
    """Close on exec: descriptors that come over a socket are inheritable."""
    for fd in fds:
        os.set_inheritable(fd, False)


def send(channel: socket.socket, message: dict[str, Any]) -> None:
    """One line of JSON to the node; a node that is gone does not matter."""
    with contextlib.suppress(OSError):
        channel.sendall(json.dumps(message).encode() + b"\n")


def _pipe() -> tuple[int, int]:
    ends = os.pipe()
    for end in ends:
        os.set_blocking(end, False)
    return ends


def _noop(number: int, frame: Any) -> None:
    """SIGCHLD must have a handler to write to the wake-up pipe."""


if __name__ == "__main__":
    main()
