"""A container's root: the machine's system directories read-only, everything else fresh. Linux system calls by ctypes.

Imported by `sandbox` (by path, without the package): standard library only. The server binds the system directories
once, read-only, below its base; a container then needs one mount call for each.
"""

# os and os.path throughout: pathlib would cost every container half a millisecond.
# ruff: noqa: PTH101, PTH102, PTH103, PTH106, PTH112, PTH115, PTH116, PTH120, PTH123, PTH208, PTH211

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import socket
import stat
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:  # its import costs the start of every node
    from typing import Any

CLONE_NEWNS = 0x00020000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT = 1, 2, 4, 8, 32
MS_BIND, MS_REC, MS_PRIVATE = 4096, 16384, 1 << 18
MNT_DETACH = 2
KEPT_FLAGS = 1 | 2 | 4 | 8 | 1024 | 2048 | 4096  # what a remount in a user namespace may not take away

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_CAPBSET_DROP, PR_SET_CHILD_SUBREAPER = 1, 4, 24, 36
CAPABILITY_VERSION = 0x20080522
SYS_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}
SYS_MOUNT_SETATTR = 442  # the same on every architecture
AT_RECURSIVE = 0x8000

# What a root in a container may do, as container engines grant it (mknod left out): chown, dac_override, fowner,
# fsetid, kill, setgid, setuid, setpcap, net_bind_service, net_raw, sys_chroot, audit_write, setfcap.
CAPABILITIES = frozenset({0, 1, 3, 4, 5, 6, 7, 8, 10, 13, 18, 29, 31})

FRESH = ("tmp", "root", "home", "var", "var/tmp", "run", "opt", "mnt", "srv", "media", "proc", "sys", "dev", ".old")
DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
READ_ONLY_PROC = ("sys", "sysrq-trigger", "irq", "bus", "fs")
HIDDEN_PROC = ("kcore", "keys", "timer_list", "kmsg")

_libc = ctypes.CDLL(None, use_errno=True)
_LINUX = sys.platform == "linux"


def _check(result: int, what: str) -> None:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number).lower()}")


def unshare(flags: int) -> None:
    """Leave namespaces for new ones."""
    _check(_libc.unshare(flags), "unshare")


def return_to_pid_namespace(fd: int) -> None:
    """Children are born into that pid namespace again."""
    _check(_libc.setns(fd, CLONE_NEWPID), "setns")


def mount(source: str, target: str, kind: str = "", flags: int = 0, options: str = "") -> None:
    """mount(2)."""
    result = _libc.mount(
        source.encode(), target.encode(), kind.encode() or None, ctypes.c_ulong(flags), options.encode()
    )
    _check(result, f"mount {source or kind} on {target}")


def die_with_parent() -> None:
    """Be killed when the parent dies (Linux)."""
    if _LINUX:
        _libc.prctl(PR_SET_PDEATHSIG, 9, 0, 0, 0)


def adopt_orphans() -> None:
    """Become the parent of descendants whose parent dies (Linux), so that none can slip away."""
    if _LINUX:
        _libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def children() -> list[int]:
    """The pids of this process's children; empty where the system does not tell."""
    try:
        with open(f"/proc/self/task/{os.getpid()}/children", encoding="ascii") as pids:
            return [int(pid) for pid in pids.read().split()]
    except OSError:
        return []


def memory_of_descendants(*, all_processes: bool) -> int:
    """The anonymous memory, in bytes, of this process's descendants, or of all processes that can be seen but this
    one; 0 where the system does not tell."""
    total, page = 0, os.sysconf("SC_PAGE_SIZE")
    todo = [int(name) for name in os.listdir("/proc") if name.isdigit()] if all_processes else children()
    while todo:
        pid = todo.pop()
        if pid == os.getpid():
            continue
        with contextlib.suppress(OSError, ValueError, IndexError):
            with open(f"/proc/{pid}/statm", "rb") as sizes:
                _, resident, shared, *_ = sizes.read().split()
            total += max(int(resident) - int(shared), 0) * page
            if not all_processes:
                with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as pids:
                    todo += [int(child) for child in pids.read().split()]
    return total


def oom_kills() -> int:
    """How many processes the machine has killed for want of memory since it started; 0 where it does not tell."""
    with contextlib.suppress(OSError, ValueError), open("/proc/vmstat", "rb") as counters:
        for line in counters:
            if line.startswith(b"oom_kill "):
                return int(line.split()[1])
    return 0


# ------------------------------------------------------------------------------------------------ the server's part


