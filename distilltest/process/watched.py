"""Which files this process has read since a suite was loaded: word lists, schemas, whatever graders and fixtures open.

Python tells of every file that is opened, by whichever library (PEP 578). A session without an evaluation never asks to be told.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_CODE = (".py", ".pyc", ".pyi", ".so", ".pyd")
"""What code is made of is found by its imports."""
_read: set[str] = set()
_written: set[str] = set()
_listening = threading.Event()
_thread = threading.local()


def listen() -> None:
    """Note from now on what is opened; once is enough."""
    if not _listening.is_set():
        _listening.set()
        sys.addaudithook(_hear)


@contextmanager
def not_noted() -> Iterator[None]:
    """Open files whose meaning is compared instead (a dataset, a prompt, the configuration): their bytes do not count."""
    before = getattr(_thread, "quiet", False)
    _thread.quiet = True
    try:
        yield
    finally:
        _thread.quiet = before


def note(path: Path) -> None:
    """A file that was read in this way, and does count."""
    _read.add(os.path.abspath(path))  # noqa: PTH100  # links are followed later


def files_read(root: Path, leave_out: Path) -> list[Path]:
    """The project's files that were read and not written, whoever read them.

    Args:
        root: The folder of distilltest.yaml; files outside, hidden ones and installed packages are left out.
        leave_out: A folder of what runs write themselves.
    """
    root, own = root.resolve(), leave_out.resolve()
    paths = {
        Path(name).resolve() for name in _read - _written if not name.endswith(_CODE)
    }  # most of them: not followed
    return sorted(path for path in paths if _counts(path, root) and not path.is_relative_to(own) and path.is_file())


def _counts(path: Path, root: Path) -> bool:
    if not path.is_relative_to(root) or path.suffix in _CODE:
        return False
    parts = path.relative_to(root).parts
    return "site-packages" not in parts and not any(part.startswith(".") for part in parts)


def _hear(event: str, details: tuple[Any, ...]) -> None:
    """What the interpreter calls; it must never raise, or nothing could be opened."""
    if event != "open" or getattr(_thread, "quiet", False):
        return
    try:
        path, mode, flags = details
        name = os.path.abspath(os.fsdecode(path))  # noqa: PTH100  # which follows no link, and so opens nothing
    except (OSError, TypeError, ValueError):  # a number of an open file, or a folder that is gone
        return
    writes = any(sign in mode for sign in "wax+") if mode else bool(flags & (os.O_WRONLY | os.O_RDWR))
    (_written if writes else _read).add(name)
