"""Files that nobody may ever see half written, and their fingerprints."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from distilltest.errors import DistilltestError

_REMEDY = "Make room or change the rights, and run the same command again."


def unwritable(path: Path, error: OSError, remedy: str = _REMEDY) -> DistilltestError:
    """What to raise if a file cannot be written."""
    return DistilltestError(f"{path} cannot be written: {error.strerror or error}. {remedy}")


def write_whole(path: Path, content: bytes, remedy: str = _REMEDY) -> None:
    """Write a whole file or none: durable in a file beside it first, then renamed.

    Args:
        path: Where to; its folder is made.
        content: All of it.
        remedy: What to do where it cannot be written.

    Raises:
        DistilltestError: It cannot be written.
    """
    beside = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with beside.open("wb") as file:
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
