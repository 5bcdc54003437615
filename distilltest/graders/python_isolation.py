"""The isolation of a Python grader's process on Linux: namespaces, another user, Landlock, seccomp.

Part of the script ``python_worker``, so it uses the standard library alone. Each layer is tried by itself, and skipped if the
system refuses it. ``isolation()`` reports which ones hold. Other systems than Linux have none.
"""

from __future__ import annotations

import ctypes
import os
import signal
import struct
import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING or __package__:
    from distilltest.graders.python_rules import keep_to_calls, keep_to_files
else:  # beside the script, where this package is not on the path
    from python_rules import keep_to_calls, keep_to_files

LAYERS = ("namespaces", "user", "landlock", "seccomp")
PROCESSES = 64
"""The most processes of a grader at once, threads included."""

_NEWUSER, _NEWNS, _NEWIPC, _NEWPID, _NEWNET = 0x10000000, 0x00020000, 0x08000000, 0x20000000, 0x40000000
_MS_PRIVATE, _MS_REC, _MS_NOSUID_NODEV_NOEXEC = 1 << 18, 1 << 14, 2 | 4 | 8
_PDEATHSIG, _DUMPABLE, _CAPBSET_DROP, _NO_NEW_PRIVS, _CAP_AMBIENT = 1, 4, 24, 38, 47
_FIRST_USER, _USERS = 61184, 4000
"""User ids from a range that systemd uses for the same purpose; one per process, so that graders cannot signal each other."""

Held = dict[str, str]
"""The layers that hold; see :class:`distilltest.graders.python_grader.Isolation`."""


def isolate(directory: str, layers: list[str]) -> Held:
    """Isolate this process, or a child that replaces it. Only the process that will run the grader returns.

    Args:
        directory: The only directory in which it may write.
        layers: The layers of ``LAYERS`` to try.
    """
    held = {"network": "hook", "processes": "hook", "files": "all", "user": "own"}
    if not sys.platform.startswith("linux"):
        return held
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl.argtypes = [ctypes.c_int, *[ctypes.c_ulong] * 4]
    libc.syscall.restype = ctypes.c_long
    readable = list(_readable())
    own_user = os.geteuid() != 0
    report, apart, fresh = -1, False, False
    if "namespaces" in layers and (apart := _unshare(libc, own_user)):
        report, fresh = _become_init(libc)
        held["network"] = "namespace"
    if "user" in layers and not own_user and _readable_by_all(directory):
        held["user"] = _become_nobody(libc, directory)
    _give_up_capabilities(libc)
    if "landlock" in layers and keep_to_files(libc, directory, [*readable, *(["/proc"] if fresh else [])]):
        held["files"] = "own directory"
    if apart:
        _leave_init_behind(libc, report)
    # root ignores the limit on processes, even without capabilities
    countable = apart and (own_user or held["user"] == "nobody")
    if countable:
        import resource

        resource.setrlimit(resource.RLIMIT_NPROC, (PROCESSES, PROCESSES))
        held["processes"] = "limited"
    if "seccomp" in layers and keep_to_calls(libc, processes=countable, signals=apart):
        held["network"] = "namespace" if apart else "seccomp"
        held["processes"] = "limited" if countable else "refused"
    return held


def _unshare(libc: ctypes.CDLL, own_user: bool) -> bool:
    """Enter new namespaces for network, processes and shared memory; users other than root need a user namespace."""
    user, group = os.getuid(), os.getgid()
    alone = _NEWNET | _NEWPID | _NEWNS | _NEWIPC
    if not own_user and libc.unshare(alone) == 0:
        return True
    if libc.unshare(alone | _NEWUSER) != 0:
        return False
    for name, text in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
        with suppress(OSError), open(f"/proc/self/{name}", "w") as file:  # noqa: PTH123 -- pathlib is slow to import
            file.write(text)
    return True


