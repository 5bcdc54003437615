"""Opening the store for work: what is older than distilltest.yaml allows is deleted first."""

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
_RUN = re.compile(r"\b\d{8}-\d{6}-[0-9a-z]{4}\b")
"""A run's name, wherever it stands."""


def open_for_work(config: Config, say: Callable[[str], None], clock: Callable[[], float] = time.time) -> Store:
    """Open the project's store, deleting what is older than ``retention:`` says.

    Args:
        config: The project's configuration.
        say: Told in one line how many completions were deleted, where there were any.
        clock: The Unix time.

    Raises:
        StoreError: The store cannot be opened, or ``promotions.yaml`` cannot be read, so that nothing may be deleted.
    """
    store = Store.open(config.store_path)
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
