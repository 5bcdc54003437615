"""``distilltest completions export`` and ``import``."""

from __future__ import annotations

import argparse
import time

from distilltest.cli import say
from distilltest.cli.bar import Bar
from distilltest.cli.completions_show import open_store
from distilltest.cli.selection import selection_of
from distilltest.config import Config, load_config
from distilltest.errors import DistilltestError
from distilltest.exchange.export import export_file
from distilltest.exchange.identity import choose_server
from distilltest.exchange.import_file import Imported, import_file
from distilltest.exchange.incoming import ImportContext
from distilltest.store import CompletionFilter, Store
from distilltest.store.prepare import DAY


def export(arguments: argparse.Namespace) -> int:
    """Write a file."""
    with open_store(arguments) as store:
        written = export_file(arguments.file, store, selection_of(arguments, store))
    if not written:
        raise DistilltestError(f"No completion meets these filters, so {arguments.file} was not written.")
    say.line(f"{arguments.file}: {_completions(written)}")
    return 0


def import_completions(arguments: argparse.Namespace) -> int:
    """Import from a file or a server."""
    if (arguments.file is None) is not arguments.from_server:
        raise DistilltestError("Say where from: either a FILE, or --from-server.")
    if arguments.file is not None and (arguments.metadata or arguments.from_start):
        raise DistilltestError(
            "--metadata and --from-start go with --from-server. A file is imported whole; --set KEY=VALUE labels its completions."
        )
    if arguments.from_server and arguments.skip_bad:
        raise DistilltestError(
            "--skip-bad goes with a FILE: what is broken on a server is always left out, and counted."
        )
    config = load_config(arguments.root.resolve())
    server = choose_server(config, arguments.server)
    model = None if arguments.from_server else arguments.model
    place = ImportContext(config, server, time.time(), model, dict(arguments.set))
    with open_store(arguments) as store:
        before = _too_old(store, config, place.now)
        result = _pull(arguments, config, place, store) if arguments.from_server else _read(arguments, place, store)
        too_old = _too_old(store, config, place.now) - before
    if result.bad:
        for complaint in result.complaints():
            say.aside(complaint)
    source = f"server {server.name!r}" if arguments.from_server else f"{arguments.file}"
    left_out = f", {result.bad:,} bad ones left out" if result.bad else ""
    say.line(f"{source}: {_completions(result.added)} added, {result.known:,} were in the store already{left_out}")
    if result.empty:
        what = "answer says" if result.empty == 1 else "answers say"
        say.line(
            f"remark: {result.empty:,} {what} nothing (no text, no tool call, no refusal), the first at {result.first_empty}; "
            "training files leave such answers out"
        )
    if too_old:
        days = f"{config.retention_days} day{'' if config.retention_days == 1 else 's'}"
        what = (
            "1 of them is older than {} and goes" if too_old == 1 else f"{too_old:,} of them are older than {{}} and go"
        )
        say.line(f"{what.format(days)} with the next command: see retention in {config.source}")
    return 0


def _too_old(store: Store, config: Config, now: float) -> int:
    """The number of completions that the next command would delete, apart from those that runs refer to."""
    if config.retention_days is None:
        return 0
    return store.count_completions(CompletionFilter(until=now - config.retention_days * DAY))


def _read(arguments: argparse.Namespace, place: ImportContext, store: Store) -> Imported:
    with Bar("lines", 0) as bar:
        return import_file(arguments.file, store, place, skip_bad=arguments.skip_bad, progress=bar)


def _pull(arguments: argparse.Namespace, config: Config, place: ImportContext, store: Store) -> Imported:
    from distilltest.completions.client import openai_client
    from distilltest.exchange.import_server import import_from_server

    with (
        openai_client(config.server(place.server.name), config) as client,
        Bar("stored completions", 0) as bar,
    ):
        return import_from_server(
            client,
            store,
            place,
            model=arguments.model,
            metadata=dict(arguments.metadata),
            from_start=arguments.from_start,
            progress=bar,
        )


def _completions(count: int) -> str:
    return f"{count:,} completion{'' if count == 1 else 's'}"