def _become_init(libc: ctypes.CDLL) -> tuple[int, bool]:
    """Continue as the first process of the new namespace: when it ends, the system ends all others in it.

    Returns:
        The descriptor on which to report how the grader's process ended, and whether ``/proc`` shows this namespace only.
    """
    reading, report = os.pipe()
    child = os.fork()
    if child:
        os.close(report)
        _end_like(child, reading)
    os.close(reading)
    if os.getpid() != 1:  # later steps rely on it: all other processes here are the grader's
        os._exit(70)
    libc.prctl(_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    libc.mount(None, b"/", None, _MS_REC | _MS_PRIVATE, None)
    return report, libc.mount(b"proc", b"/proc", b"proc", _MS_NOSUID_NODEV_NOEXEC, None) == 0


def _end_like(child: int, reading: int) -> None:
    """In the outer process: close everything, wait, and end like the grader's process."""
    _hold_only(reading)
    os.waitpid(child, 0)
    told = os.read(reading, 16)
    code = int(told) if told else -signal.SIGKILL
    if code < 0:
        with suppress(OSError, ValueError):
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code)


def _hold_only(descriptor: int) -> None:
    os.closerange(0, descriptor)
    os.closerange(descriptor + 1, 256)


def _leave_init_behind(libc: ctypes.CDLL, report: int) -> None:
    """Continue as a child. The first process only waits, since signals do not end it and it inherits orphans."""
    child = os.fork()
    if child == 0:
        os.close(report)
        return
    libc.prctl(_PDEATHSIG, signal.SIGKILL, 0, 0, 0)  # a change of user has reset it
    _hold_only(report)
    while True:
        ended, status = os.wait()
        if ended == child:
            os.write(report, str(os.waitstatus_to_exitcode(status)).encode())
            os._exit(0)


def _become_nobody(libc: ctypes.CDLL, directory: str) -> str:
    """Become a user who owns only the directory."""
    user = _FIRST_USER + int.from_bytes(os.urandom(4)) % _USERS
    try:
        os.chown(directory, user, user)
        _drop_bounding(libc)
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)
    except OSError:  # a container may have fewer ids
        os.chown(directory, os.getuid(), os.getgid())
        return "own"
    libc.prctl(_DUMPABLE, 1, 0, 0, 0)  # otherwise /proc/self belongs to root
    return "nobody"


def _give_up_capabilities(libc: ctypes.CDLL) -> None:
    """Drop all privileges, including those gained by starting a program."""
    _drop_bounding(libc)
    libc.prctl(_CAP_AMBIENT, 4, 0, 0, 0)
    libc.capset(struct.pack("Ii", 0x20080522, 0), bytes(24))
    libc.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0)


def _drop_bounding(libc: ctypes.CDLL) -> None:
    for capability in range(64):
        libc.prctl(_CAPBSET_DROP, capability, 0, 0, 0)


def _readable() -> Iterator[str]:
    """The paths that Python and its packages need, without homes, hidden project folders and keys."""
    system = (
        "/usr",
        "/lib",
        "/lib32",
        "/lib64",
        "/bin",
        "/sbin",
        "/etc/ld.so.cache",
        "/etc/localtime",
        "/etc/mime.types",
    )
    devices = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")
    numbers = ("/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/sys/devices/system")
    prefixes = {os.path.realpath(path) for path in (sys.prefix, sys.base_prefix)} - {"/"}
    yield from system + devices + numbers
    yield from prefixes
    with suppress(OSError), open("/proc/self/maps") as file:  # noqa: PTH123
        yield from {os.path.dirname(line.split(None, 5)[5].strip()) for line in file if "/" in line} - {"/"}  # noqa: PTH120
    for path in map(os.path.realpath, sys.path):
        if not path.startswith((*prefixes, "/usr/")) and os.path.isdir(path):  # noqa: PTH112 -- an editable package's project
            yield from (os.path.join(path, name) for name in os.listdir(path) if name[0] != ".")  # noqa: PTH118, PTH208


def _readable_by_all(directory: str) -> bool:
    """Whether any user can read Python, which may be installed in a closed home."""
    needed = {os.path.realpath(path) for path in (sys.executable, sys.prefix, sys.base_prefix)}
    needed |= {os.path.dirname(os.path.realpath(directory))}  # noqa: PTH120
    for path in needed:
        while path != "/":
            with suppress(OSError):
                if os.stat(path).st_mode & 0o005 != 0o005:  # noqa: PTH116
                    return False
            path = os.path.dirname(path)  # noqa: PTH120
    return True
