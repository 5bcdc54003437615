"""Claims: which process fetches which request. A claim lasts until it is released or its process ends.

A claim is a lock on one byte of a file beside the store, at an offset derived from the key. The kernel releases the locks of
a process when it ends, even if it is killed. Claims are made just before sending, so that several processes share the work;
each takes about 3 microseconds (docs/explanation/decisions/0012).
"""

from __future__ import annotations

import ctypes
import errno
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Self
from weakref import WeakSet

from distilltest.errors import StoreError
from distilltest.store.store_file import gone

_PLACES = 2**62
_F_OFD_SETLK = 37
"""Locks per open file, not per process, so that two engines of one process exclude each other too."""


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
    """The claims of one engine. On a system or file system without such locks, every claim succeeds."""

    def __init__(self, path: Path) -> None:
        """Create the claims; the file is opened on first use.

        Args:
            path: The lock file, which stays empty. If it is deleted during a run, requests in flight at that moment may be sent
                twice; nothing else happens.
        """
        self._path = path
        self._file: int | None = None
        self._held = set[str]()
        self.kept = sys.platform == "linux"
        """Whether claims of other processes are respected."""
        if self.kept:
            # Not fcntl.fcntl: it releases the GIL at each call, and gets it back late beside busy threads.
            self._fcntl = ctypes.PyDLL(None, use_errno=True).fcntl
            from fcntl import F_UNLCK, F_WRLCK

            self._take, self._give_back = F_WRLCK, F_UNLCK
        _ALL.add(self)

    @classmethod
    def beside(cls, store: Path) -> Self:
        """The claims of a store, in one file even if the store is reached through links."""
        real = store.resolve()
        return cls(real.with_name(f"{real.name}-claims"))

    def take(self, keys: Iterable[str]) -> set[str]:
        """Claim the keys that no other process holds; return them.

        Raises:
            StoreError: The file cannot be created.
        """
        if self.kept:
            self._open()
        taken = {key for key in keys if self._lock(key, taken=True)}
        self._held |= taken
        return taken

    def give_back(self, keys: Iterable[str]) -> None:
        """Release keys."""
        for key in keys:
            self._held.discard(key)
            self._lock(key, taken=False)

    def close(self) -> None:
        """Release all keys and close the file."""
        self._held.clear()
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _open(self) -> None:
        """Open the file with the store's permissions. If it was deleted, create it again with the same claims."""
        if self._file is not None and self._is_there(self._file):
            return
        before = self._file
        try:
            rights = self._rights()
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, rights)
            found = os.fstat(self._file)
            if found.st_uid == os.geteuid() and found.st_mode & 0o777 != rights:  # because of the umask
                os.fchmod(self._file, rights)
        except FileNotFoundError:  # the folder does not exist
            raise gone(self._store) from None
        except OSError as error:
            raise StoreError(
                f"{self._path} cannot be opened: {error.strerror}. It keeps two processes from sending the same requests. "
                "Change the permissions of the file and its folder, and run again."
            ) from None
        for key in self._held:
            self._lock(key, taken=True)
        if before is not None:
            os.close(before)

    def _is_there(self, file: int) -> bool:
        try:
            return os.path.samestat(os.fstat(file), self._path.stat())
        except OSError:
            return False

    @property
    def _store(self) -> Path:
        return self._path.with_name(self._path.name.removesuffix("-claims"))

    def _rights(self) -> int:
        """The permissions of the store: all who can write to it can claim."""
        try:
            return self._store.stat().st_mode & 0o666
        except OSError:
            return 0o600

    def _lock(self, key: str, *, taken: bool) -> bool:
        if not self.kept or self._file is None:
            return True
        kind = self._take if taken else self._give_back
        wanted = _Flock(kind, os.SEEK_SET, int(key[:16], 16) % _PLACES, 1, 0)
        if self._fcntl(self._file, _F_OFD_SETLK, ctypes.byref(wanted)) == 0:
            return True
        if ctypes.get_errno() in (errno.EAGAIN, errno.EACCES):
            return False
        self.kept = False  # a file system without locks
        return True


_ALL: WeakSet[Claims] = WeakSet()


def _after_fork() -> None:
    """Close the file in a forked child, which would otherwise keep the claims after its parent ends."""
    for claims in list(_ALL):
        claims.close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
