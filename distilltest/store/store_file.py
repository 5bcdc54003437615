"""Detects that the store's file was deleted or replaced: SQLite would keep writing to the deleted file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from distilltest.errors import StoreError


@dataclass(frozen=True, slots=True)
class StoreFile:
    """A file, identified by path and inode."""

    path: Path
    identity: tuple[int, int] | None
    """Device and inode, None if there is no file."""

    @classmethod
    def of(cls, path: Path) -> Self:
        """The file that is at a path now."""
        return cls(path, _identity(path))

    def check(self) -> None:
        """Check that the same file is still at the path.

        Raises:
            StoreError: It was deleted, moved or replaced; the message says what to do.
        """
        if _identity(self.path) != self.identity:
            raise gone(self.path)


def gone(path: Path) -> StoreError:
    """The error for a store that no longer exists."""
    return StoreError(
        f"The store {path} was deleted, moved or replaced while this run was using it, so the run stopped "
        "without a verdict. Run again; to keep the stored completions, restore the file first."
    )


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
