"""Rules that Linux enforces for an unprivileged process: Landlock for files, seccomp for system calls.

Part of the script ``python_worker``, so it uses the standard library alone.
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct
from collections.abc import Iterable
from contextlib import suppress

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_EXECUTE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 2, 1 << 3
_OF_FILES = 1 << 0 | 1 << 1 | 1 << 2 | 1 << 14 | 1 << 15
"""The rights that apply to files: execute, write, read, truncate, ioctl of a device."""
_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
"""The number of file rights in each version of Landlock."""

_ALLOW, _REFUSE, _UNKNOWN = (
    0x7FFF0000,
    0x00050000 | 1,
    0x00050000 | 38,
)  # EPERM; ENOSYS, so that libraries fall back to an older call
_LOAD, _EQUAL, _ANY_BIT, _RETURN = 0x20, 0x15, 0x45, 0x06
_NUMBER, _ARCHITECTURE, _FIRST, _X32 = 0, 4, 16, 0x40000000
_THREAD, _NAMESPACES = 0x00010000, 0x7E020080
_MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
_NEVER = {
    "socket": (41, 198),  # Unix sockets too: a container's daemon listens on one
    "setns": (308, 268),
    "unshare": (272, 97),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "pidfd_open": (434, 434),
    "pidfd_getfd": (438, 438),
    "kcmp": (312, 272),
    "io_uring_setup": (425, 425),  # which makes sockets by itself
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "mount_setattr": (442, 442),
    "open_by_handle_at": (304, 265),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "kexec_load": (246, 104),
}
_SIGNALS = {
    "tkill": (200, 130),
    "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240),
    "pidfd_send_signal": (424, 424),
}
_KILL = {"kill": (62, 129), "tgkill": (234, 131)}
_FORK = {"fork": (57, -1), "vfork": (58, -1)}
_CLONE, _CLONE3 = (56, 220), 435


def keep_to_files(libc: ctypes.CDLL, directory: str, readable: Iterable[str]) -> bool:
    """Allow only to read the given paths and to write in the directory; returns whether Landlock is available."""
    version = libc.syscall(_long(_CREATE_RULESET), None, _long(0), _long(1))
    if version < 1:
        return False
    rights = (1 << _RIGHTS.get(version, 16)) - 1
    network = 3 if version >= 4 else 0  # TCP bind and connect
    scopes = 3 if version >= 6 else 0  # abstract Unix sockets, and signals
    attributes = struct.pack("QQQ", rights, network, scopes)[: 8 if version < 4 else 16 if version < 6 else 24]
    ruleset = libc.syscall(_long(_CREATE_RULESET), attributes, _long(len(attributes)), _long(0))
    if ruleset < 0:
        return False
    for path in readable:
        _allow(libc, ruleset, path, _READ_FILE | _READ_DIR | _EXECUTE)
    _allow(libc, ruleset, "/dev/null", _READ_FILE | 2)
    _allow(libc, ruleset, directory, rights)
    failed: int = libc.syscall(_long(_RESTRICT_SELF), _long(ruleset), _long(0))
    os.close(ruleset)
    return failed == 0


def keep_to_calls(libc: ctypes.CDLL, *, processes: bool, signals: bool) -> bool:
    """Refuse system calls that lead out of the isolation; returns whether seccomp is available.

    Args:
        libc: The C library.
        processes: Whether it may start processes.
        signals: Whether it may send signals to other processes.
    """
    if platform.machine() not in _MACHINES:
        return False
    column, architecture = _MACHINES[platform.machine()]
    refused = [*_NEVER.values(), *([] if signals else _SIGNALS.values()), *([] if processes else _FORK.values())]
    program = [(_LOAD, 0, 0, _ARCHITECTURE), (_EQUAL, 1, 0, architecture), (_RETURN, 0, 0, _REFUSE)]
    program += [(_LOAD, 0, 0, _NUMBER)]
    if column == 0:
        program += [(_ANY_BIT, 0, 1, _X32), (_RETURN, 0, 0, _REFUSE)]
    for numbers in refused:
        if numbers[column] >= 0:
            program += [(_EQUAL, 0, 1, numbers[column]), (_RETURN, 0, 0, _REFUSE)]
    program += [(_EQUAL, 0, 1, _CLONE3), (_RETURN, 0, 0, _UNKNOWN)]
    for numbers in () if signals else _KILL.values():
        # allowed to the process itself
        program += [(_EQUAL, 0, 4, numbers[column]), (_LOAD, 0, 0, _FIRST), (_EQUAL, 1, 0, os.getpid())]
        program += [(_RETURN, 0, 0, _REFUSE), (_RETURN, 0, 0, _ALLOW)]
    program += [(_EQUAL, 0, 3 if processes else 5, _CLONE[column]), (_LOAD, 0, 0, _FIRST)]
    program += [(_ANY_BIT, 0, 1, _NAMESPACES), (_RETURN, 0, 0, _REFUSE)]
    if not processes:
        program += [(_ANY_BIT, 1, 0, _THREAD), (_RETURN, 0, 0, _REFUSE)]
    program += [(_RETURN, 0, 0, _ALLOW)]
    filters = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *one) for one in program))
    whole = struct.pack("HxxxxxxP", len(program), ctypes.addressof(filters))
    return bool(libc.prctl(22, 2, ctypes.cast(ctypes.create_string_buffer(whole), ctypes.c_void_p).value, 0, 0) == 0)


def _allow(libc: ctypes.CDLL, ruleset: int, path: str, rights: int) -> None:
    with suppress(OSError):  # the path may not exist
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
        try:
            if not os.path.isdir(path):  # noqa: PTH112
                rights &= _OF_FILES
            libc.syscall(_long(_ADD_RULE), _long(ruleset), _long(1), struct.pack("=Qi", rights, place), _long(0))
        finally:
            os.close(place)


def _long(number: int) -> ctypes.c_long:
    return ctypes.c_long(number)
