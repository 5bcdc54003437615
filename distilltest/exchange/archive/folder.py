"""The folder of an archive: its server, its state, and the lock that lets only one command write to it."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from distilltest.data.whole_files import unwritable, write_whole
from distilltest.errors import DistilltestError
from distilltest.exchange.archive.lines import GrowingFile
from distilltest.exchange.archive.pages import parse

MANIFEST = "manifest.json"
UNFINISHED = "unfinished.json"
"""Exists while an archive is being written; has the state for the next command."""
LOCK = ".lock"
_OWN = {MANIFEST, UNFINISHED, LOCK, f"{LOCK}-journal"}
"""Files of our own in an archive."""
MODELS = "models.jsonl"
EVALS = "evals/index.jsonl"
JOBS = "jobs/index.jsonl"
COMPLETIONS = "completions/completions.jsonl"
MESSAGES = "completions/messages.jsonl"
_ENDED = {"completed", "canceled", "cancelled", "failed", "succeeded"}


class ArchiveFolder:
    """The folder that a command writes an archive to; it is locked from ``open`` to ``close``."""

    def __init__(self, root: Path, server: str) -> None:
        """Read the state of the folder; nothing is written yet.

        Args:
            root: The folder, which may not exist yet.
            server: The server's address, without credentials.

        Raises:
            DistilltestError: It is a file, has other content, or is the archive of another server.
        """
        self.root = root
        self._server = server
        self._lock: sqlite3.Connection | None = None
        if root.exists() and not root.is_dir():
            raise DistilltestError(f"{root} is a file, not a folder. Name another folder: --output FOLDER.")
        state = read_state(root)
        if state is None and root.is_dir() and any(each.name not in _OWN for each in root.iterdir()):
            raise DistilltestError(f"{root} is not empty and is not an archive. Name another folder: --output FOLDER.")
        if state is not None and state.get("server") != server:
            raise DistilltestError(
                f"{root} is an archive of {state.get('server')}, not of {server}. Name another folder: --output FOLDER."
            )
        self.new = state is None
        """Whether there is no archive yet."""
        self.finished = (root / MANIFEST).exists() and not (root / UNFINISHED).exists()
        """Whether an earlier command has saved everything."""
        self.started: str = (state or {}).get("started") or _now()
        """When the first command began."""
        self._setting_aside = bool((state or {}).get("setting_aside"))

    def open(self, *, refresh: bool = False) -> None:
        """Make the folder and lock it.

        Args:
            refresh: If the archive is finished, mark everything that may have grown to be read again.

        Raises:
            DistilltestError: It cannot be written, or another command writes to it.
        """
        try:
            self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise unwritable(self.root, error, "Name another folder: --output FOLDER.") from None
        lock = sqlite3.connect(self.root / LOCK, timeout=0, isolation_level=None, check_same_thread=False)
        try:
            lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            lock.close()
            if "locked" in str(error):
                raise DistilltestError(f"Another command is writing to {self.root}. Wait until it ends.") from None
            raise DistilltestError(
                f"{self.root} cannot be written: {error}. Name another folder: --output FOLDER."
            ) from None
        self._lock = lock
        refresh = (refresh and self.finished) or self._setting_aside
        self._write_state(setting_aside=refresh)
        if refresh:
            (self.root / MANIFEST).unlink(missing_ok=True)
            self._set_aside()
            self._write_state(setting_aside=False)

    def close(self, *, finished: bool = False) -> None:
        """Unlock the folder.

        Args:
            finished: The archive is complete and its manifest is written.
        """
        if self._lock is None:
            return
        if finished:
            (self.root / UNFINISHED).unlink(missing_ok=True)
        (self.root / LOCK).unlink(missing_ok=True)
        self._lock.close()
        self._lock = None

    @property
    def empty(self) -> bool:
        """Whether nothing has been saved."""
        return not any(True for _ in files_of(self.root))

    def discard(self) -> None:
        """Remove an empty archive."""
        self.close(finished=True)
        with contextlib.suppress(OSError):  # the folder was there before, or is the current one
            self.root.rmdir()

    def _write_state(self, *, setting_aside: bool) -> None:
        state = {"server": self._server, "started": self.started, "setting_aside": setting_aside}
        write_whole(self.root / UNFINISHED, orjson.dumps(state, option=orjson.OPT_INDENT_2) + b"\n")

    def _set_aside(self) -> None:
        """Mark everything that may have grown or changed to be read again. Safe to interrupt and repeat."""
        for parent, names in (
            ("evals/*/runs/*/run.json", ("output_items",)),
            ("jobs/*/job.json", ("events", "checkpoints")),
        ):
            for path in self.root.glob(parent):
                if parse(path.read_bytes()).get("status") not in _ENDED:
                    for name in names:
                        GrowingFile(path.with_name(f"{name}.jsonl")).set_aside()
        for path in (
            *(self.root / name for name in (MODELS, EVALS, JOBS)),
            *self.root.glob("evals/*/runs/index.jsonl"),
        ):
            GrowingFile(path).set_aside()
        for name in (COMPLETIONS, MESSAGES):
            GrowingFile(self.root / name).reopen()


def read_state(root: Path) -> dict[str, Any] | None:
    """Read the state of an unfinished archive, or of a finished one; None if the folder has no archive.

    Raises:
        DistilltestError: The state is damaged.
    """
    for name in (UNFINISHED, MANIFEST):
        path = root / name
        try:
            content = parse(path.read_bytes())
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            raise DistilltestError(f"{path} cannot be read: {error.strerror}.") from None
        except ValueError:
            content = None
        if not isinstance(content, dict) or not isinstance(content.get("server"), str):
            raise DistilltestError(
                f"{path} is damaged. Restore it from a copy, or save to another folder: --output FOLDER."
            )
        return content
    return None


def files_of(root: Path) -> Iterator[Path]:
    """The saved files of an archive, without its manifest and state, in a stable order."""
    for path in sorted(root.rglob("*")):
        if (path.is_symlink() or not path.is_dir()) and path.relative_to(root).as_posix() not in _OWN:
            yield path


def _now() -> str:
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
