"""The folder of an archive: whose it is, whether it is finished, and that only one command writes to it."""

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
"""There while an archive is being written, with what the next command must know."""
LOCK = ".lock"
_OWN = {MANIFEST, UNFINISHED, LOCK, f"{LOCK}-journal"}
"""Files that are not part of what was saved."""
MODELS = "models.jsonl"
EVALS = "evals/index.jsonl"
JOBS = "jobs/index.jsonl"
COMPLETIONS = "completions/completions.jsonl"
MESSAGES = "completions/messages.jsonl"
_ENDED = {"completed", "canceled", "cancelled", "failed", "succeeded"}


class ArchiveFolder:
    """The folder that a command writes an archive to. Use it as a context: it is locked meanwhile."""

    def __init__(self, root: Path, server: str) -> None:
        """Look at the folder; nothing is written yet.

        Args:
            root: The folder, which may not exist yet.
            server: The server's address, without credentials.

        Raises:
            DistilltestError: It is a file, holds something else, or holds the archive of another server.
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
        """Whether an earlier command has saved everything that the server gives."""
        self.started: str = (state or {}).get("started") or _now()
        """When the first command began."""
        self._setting_aside = bool((state or {}).get("setting_aside"))

    def open(self, *, refresh: bool = False) -> None:
        """Make the folder, lock it, and have what may have grown asked again if the archive is finished.

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
            finished: The archive is complete, its manifest is written.
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
        """Leave nothing behind of an archive that holds nothing."""
        self.close(finished=True)
        with contextlib.suppress(OSError):  # the folder was there before, or is the current one
            self.root.rmdir()

    def _write_state(self, *, setting_aside: bool) -> None:
        state = {"server": self._server, "started": self.started, "setting_aside": setting_aside}
        write_whole(self.root / UNFINISHED, orjson.dumps(state, option=orjson.OPT_INDENT_2) + b"\n")

    def _set_aside(self) -> None:
        """Have the server asked again for what may have grown or changed. May be interrupted and repeated."""
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
    """What is known of an archive: of the unfinished one, else of the finished one; None if the folder holds none.

    Raises:
        DistilltestError: It is damaged.
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
    """Every file of an archive but its manifest and what a running command keeps, in a stable order."""
    for path in sorted(root.rglob("*")):
        if (path.is_symlink() or not path.is_dir()) and path.relative_to(root).as_posix() not in _OWN:
            yield path


def _now() -> str:
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
