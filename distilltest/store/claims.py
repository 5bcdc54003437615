"""Which process is asking for what: a claim on a key holds until it is given back, or its process ends.

A claim is a lock on one byte of a file beside the store, at a place that the key gives. The kernel drops the locks of a process
that ends, however it ends. Claims are made just before requests are sent, so that several processes share the work; each takes
about 3 microseconds (docs/decisions/0012).
"""

from __future__ import annotations

import os
import struct
import sys
from collections.abc import Iterable
from pathlib import Path

if sys.platform != "win32":
    import fcntl

_FLOCK = "hhqqi4x"
"""C's ``struct flock`` on 64-bit Linux: type, whence, start, length, pid."""
_PLACES = 2**62


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

    def take(self, keys: Iterable[str]) -> set[str]:
        """Claim what no other process has claimed; those of the keys that are ours now."""
        return {key for key in keys if self._lock(key, "F_WRLCK")}

    def give_back(self, keys: Iterable[str]) -> None:
        """Let others have them."""
        for key in keys:
            self._lock(key, "F_UNLCK")

    def close(self) -> None:
        """Give everything back."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _lock(self, key: str, kind: str) -> bool:
        if not self.kept:
            return True
        if self._file is None:
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        place = int(key[:16], 16) % _PLACES
        wanted = struct.pack(_FLOCK, getattr(fcntl, kind), os.SEEK_SET, place, 1, 0)
        try:
            fcntl.fcntl(self._file, fcntl.F_OFD_SETLK, wanted)
        except BlockingIOError:
            return False
        except PermissionError:  # what some systems say instead
            return False
        except OSError:  # a file system without locks
            self.kept = False
        return True
