"""Files that nobody may ever see half written, their fingerprints, and the folders that they are in."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from distilltest.errors import DistilltestError

_REMEDY = "Make room or change the rights, and run the same command again."
STATE_FOLDER = ".distilltest"
"""In a project's root: the store, the embedded server's files, training files."""


def make_folder(folder: Path) -> Path:
    """Make a folder with its parents, unless it is there. A state folder among them is made as such, whoever is first.

    Raises:
        OSError: It cannot be made.
    """
    for one in (*reversed(folder.parents), folder):
        if one.name == STATE_FOLDER:
            make_private_folder(one)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def make_private_folder(folder: Path) -> None:
    """Make a folder for what only its owner may read and git must not see, unless it is there: answers can be sensitive.

    Raises:
        OSError: It cannot be made.
    """
    if folder.exists():
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)
    ignore = folder / ".gitignore"
    ignore.touch(mode=0o600)
    ignore.write_text("# What distilltest keeps here is not for git.\n*\n")


def unwritable(path: Path, error: OSError, remedy: str = _REMEDY) -> DistilltestError:
    """What to raise if a file cannot be written."""
    return DistilltestError(f"{path} cannot be written: {error.strerror or error}. {remedy}")


def write_whole(path: Path, content: bytes, remedy: str = _REMEDY, *, private: bool = False) -> None:
    """Write a whole file or none: durable in a file beside it first, then renamed.

    Args:
        path: Where to; its folder is made.
        content: All of it.
        remedy: What to do where it cannot be written.
        private: Whether only its owner may read it, and a folder that is made for it.

    Raises:
        DistilltestError: It cannot be written.
    """
    beside = path.with_name(f".{path.name}.part")
    try:
        if private and not path.parent.exists():
            make_folder(path.parent.parent)
            path.parent.mkdir(mode=0o700, exist_ok=True)
        make_folder(path.parent)
        beside.unlink(missing_ok=True)  # of an interrupted call, with other rights perhaps
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        with os.fdopen(os.open(beside, flags, 0o600 if private else 0o666), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as error:
        raise unwritable(path, error, remedy) from None


def sha256(path: Path) -> str:
    """A file's fingerprint, read a piece at a time.

    Raises:
        OSError: It cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def file_fingerprint(path: Path) -> str:
    """The SHA-256 of a file, empty where there is none."""
    return sha256(path) if path.is_file() else ""
