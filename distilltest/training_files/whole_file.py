"""Writing a training file atomically, line by line, and counting what was left out of it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from distilltest.data.whole_files import make_folder, replacing
from distilltest.errors import TrainingFileError


@dataclass(frozen=True, slots=True)
class TrainingFile:
    """A training file on disk."""

    path: Path
    examples: int
    left_out: Mapping[str, int]
    """The reason an answer was left out → how many answers."""
    sha256: str


@dataclass
class LeftOut:
    """Counts of the answers that were left out, by reason."""

    counts: dict[str, int] = field(default_factory=dict)

    def add(self, reason: str, number: int = 1) -> None:
        """Count answers that were left out for a reason."""
        self.counts[reason] = self.counts.get(reason, 0) + number

    def in_words(self) -> str:
        """All counts in one line; an empty text if nothing was left out."""
        return ", ".join(f"{number:,} {reason}" for reason, number in self.counts.items())


class LineWriter:
    """Writes the lines of a file, counts them and hashes them."""

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
        """The SHA-256 of everything written so far."""
        return self._hash.hexdigest()


@contextmanager
def whole_file(path: Path) -> Iterator[LineWriter]:
    """Write a file line by line; it appears under its name when the block ends, and not at all if the block raises.

    Raises:
        TrainingFileError: The file cannot be written.
    """
    try:
        make_folder(path.parent)
        with replacing(path) as file:
            yield LineWriter(file)
    except OSError as error:
        raise TrainingFileError(f"{path} cannot be written: {error.strerror}.") from None
