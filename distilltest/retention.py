"""Opening the store for work: what is older than distilltest.yaml allows is deleted first."""

from __future__ import annotations

import time
from collections.abc import Callable

from distilltest.config import Config
from distilltest.store import Store

DAY = 86_400.0
"""Seconds."""


def open_for_work(config: Config, say: Callable[[str], None], clock: Callable[[], float] = time.time) -> Store:
    """Open the project's store, deleting what is older than ``retention:`` says.

    Args:
        config: The project's configuration.
        say: Told in one line how many completions were deleted, where there were any.
        clock: The Unix time.

    Raises:
        StoreError: The store cannot be opened.
    """
    store = Store.open(config.store_path)
    days = config.retention_days
    if days is not None:
        now = clock()
        deleted = store.delete_older(now - days * DAY, now)
        if deleted:
            what = "completion" if deleted == 1 else "completions"
            say(f"{deleted:,} {what} older than {days} {'day' if days == 1 else 'days'} were deleted")
    return store
