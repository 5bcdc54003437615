"""Writing a file of lines whole or not at all, without holding it in memory."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from distilltest.errors import TrainingFileError


class Lines:
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
def whole_file(path: Path) -> Iterator[Lines]:
    """Write lines; the file has its name when the block has ended well, and is not there (or as before) when it has not.

    Raises:
        TrainingFileError: It cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            yield Lines(file)
        temporary.replace(path)
    except OSError as error:
        raise TrainingFileError(f"{path} cannot be written: {error.strerror}.") from None
    finally:
        temporary.unlink(missing_ok=True)
