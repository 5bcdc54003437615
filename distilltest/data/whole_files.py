"""Atomic writes, SHA-256 of files, and folders that only their owner can read."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from distilltest.errors import DistilltestError

_PART = ".part"
_REMEDY = "Make room or change the rights, and run the same command again."
STATE_FOLDER = ".distilltest"
"""In the project's root; holds the store, the embedded server's files and training files."""


def make_folder(folder: Path) -> Path:
    """Make a folder and its parents if they do not exist. A state folder among them is made private.

    Raises:
        OSError: The folder cannot be made.
    """
    for one in (*reversed(folder.parents), folder):
        if one.name == STATE_FOLDER:
            make_private_folder(one)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def make_private_folder(folder: Path) -> None:
    """Make a folder that only its owner can read and that git ignores, because answers can be sensitive.

    An existing folder stays as it is.

    Raises:
        OSError: The folder cannot be made.
    """
    if folder.exists():
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)
    ignore = folder / ".gitignore"
    ignore.touch(mode=0o600)
    ignore.write_text("# What distilltest keeps here is not for git.\n*\n")


def unwritable(path: Path, error: OSError, remedy: str = _REMEDY) -> DistilltestError:
    """The error to raise for a file that cannot be written."""
    return DistilltestError(f"{path} cannot be written: {error.strerror or error}. {remedy}")


@contextmanager
def replacing(path: Path, mode: int | None = None) -> Iterator[BinaryIO]:
    """Open a temporary file that replaces ``path`` when the block ends; if the block raises, ``path`` stays as it was.

    The content is on disk before the name changes. Files that killed processes left behind are removed.

    Args:
        path: The file to write; its folder must exist.
        mode: The permissions; those of any new file if None.

    Raises:
        OSError: The file cannot be written.
    """
    with suppress(OSError):
        _remove_leftovers(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}{_PART}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    try:
        with os.fdopen(os.open(temporary, flags, 0o666 if mode is None else 0o600), "wb") as file:
            if mode is not None:
                temporary.chmod(mode)
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def _remove_leftovers(path: Path) -> None:
    """Remove the temporary files of ``path`` whose process has ended."""
    start = f".{path.name}."
    with os.scandir(path.parent) as entries:
        left = [entry.name for entry in entries if entry.name.startswith(start) and entry.name.endswith(_PART)]
    for name in left:
        process = name.removeprefix(start).removesuffix(_PART)
        if process.isdecimal() and not _runs(int(process)):
            path.with_name(name).unlink(missing_ok=True)


def _runs(process: int) -> bool:
    """Whether another process runs under this id."""
    if process == os.getpid():
        return False
    if os.name != "posix":
        return True  # only POSIX can ask without a risk to the process
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True


def write_whole(path: Path, content: bytes, remedy: str = _REMEDY, *, private: bool = False) -> None:
    """Write a file atomically, and make its folder.

    Args:
        path: The file to write.
        content: Its content.
        remedy: The last sentence of the error.
        private: Only the owner can read the file, and the folder if it is new.

    Raises:
        DistilltestError: The file cannot be written.
    """
    try:
        if private and not path.parent.exists():
            make_folder(path.parent.parent)
            path.parent.mkdir(mode=0o700, exist_ok=True)
        make_folder(path.parent)
        with replacing(path, 0o600 if private else None) as file:
            file.write(content)
    except OSError as error:
        raise unwritable(path, error, remedy) from None


def sha256(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal digits.

    Raises:
        OSError: The file cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def file_fingerprint(path: Path) -> str:
    """The SHA-256 of a file; an empty text if there is no file."""
    return sha256(path) if path.is_file() else ""
