"""One command under the shim: started, watched, and ended with all that belongs to it.

One loop waits for three things: signals (through the wake-up descriptor), the command's output, and its end.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import time
from errno import EACCES, ENOENT, ENOEXEC

from actors.contract.frame import RESULT_BYTES_MAX

TYPE_CHECKING = False
if TYPE_CHECKING:
    pass

OUTPUT_GRACE_S = 2.0  # after the command's end, for whoever it left behind with our pipe open
READ_BYTES = 64 << 10
_KEPT = RESULT_BYTES_MAX + 1  # the one trailing newline does not count
_NOT_FORWARDED = {signal.SIGKILL, signal.SIGSTOP, signal.SIGURG}
_OUR_OWN = {signal.SIGPIPE, signal.SIGXFSZ}  # come of what we write ourselves; Python ignores both
_FAULTS = {signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGABRT, signal.SIGTRAP, signal.SIGSYS}
_SUBREAPER = 36  # prctl


CANNOT_START = 64  # upstream's code for a wrapper that could not do its work
STOPPED = 143  # as after SIGTERM


class CannotStart(Exception):
    """The command was not started; the text says why, and `code` is what to end with."""

    def __init__(self, text: str, code: int = CANNOT_START) -> None:
        super().__init__(text)
        self.code = code


class Child:
    """A command and its process group. `code` and `tail` (the end of its stdout) are known after `run`."""

    def __init__(self, command: list[str], *, capture: bool, log: str = "") -> None:
        self.command = command
        self.capture = capture
        self.code = 0
        self.tail = bytearray()
        self.asked_to_stop = False
        self._log = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644) if log else -1
        self._pid = 0
        self._ended = False
        self._outputs: dict[int, int] = {}  # the end of a pipe that we read -> descriptor to copy to

    def run(self) -> None:
        """Start the command, stay until it and its output have ended. Raises CannotStart."""
        _adopt_orphans()
        read_end, write_end = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        before = _install(write_end)
        try:
            self._start()
            self._follow(read_end)
        finally:
            _restore(before)
            os.close(read_end)
            os.close(write_end)
            for pipe in self._outputs:
                os.close(pipe)
            if self._log >= 0:
                os.close(self._log)

    # -------------------------------------------------------------------------------------------- start

    def _start(self) -> None:
        actions: list[tuple[int, int, int] | tuple[int, int]] = []
        ours = []
        for descriptor in (1, 2):
            if self._log >= 0 or (self.capture and descriptor == 1):
                reader, writer = os.pipe2(os.O_CLOEXEC)
                self._outputs[reader] = descriptor
                ours.append(writer)
                actions.append((os.POSIX_SPAWN_DUP2, writer, descriptor))
        env = {name: value for name, value in os.environ.items() if not name.startswith("TIPHYS_INSTRUCTIONS")}
        try:
            self._pid = os.posix_spawnp(
                self.command[0], self.command, env, file_actions=actions, setpgroup=0, setsigmask=[], setsigdef=_OUR_OWN
            )
        except OSError as error:
            raise CannotStart(_reason(self.command[0], error)) from error
        finally:
            for writer in ours:
                os.close(writer)

    # -------------------------------------------------------------------------------------------- follow

    def _follow(self, signals: int) -> None:
        poll = select.poll()
        poll.register(signals, select.POLLIN)
        for pipe in self._outputs:
            poll.register(pipe, select.POLLIN)
        open_pipes = set(self._outputs)
        self._reap()
        close_at = time.monotonic() + OUTPUT_GRACE_S if self._ended else 0.0
        while open_pipes or not self._ended:
            remaining = close_at - time.monotonic()
            if self._ended and remaining <= 0:
                break
            for descriptor, _ in poll.poll(max(remaining, 0) * 1000 + 1 if self._ended else None):
                if descriptor == signals:
                    self._signalled(os.read(signals, 256))
                elif not self._copy(descriptor):
                    poll.unregister(descriptor)
                    open_pipes.discard(descriptor)
            if self._ended and not close_at:
                close_at = time.monotonic() + OUTPUT_GRACE_S

    def _signalled(self, numbers: bytes) -> None:
        for number in numbers:
            if number == signal.SIGCHLD:
                self._reap()
            elif not self._ended:
                self.asked_to_stop = self.asked_to_stop or number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)
                _kill_group(self._pid, number)

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid == self._pid:
                self._ended = True
                code = os.waitstatus_to_exitcode(status)
                self.code = code if code >= 0 else 128 - code

    def _copy(self, pipe: int) -> bool:
        """Pass on what a pipe holds; whether more may come."""
        chunk = os.read(pipe, READ_BYTES)
        if not chunk:
            return False
        target = self._outputs[pipe]
        if self.capture and target == 1:
            self.tail += chunk
            if len(self.tail) > 2 * _KEPT:
                del self.tail[:-_KEPT]
        _write_all(target, chunk)
        if self._log >= 0:
            _write_all(self._log, chunk)
        return True


def kept(tail: bytearray) -> bytes:
    """The end of an output that counts as its result, one trailing newline included."""
    return bytes(tail[-_KEPT:]) if tail.endswith(b"\n") else bytes(tail[-RESULT_BYTES_MAX:])


# ------------------------------------------------------------------------------------------------ system calls


def _install(wakeup: int) -> list[tuple[int, object]]:
    """Send every signal that can be forwarded to the wake-up descriptor."""
    before: list[tuple[int, object]] = []
    for number in sorted(signal.valid_signals() - _NOT_FORWARDED - _OUR_OWN - _FAULTS):
        try:
            before.append((number, signal.signal(number, _noted)))
        except (OSError, ValueError):
            continue  # reserved by the C library
    before.append((-1, signal.set_wakeup_fd(wakeup, warn_on_full_buffer=False)))
    return before


def _restore(before: list[tuple[int, object]]) -> None:
    for number, handler in reversed(before):
        if number == -1:
            signal.set_wakeup_fd(handler)  # type: ignore[arg-type]  # (what set_wakeup_fd gave us)
        elif handler is not None:
            signal.signal(number, handler)  # type: ignore[arg-type]  # (what signal gave us)


def _noted(_number: int, _frame: object) -> None:
    """The wake-up descriptor has it already."""


def _kill_group(group: int, number: int) -> None:
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return
    except PermissionError:  # the program changed its user: the leader may still be ours
        try:
            os.kill(group, number)
        except OSError:
            return


def _adopt_orphans() -> None:
    """Become the parent of what the command leaves behind, as process 1 is anyway."""
    if os.getpid() == 1 or not sys.platform.startswith("linux"):
        return
    import ctypes  # noqa: PLC0415  (only where we are not process 1)

    ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0)


def _write_all(descriptor: int, chunk: bytes) -> None:
    view = memoryview(chunk)
    while view:
        try:
            view = view[os.write(descriptor, view) :]
        except BlockingIOError:
            select.select([], [descriptor], [])
        except OSError:
            return  # nobody reads the log any more: the command's own fate is not decided by that


def _reason(program: str, error: OSError) -> str:
    if error.errno == ENOENT:
        what = "no such file or directory" if "/" in program else "executable file not found in $PATH"
        return f"cannot start {program!r}: {what}"
    if error.errno == EACCES:
        return f"cannot start {program!r}: it is not executable"
    if error.errno == ENOEXEC:
        return f"cannot start {program!r}: not a program for this machine (a script needs a #! line)"
    return f"cannot start {program!r}: {error.strerror}"
