"""Open files that users name: regular files in UTF-8, up to a size limit."""

from __future__ import annotations

import codecs
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from distilltest.errors import DistilltestError, at
from distilltest.process.watched import not_noted

LONGEST = 64 * 1024 * 1024
"""The most bytes on one line: enough for a conversation with pictures."""
MOST = 256 * 1024 * 1024
"""The most bytes of a file that is read as a whole."""

_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def absent(path: Path) -> bool:
    """Whether the path does not exist. A broken link and a pipe exist."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except (OSError, ValueError):  # opening the file raises the right error
        return False
    return False


@contextmanager
def opened(path: Path, shown: str, error: type[DistilltestError]) -> Iterator[BinaryIO]:
    """Open a regular file for reading. Pipes and devices are refused without waiting for them.

    Args:
        path: The file.
        shown: The file's name in errors.
        error: The class of the errors.

    Raises:
        DistilltestError: The file cannot be opened or read, or is not a regular file.
    """
    try:
        with not_noted():
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise error(f"{shown} cannot be read: there is no such file. Check the path.") from None
    except OSError as caught:
        raise error(f"{shown} cannot be read: {caught.strerror}.") from None
    except ValueError:  # a NUL in the name, or a character that the file system cannot write
        raise error(f"{shown!r} cannot be the name of a file. Check the path.") from None
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        kind = next((words for check, words in _KINDS if check(mode)), "not a regular file")
        raise error(f"{shown} cannot be read: it is {kind}. Name a regular file.")
    with os.fdopen(descriptor, "rb") as file:
        try:
            yield file
        except OSError as caught:
            raise error(f"{shown} cannot be read: {caught.strerror}.") from None


def read_bytes(path: Path, shown: str, error: type[DistilltestError], most: int = MOST) -> bytes:
    """Read a whole file.

    Args:
        path: The file.
        shown: The file's name in errors.
        error: The class of the errors.
        most: The most bytes that it may have.

    Raises:
        DistilltestError: The file cannot be read, or is larger.
    """
    with opened(path, shown, error) as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise error(
            f"{shown}: more than {most // 1024**2} MB, and a file of this format is read as a whole. "
            "Split it, or write the rows as JSONL, which is read line by line."
        )
    return content


def lines(path: Path, shown: str, error: type[DistilltestError]) -> Iterator[tuple[int, bytes]]:
    """Read lines with their numbers, without line ends. Memory use does not depend on the size of the file.

    Raises:
        DistilltestError: The file cannot be read, or has a line of more than ``LONGEST`` bytes.
    """
    with opened(path, shown, error) as file:
        number = 0
        while line := file.readline(LONGEST + 1):
            number += 1
            if len(line) > LONGEST:
                raise error(
                    f"{at(shown, number)}: more than {LONGEST // 1024**2} MB on one line. "
                    "JSONL has one object a line: put a line end after each."
                )
            yield number, line.removesuffix(b"\n")


def text_of(content: bytes, shown: str, error: type[DistilltestError]) -> str:
    """Decode the content of a UTF-8 file, without a byte order mark.

    Raises:
        DistilltestError: The content is not UTF-8; the message names the line.
    """
    first = content[: content.find(b"\n") + 1] or content
    wide = wide_encoding(first)
    if wide:
        raise error(f"{at(shown, 1)}: the file is {wide}. Save it as UTF-8.")
    try:
        return content.removeprefix(codecs.BOM_UTF8).decode()
    except UnicodeDecodeError:
        for number, line in enumerate(content.split(b"\n"), start=1):
            problem = not_utf8(line)
            if problem:
                raise error(f"{at(shown, number)}: {problem}") from None
        raise


def wide_encoding(first: bytes) -> str | None:
    """Detect UTF-16 and UTF-32 by the first line of a file; None for other encodings.

    >>> wide_encoding("a request".encode("utf-16-le")), wide_encoding(b"a request")
    ('UTF-16', None)
    """
    if first.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        return "UTF-32"
    if first.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "UTF-16"
    return "UTF-16" if first.count(b"\x00") * 3 > len(first) and first.strip(b"\x00") else None


def not_utf8(line: bytes) -> str | None:
    """Why a line is not UTF-8; None if it is.

    >>> not_utf8("größer".encode("latin-1"))
    "not UTF-8: byte 0xf6 at column 3 ('ö' in Windows-1252 or Latin-1, perhaps). Save the file as UTF-8."
    """
    try:
        line.decode()
    except UnicodeDecodeError as error:
        byte = line[error.start : error.start + 1]
        guess = byte.decode("cp1252", errors="replace")
        perhaps = f" ({guess!r} in Windows-1252 or Latin-1, perhaps)" if guess.isprintable() and guess != "�" else ""
        column = len(line[: error.start].decode()) + 1
        return f"not UTF-8: byte 0x{byte.hex()} at column {column}{perhaps}. Save the file as UTF-8."
    return None