def enter_namespaces() -> bool:
    """New mount and pid namespaces, the next child is pid 1; with a user namespace for who is not the machine's root.

    True when it went without one. Raises OSError when the machine refuses."""
    uid, gid = os.geteuid(), os.getegid()
    if uid == 0:
        with contextlib.suppress(PermissionError):  # a root without CAP_SYS_ADMIN, as in a container
            unshare(CLONE_NEWNS | CLONE_NEWPID)
            return True
    unshare(CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUSER)
    for name, text in (("setgroups", "deny"), ("uid_map", f"0 {uid} 1"), ("gid_map", f"0 {gid} 1")):
        try:
            with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
                file.write(text)
        except OSError as error:
            raise OSError(error.errno, f"/proc/self/{name}: {os.strerror(error.errno or 0).lower()}") from None
    return False


def prepare_base(base: str, binds: list[str]) -> None:
    """Bind every directory of `binds` read-only below `base`, by number; /sys too where it can be made so."""
    mount("none", "/", "", MS_REC | MS_PRIVATE)
    for number, directory in enumerate(binds):
        place = f"{base}/{number}"
        os.makedirs(place, exist_ok=True)
        mount(directory, place, "", MS_BIND | MS_REC)
        if not _all_read_only(place):
            _remount_read_only(place)
    os.makedirs(f"{base}/sys", exist_ok=True)
    mount("/sys", f"{base}/sys", "", MS_BIND | MS_REC)
    if not _all_read_only(f"{base}/sys"):
        _check(_libc.umount2(f"{base}/sys".encode(), MNT_DETACH), "umount /sys")


class _MountAttributes(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint64) for name in ("attr_set", "attr_clr", "propagation", "userns_fd")]


def _all_read_only(path: str) -> bool:
    """Make a mount and all below it read-only (Linux 5.12); False where that is not known."""
    wanted = _MountAttributes(attr_set=MS_RDONLY)
    size = ctypes.c_size_t(ctypes.sizeof(wanted))
    return bool(_libc.syscall(SYS_MOUNT_SETATTR, -100, path.encode(), AT_RECURSIVE, ctypes.byref(wanted), size) == 0)


def _remount_read_only(path: str) -> None:
    flags = os.statvfs(path).f_flag & KEPT_FLAGS
    mount("none", path, "", MS_BIND | MS_REMOUNT | MS_RDONLY | flags)


# ------------------------------------------------------------------------------------------------ a container's part


def build(spec: dict[str, Any], base: str, binds: list[str]) -> None:
    """Make `spec["root"]` this process's root, in mount, hostname and IPC namespaces of its own."""
    unshare(CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC)
    with contextlib.suppress(OSError):
        socket.sethostname(spec["hostname"])
    _enter(spec["root"])
    for number, directory in enumerate(binds):
        if os.path.isdir(f"/.old{base}/{number}"):
            _bind(f"{base}/{number}", directory, recursive=True)
    for link, target in spec["links"].items():
        _link(link, target)
    _mount_proc(as_root=spec["as_root"])
    _mount_dev()
    if os.listdir(f"/.old{base}/sys"):
        mount(f"/.old{base}/sys", "/sys", "", MS_BIND | MS_REC)
    for entry in spec["mounts"]:
        _bind(entry["source"], entry["target"], read_only=entry["read_only"])
    _check(_libc.umount2(b"/.old", MNT_DETACH), "umount of the old root")
    os.rmdir("/.old")
    for capability in range(64):
        if capability not in CAPABILITIES and _libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) < 0:
            break  # beyond the last one this kernel knows


def _enter(root: str) -> None:
    """Make `root` the root; the machine's is at /.old until the end."""
    for name in FRESH:
        os.makedirs(f"{root}/{name}", exist_ok=True)
    for name in ("tmp", "var/tmp"):
        os.chmod(f"{root}/{name}", 0o1777)  # noqa: S103 - as /tmp is everywhere
    with contextlib.suppress(FileExistsError):  # as in nearly every image
        os.symlink("../run", f"{root}/var/run")
    mount(root, root, "", MS_BIND)
    os.chdir(root)
    number = SYS_PIVOT_ROOT.get(os.uname().machine)
    if number is None:
        raise OSError(errno.ENOSYS, f"pivot_root is not known for {os.uname().machine}: use plain mode")
    _check(_libc.syscall(number, b".", b".old"), "pivot_root")
    os.chdir("/")


def _link(link: str, target: str) -> None:
    """A symlink, unless something is there."""
    make_directory(os.path.dirname(link))
    with contextlib.suppress(FileExistsError):
        os.symlink(target, link)


