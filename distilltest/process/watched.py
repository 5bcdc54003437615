"""Records the files that this process reads after a suite was loaded: word lists, schemas, files of graders and fixtures.

Uses Python's audit events for opened files (PEP 578). A session without an evaluation installs no hook.
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
"""Code is found through imports instead."""
_read: set[str] = set()
_written: set[str] = set()
_listening = threading.Event()
_thread = threading.local()


def listen() -> None:
    """Start recording; later calls do nothing."""
    if not _listening.is_set():
        _listening.set()
        sys.addaudithook(_hear)


@contextmanager
def not_noted() -> Iterator[None]:
    """Do not record files whose parsed value is compared instead (a dataset, a prompt, the configuration)."""
    before = getattr(_thread, "quiet", False)
    _thread.quiet = True
    try:
        yield
    finally:
        _thread.quiet = before


def note(path: Path) -> None:
    """Record a file that was read inside :func:`not_noted` and does count."""
    _read.add(os.path.abspath(path))  # noqa: PTH100  # links are followed later


def files_read(root: Path, leave_out: Path) -> list[Path]:
    """The project's files that were read and not written.

    Args:
        root: The folder of distilltest.yaml; files outside, hidden ones and installed packages are left out.
        leave_out: A folder of files that runs write themselves.
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
    """The audit hook. It must never raise, because that would prevent the file from being opened."""
    if event != "open" or getattr(_thread, "quiet", False):
        return
    try:
        path, mode, flags = details
        name = os.path.abspath(os.fsdecode(path))  # noqa: PTH100  # follows no link, and so opens nothing
    except (OSError, TypeError, ValueError):  # a file descriptor, or a folder that no longer exists
        return
    writes = any(sign in mode for sign in "wax+") if mode else bool(flags & (os.O_WRONLY | os.O_RDWR))
    (_written if writes else _read).add(name)
