"""Whether the store's file is still where it was opened: SQLite goes on writing into a file that somebody has deleted."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from distilltest.errors import StoreError


@dataclass(frozen=True, slots=True)
class StoreFile:
    """A file, by its path and by what the file system knows it by."""

    path: Path
    identity: tuple[int, int] | None
    """Device and inode, None where there is no file."""

    @classmethod
    def of(cls, path: Path) -> Self:
        """What is at a path now."""
        return cls(path, _identity(path))

    def check(self) -> None:
        """Make sure that the same file is there still.

        Raises:
            StoreError: It was deleted, moved or replaced; the message says what to do.
        """
        if _identity(self.path) != self.identity:
            raise gone(self.path)


def gone(path: Path) -> StoreError:
    """What to say of a store that is not there any more."""
    return StoreError(
        f"The store {path} was deleted, moved or replaced while this run was using it, so nothing more is asked and "
        "no verdict is given. Run again; to keep what was paid for, bring the file back first."
    )


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
