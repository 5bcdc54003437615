"""Opening what a command works on: the project's store, or the server that tunes its base."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from distilltest.cli import say

if TYPE_CHECKING:
    from distilltest.config import Config
    from distilltest.finetuning.jobs import TuningServer
    from distilltest.store import Store


def open_store(config: Config) -> Store:
    """Open the project's store, deleting nothing; slow steps are announced on standard error.

    Raises:
        StoreError: The store cannot be opened.
    """
    from distilltest.store import prepare

    return prepare.open_store(config, say.aside)


@contextmanager
def connect(root: Path) -> Iterator[tuple[Config, TuningServer]]:
    """Yield the project's configuration and the server that tunes its base; close the connections afterwards."""
    from distilltest.completions.client import openai_client
    from distilltest.config import load_config
    from distilltest.finetuning.jobs import TuningServer

    config = load_config(root.resolve())
    server = config.server(config.model("base").server)
    with openai_client(server, config) as client:
        yield config, TuningServer(server.name, server.base_url, client, config.state_dir)
