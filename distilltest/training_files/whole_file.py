"""Writing a file of lines whole or not at all, without holding it in memory, and what is said of it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from glob import escape
from pathlib import Path
from typing import BinaryIO

from distilltest.data.whole_files import make_folder
from distilltest.errors import TrainingFileError


@dataclass(frozen=True, slots=True)
class TrainingFile:
    """A training file on disk."""

    path: Path
    examples: int
    left_out: Mapping[str, int]
    """Why answers made no example → how many."""
    sha256: str


@dataclass
class LeftOut:
    """Why answers made no example → how many times."""

    counts: dict[str, int] = field(default_factory=dict)

    def add(self, reason: str, number: int = 1) -> None:
        """Count."""
        self.counts[reason] = self.counts.get(reason, 0) + number

    def in_words(self) -> str:
        """All counts in one line, empty where nothing was left out."""
        return ", ".join(f"{number:,} {reason}" for reason, number in self.counts.items())


class LineWriter:
    """The lines of a file that is being written."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._hash = hashlib.sha256()
        self.count = 0

    def write(self, line: bytes) -> None:
        """Write one line."""
        self._file.write(line + b"\n")
        self._hash.update(line + b"\n")
        self.count += 1

    @property
    def sha256(self) -> str:
        """Of everything written."""
        return self._hash.hexdigest()


@contextmanager
def whole_file(path: Path) -> Iterator[LineWriter]:
    """Write lines; the file has its name when the block has ended well, and is not there (or as before) when it has not.

    What a process that was killed left half written is removed.

    Raises:
        TrainingFileError: It cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        make_folder(path.parent)
        _remove_left(path)
        with temporary.open("wb") as file:
            yield LineWriter(file)
        temporary.replace(path)
    except OSError as error:
        raise TrainingFileError(f"{path} cannot be written: {error.strerror}.") from None
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def _remove_left(path: Path) -> None:
    """Remove temporary files of this name whose process has ended."""
    if os.name != "posix":
        return  # elsewhere a process cannot be asked for without harming it
    for left in path.parent.glob(f".{escape(path.name)}.*"):
        process = left.name.rpartition(".")[2]
        if process.isdecimal():
            try:
                os.kill(int(process), 0)
            except ProcessLookupError:
                left.unlink(missing_ok=True)
            except (OSError, OverflowError):
                continue  # it is somebody else's, and runs