def _bind(source: str, target: str, *, read_only: bool = False, recursive: bool = False) -> None:
    """Bind the machine's `source` at `target`, making the mount point, also inside read-only directories."""
    outer = f"/.old{source}"
    if stat.S_ISDIR(os.stat(outer).st_mode):
        make_directory(target)
    else:
        make_directory(os.path.dirname(target))
        _touch(target)
    mount(outer, target, "", MS_BIND | (MS_REC if recursive else 0))
    if read_only:
        _remount_read_only(target)


def make_directory(path: str) -> None:
    """mkdir -p that also works below read-only binds: those on the way are replaced by copies made of binds."""
    while True:
        try:
            os.makedirs(path, exist_ok=True)
        except OSError as error:
            if error.errno != errno.EROFS:
                raise
            _open_up(_existing(path))
        else:
            return


def _touch(path: str) -> None:
    while not os.path.lexists(path):
        try:
            os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o644))
        except OSError as error:
            if error.errno != errno.EROFS:
                raise
            _open_up(_existing(path))


def _existing(path: str) -> str:
    while not os.path.isdir(path):
        path = os.path.dirname(path)
    return os.path.realpath(path)


def _open_up(directory: str) -> None:
    """Replace a read-only directory by a writable one in which each entry is bound from the old."""
    copy = f"/.open{directory.replace('/', '.')}"
    os.makedirs(copy)
    for entry in os.scandir(directory):
        place = f"{copy}/{entry.name}"
        if entry.is_symlink():
            os.symlink(os.readlink(entry.path), place)
            continue
        if entry.is_dir():
            os.mkdir(place)
        else:
            os.close(os.open(place, os.O_CREAT | os.O_WRONLY, 0o644))
        mount(entry.path, place, "", MS_BIND | MS_REC)
    mount(copy, directory, "", MS_BIND | MS_REC)


def _mount_proc(*, as_root: bool) -> None:
    mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
    if not as_root:
        return  # the machine's root is not mapped: the kernel itself refuses
    for name in READ_ONLY_PROC:
        with contextlib.suppress(FileNotFoundError):
            mount(f"/proc/{name}", f"/proc/{name}", "", MS_BIND | MS_REC)
            _remount_read_only(f"/proc/{name}")
    for name in HIDDEN_PROC:
        with contextlib.suppress(FileNotFoundError):
            mount("/.old/dev/null", f"/proc/{name}", "", MS_BIND)


def _mount_dev() -> None:
    for name in DEVICES:
        _touch(f"/dev/{name}")
        mount(f"/.old/dev/{name}", f"/dev/{name}", "", MS_BIND)
    os.makedirs("/dev/pts", exist_ok=True)
    os.makedirs("/dev/shm", exist_ok=True)  # noqa: S108 - a mount point in a root of its own
    mount("tmpfs", "/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777")  # noqa: S108 - as above
    with contextlib.suppress(OSError):  # some kernels have none for user namespaces: no terminals then
        mount("devpts", "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=620")
    for link, target in (
        ("ptmx", "pts/ptmx"),
        ("fd", "/proc/self/fd"),
        ("stdin", "/proc/self/fd/0"),
        ("stdout", "/proc/self/fd/1"),
        ("stderr", "/proc/self/fd/2"),
    ):
        with contextlib.suppress(FileExistsError):
            os.symlink(target, f"/dev/{link}")


class _CapabilityWords(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint32) for name in ("effective", "permitted", "inheritable")]


def be_like_the_container() -> None:
    """Have no more capabilities than the root of a container: its processes may then look into their pid 1, which
    `/proc/1/root` needs, and find nothing there that they have not themselves."""
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION, 0)
    words = (_CapabilityWords * 2)()
    _check(_libc.capget(ctypes.byref(header), ctypes.byref(words)), "capget")
    for number, word in enumerate(words):
        kept = sum(1 << (capability - 32 * number) for capability in CAPABILITIES if capability // 32 == number)
        word.permitted &= kept
        word.effective &= kept
        word.inheritable = 0
    _check(_libc.capset(ctypes.byref(header), ctypes.byref(words)), "capset")
    _libc.prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)


def become_user(uid: int | None, gid: int | None, groups: list[int]) -> None:
    """Give up root for a user and groups; None keeps what is."""
    if groups or uid is not None or gid is not None:
        os.setgroups(groups)
    if gid is not None:
        os.setgid(gid)
    if uid is not None:
        os.setuid(uid)
