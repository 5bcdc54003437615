"""Opening the store for work: it says when bringing an older one to today's format takes a while, and deletes what is too old."""

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
"""The file that says which model is in production. Every run that it names stays whole, however old it is."""
_SOON, _OFTEN = 1.5, 3.0
"""Seconds until the first line about an upgrade, and between two of them."""
_RUN = re.compile(r"\b\d{8}-\d{6}-[0-9a-z]{4}\b")
"""A run's name, wherever it stands."""


class Upgrade:
    """Says how far an older store has been brought to today's format, where that takes more than a moment."""

    def __init__(self, path: Path, say: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> None:
        """Begin.

        Args:
            path: The store.
            say: Told a line now and then.
            clock: Seconds from any beginning.
        """
        self._path = path
        self._say = say
        self._clock = clock
        self._next = clock() + _SOON

    def __call__(self, done: int, total: int) -> None:
        """So many rows of all have been carried over."""
        now = self._clock()
        if now >= self._next:
            self._next = now + _OFTEN
            self._say(f"Bringing the store {self._path} to the new format, once: {100 * done // max(1, total)} %")


def open_store(config: Config, say: Callable[[str], None]) -> Store:
    """Open the project's store as it is.

    Args:
        config: The project's configuration.
        say: Told in a line now and then how far an older store has been brought to today's format, where that takes a while.

    Raises:
        StoreError: The store cannot be opened.
    """
    return Store.open(config.store_path, Upgrade(config.store_path, say))


def open_for_work(config: Config, say: Callable[[str], None], clock: Callable[[], float] = time.time) -> Store:
    """Open the project's store, deleting what is older than ``retention:`` says.

    Args:
        config: The project's configuration.
        say: Told in one line how many completions were deleted, where there were any, and what ``open_store`` tells.
        clock: The Unix time.

    Raises:
        StoreError: The store cannot be opened, or ``promotions.yaml`` cannot be read, so that nothing may be deleted.
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
    """The runs that a file names; none without the file."""
    if absent(path):
        return []
    try:
        return _RUN.findall(read_bytes(path, str(path), StoreError).decode(errors="replace"))
    except StoreError as error:
        raise StoreError(
            f"{error} It says which runs must stay, so nothing older than the retention was deleted. Mend it, and run again."
        ) from None
