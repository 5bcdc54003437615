"""Opens the project's store: shows the progress of a migration, and deletes expired completions."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path

from distilltest.config import Config
from distilltest.data import absent, read_bytes
from distilltest.errors import StoreError
from distilltest.store import Store

DAY = 86_400.0
"""Seconds."""
PROMOTIONS = "promotions.yaml"
"""The file that names the model in production. Runs that it names are never emptied."""
_SOON, _OFTEN = 1.5, 3.0
"""Seconds before the first line about a migration, and between two lines."""
_RUN = re.compile(r"\b\d{8}-\d{6}-[0-9a-z]{4}\b")
"""A run's id."""


class Upgrade:
    """Shows the progress of a migration that takes more than a moment."""

    def __init__(self, path: Path, say: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> None:
        """Start timing.

        Args:
            path: The store.
            say: Shows a line.
            clock: A monotonic clock, in seconds.
        """
        self._path = path
        self._say = say
        self._clock = clock
        self._next = clock() + _SOON

    def __call__(self, done: int, total: int) -> None:
        """Show the progress if it is time to."""
        now = self._clock()
        if now >= self._next:
            self._next = now + _OFTEN
            self._say(f"Bringing the store {self._path} to the new format, once: {100 * done // max(1, total)} %")


def open_store(config: Config, say: Callable[[str], None]) -> Store:
    """Open the project's store without deleting anything.

    Args:
        config: The project's configuration.
        say: Shows a line, for the progress of a long migration.

    Raises:
        StoreError: The store cannot be opened.
    """
    return Store.open(config.store_path, Upgrade(config.store_path, say))


def open_for_work(config: Config, say: Callable[[str], None], clock: Callable[[], float] = time.time) -> Store:
    """Open the project's store, and delete what is older than ``retention:`` allows.

    Args:
        config: The project's configuration.
        say: Shows a line: the number of deleted completions, and the progress of a migration.
        clock: Unix time.

    Raises:
        StoreError: The store cannot be opened, or ``promotions.yaml`` cannot be read; nothing was deleted.
    """
    store = open_store(config, say)
    days = config.retention_days
    if days is not None:
        now = clock()
        try:
            deleted = store.delete_older(now - days * DAY, now, keep_runs=_promoted(config.root / PROMOTIONS))
        except BaseException:
            store.close()
            raise
        if deleted:
            what = "completion" if deleted == 1 else "completions"
            say(f"{deleted:,} {what} older than {days} {'day' if days == 1 else 'days'} were deleted")
    return store


def _promoted(path: Path) -> list[str]:
    """The runs that a file names; none if it does not exist."""
    if absent(path):
        return []
    try:
        return _RUN.findall(read_bytes(path, str(path), StoreError).decode(errors="replace"))
    except StoreError as error:
        raise StoreError(
            f"{error} It names the runs to keep, so nothing older than the retention was deleted. Repair it, and run again."
        ) from None
