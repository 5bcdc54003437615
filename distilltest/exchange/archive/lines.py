"""Files with one JSON object per line, appended page by page; a killed command resumes after the last whole line."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from distilltest.data.whole_files import unwritable
from distilltest.exchange.archive.pages import identifier, parse

PART = ".part"
"""The suffix of an incomplete file."""
OLD = ".old"
"""The suffix of a complete file that is being fetched again."""


class GrowingFile:
    """A file of JSON objects that grows under another name until it is complete."""

    def __init__(self, path: Path) -> None:
        self.path = path
        """The complete file."""
        self.part = path.with_name(path.name + PART)
        """The file while it grows."""
        self.old = path.with_name(path.name + OLD)
        """The file of an earlier run, until the new one is complete."""

    @property
    def complete(self) -> bool:
        """Whether the file is complete."""
        return self.path.exists()

    def read(self) -> Iterator[Any]:
        """The objects of the complete file."""
        with self.path.open("rb") as file:
            for line in file:
                yield parse(line)

    def resume(self) -> Iterator[Any]:
        """The objects that an earlier command saved; a partial last line is truncated at the end."""
        if not self.part.exists():
            return
        whole = 0
        with self.part.open("rb") as file:
            for line in file:
                value = _parse(line)
                if value is None:
                    break
                whole += len(line)
                yield value
        if whole < self.part.stat().st_size:
            os.truncate(self.part, whole)

    def append(self, lines: Iterable[bytes]) -> None:
        """Append lines, given without line breaks.

        Raises:
            DistilltestError: The file cannot be written.
        """
        content = b"".join(line + b"\n" for line in lines)
        try:
            self.part.parent.mkdir(parents=True, exist_ok=True)
            with self.part.open("ab", buffering=0) as file:
                size, left = file.tell(), memoryview(content)
                try:
                    while left:
                        left = left[file.write(left) :]
                except OSError:
                    file.truncate(size)  # the disk is full: leave no partial line
                    raise
        except OSError as error:
            raise unwritable(self.path, error) from None

    def finish(self) -> None:
        """Complete the file. Objects of an earlier run that the server no longer lists are appended.

        Raises:
            DistilltestError: The file cannot be written.
        """
        if self.old.exists():
            known = {_key(value, line) for value, line in _pairs(self.part)}
            self.append(line.rstrip(b"\n") for value, line in _pairs(self.old) if _key(value, line) not in known)
        else:
            self.append(())  # an empty list is a file too
        try:
            with self.part.open("rb") as file:
                os.fsync(file.fileno())
            self.part.replace(self.path)
            self.old.unlink(missing_ok=True)
        except OSError as error:
            raise unwritable(self.path, error) from None

    def give_up(self) -> None:
        """Keep the objects saved so far if the server refuses the rest."""
        if self.old.exists() or self.part.exists():
            self.finish()

    def start_over(self) -> None:
        """Read the list again from its start; keep the saved objects until it is complete."""
        if self.part.exists():
            self.finish()
            self.set_aside()

    def set_aside(self) -> None:
        """Mark a complete list to be read again."""
        if self.path.exists():
            self.path.replace(self.old)

    def reopen(self) -> None:
        """Let a complete list continue after its last object."""
        if self.path.exists():
            self.path.replace(self.part)


def _parse(line: bytes) -> Any:
    if not line.endswith(b"\n"):
        return None
    try:
        return parse(line)
    except ValueError:
        return None


def _pairs(path: Path) -> Iterator[tuple[Any, bytes]]:
    if path.exists():
        with path.open("rb") as file:
            for line in file:
                yield parse(line), line


def _key(value: Any, line: bytes) -> str | bytes:
    return identifier(value) or line
