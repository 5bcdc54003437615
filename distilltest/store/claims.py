"""Which process is asking for what: a claim on a key holds until it is given back, or its process ends.

A claim is a lock on one byte of a file beside the store, at a place that the key gives. The kernel drops the locks of a process
that ends, however it ends. Claims are made just before requests are sent, so that several processes share the work; each takes
about 3 microseconds (docs/decisions/0012).
"""

from __future__ import annotations

import ctypes
import errno
import os
import sys
from collections.abc import Iterable
from pathlib import Path

_PLACES = 2**62
_F_OFD_SETLK = 37
"""Locks of an open file rather than of a process: two engines of one process heed each other too."""


class _Flock(ctypes.Structure):
    """C's ``struct flock``."""

    _fields_ = (
        ("l_type", ctypes.c_short),
        ("l_whence", ctypes.c_short),
        ("l_start", ctypes.c_int64),
        ("l_len", ctypes.c_int64),
        ("l_pid", ctypes.c_int),
    )


class Claims:
    """The claims of one engine. Where the system or the file system has no such locks, every claim is granted."""

    def __init__(self, path: Path) -> None:
        """Make the claims of an engine; nothing is opened yet.

        Args:
            path: The file of the locks, which stays empty.
        """
        self._path = path
        self._file: int | None = None
        self.kept = sys.platform == "linux"
        """Whether other processes are heeded."""
        if self.kept:
            # Not fcntl.fcntl: it lets go of Python's lock at each call, and gets it back late beside busy threads.
            self._fcntl = ctypes.PyDLL(None, use_errno=True).fcntl
            from fcntl import F_UNLCK, F_WRLCK

            self._take, self._give_back = F_WRLCK, F_UNLCK

    def take(self, keys: Iterable[str]) -> set[str]:
        """Claim what no other process has claimed; those of the keys that are ours now."""
        return {key for key in keys if self._lock(key, taken=True)}

    def give_back(self, keys: Iterable[str]) -> None:
        """Let others have them."""
        for key in keys:
            self._lock(key, taken=False)

    def close(self) -> None:
        """Give everything back."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _lock(self, key: str, *, taken: bool) -> bool:
        if not self.kept:
            return True
        if self._file is None:
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        kind = self._take if taken else self._give_back
        wanted = _Flock(kind, os.SEEK_SET, int(key[:16], 16) % _PLACES, 1, 0)
        if self._fcntl(self._file, _F_OFD_SETLK, ctypes.byref(wanted)) == 0:
            return True
        if ctypes.get_errno() in (errno.EAGAIN, errno.EACCES):
            return False
        self.kept = False  # a file system without locks
        return True
