"""Opening the store for a command that deletes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from distilltest.cli import say

if TYPE_CHECKING:
    from distilltest.config import Config
    from distilltest.store import Store


def open_store(config: Config) -> Store:
    """Open the project's store; what takes long is told on standard error.

    Raises:
        StoreError: The store cannot be opened.
    """
    from distilltest.store import prepare

    return prepare.open_store(config, say.aside)
