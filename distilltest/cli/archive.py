"""``distilltest archive``: save your data from a hosted platform, and check the copy."""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from distilltest.cli import say
from distilltest.cli.options import add_action, add_root, positive, resumable

if TYPE_CHECKING:
    from distilltest.exchange.archive.manifest import Manifest
    from distilltest.exchange.archive.run import ArchivedServer

OPENAI = "https://api.openai.com/v1"
KEY_VARIABLE = "OPENAI_API_KEY"
_EVERY = 15.0
"""Seconds between two lines of progress without a terminal."""
_SHOWN = 10
"""Refusals in the summary; the manifest has all of them."""
_TEXT = """\
Save your data from a hosted platform before it is switched off, and check the copy at any time.

  export OPENAI_API_KEY=...
  distilltest archive openai                  save everything to archive/
  distilltest archive verify archive/         check that nothing in it has changed
"""
_OPENAI = """\
Save all evals with their runs and output items, stored completions with their messages, fine-tuning jobs with their
events and checkpoints, the files that they refer to, and the models with their shutdown dates. Every object is saved
exactly as the server sent it. Nothing changes on the server.

  distilltest archive openai                                everything on api.openai.com, to archive/
  distilltest archive openai --output backup/2026-11-25     to another folder
  distilltest archive openai --server azure                 from a server of distilltest.yaml, with its key
  distilltest archive openai --base-url http://localhost:4000/v1
  distilltest archive openai --refresh                      add objects created since the archive was finished

The key comes from the environment: OPENAI_API_KEY, or the variable that distilltest.yaml names for --server. It is never
written to disk. OPENAI_ORG_ID and OPENAI_PROJECT_ID are sent too if they are set.

If the command is interrupted, run it again: it fetches only what is missing. It does not touch a finished archive, unless
you add --refresh, which reads the lists again, and the contents of runs and jobs that had not ended, and never deletes
anything. The summary and manifest.json list everything that the server refused.

Exit codes: 0 everything was saved or refused, 11 some requests failed and the same command may still get them, 3 an error,
explained by the message.
"""
_VERIFY = """\
Read every file of an archive again, and compare its size, hash and number of objects with manifest.json. Lists every file
that was truncated, changed or lost, or that does not belong there.

  distilltest archive verify archive/

Exit codes: 0 the archive is intact, 13 it is not, 3 there is no finished archive.
"""


def add(commands: Any) -> None:
    """Declare the commands."""
    group = add_action(
        commands,
        "archive",
        "save evals, completions, jobs and files of a hosted platform before it is switched off",
        _TEXT,
    )
    actions = group.add_subparsers(title="actions", metavar="ACTION", required=True)
    openai = add_action(actions, "openai", "save everything from a server with the OpenAI API", _OPENAI, run_openai)
    openai.add_argument(
        "--output", type=Path, default=Path("archive"), metavar="FOLDER", help="the folder to write (default: archive/)"
    )
    where = openai.add_mutually_exclusive_group()
    where.add_argument("--server", metavar="NAME", help="a server of distilltest.yaml")
    where.add_argument("--base-url", metavar="URL", help=f"the server's address (default: {OPENAI})")
    openai.add_argument(
        "--concurrency", type=positive, default=8, metavar="N", help="requests in flight at once (default: 8)"
    )
    openai.add_argument("--refresh", action="store_true", help="add objects created since the archive was finished")
    add_root(openai)
    resumable(openai)
    check = add_action(actions, "verify", "compare an archive with its manifest", _VERIFY, run_verify)
    check.add_argument("archive", type=Path, metavar="ARCHIVE", help="the archive's folder")


def run_openai(arguments: argparse.Namespace) -> int:
    """Save everything."""
    from distilltest.exchange.archive.run import archive
    from distilltest.exit_codes import INCOMPLETE

    source = _source(arguments)
    with _Progress() as progress:
        manifest, asked = archive(
            source,
            arguments.output,
            concurrency=arguments.concurrency,
            refresh=arguments.refresh,
            progress=progress,
        )
    if not asked:
        say.line(f"{arguments.output} is finished; nothing was asked. To add objects created since then: --refresh")
    _summarize(arguments.output, manifest)
    return 0 if manifest.complete else INCOMPLETE


def run_verify(arguments: argparse.Namespace) -> int:
    """Check an archive."""
    from distilltest.cli.bar import Bar
    from distilltest.exchange.archive.verify import verify
    from distilltest.exit_codes import REFUSED

    with Bar("files", 0) as bar:
        manifest, problems = verify(arguments.archive, bar)
    for problem in problems:
        say.line(problem)
    _print_counts(arguments.archive, manifest)
    say.line(f"problems: {len(problems)}")
    return REFUSED if problems else 0


def _source(arguments: argparse.Namespace) -> ArchivedServer:
    from distilltest.errors import ConfigError
    from distilltest.exchange.archive.run import ArchivedServer, check_address

    if arguments.server is not None:
        from distilltest.completions.client import resolve_base_url
        from distilltest.config import load_config

        config = load_config(arguments.root.resolve())
        server = config.server(arguments.server)
        if server.userinfo:
            raise ConfigError(
                f"server {server.name!r} has a user in its base_url. An archive needs an api_key instead."
            )
        variable = server.api_key_variable
        key_help = f"Check the key in {variable}." if variable else f"Give server {server.name!r} an api_key."
        return ArchivedServer(
            name=server.base_url if server.embedded else check_address(server.base_url),
            base_url=resolve_base_url(server, config),
            api_key=server.api_key,
            key_help=key_help,
            per_minute=server.requests_per_minute,
            timeout=server.timeout,
        )
    base_url = check_address(arguments.base_url or OPENAI)
    key = os.environ.get(KEY_VARIABLE, "").strip()
    if not key and base_url == OPENAI:
        raise ConfigError(
            f"The environment variable {KEY_VARIABLE} is not set. Set it to a key that may read the project, "
            "or name a server of distilltest.yaml: --server NAME."
        )
    if not key.isascii() or not key.isprintable():
        raise ConfigError(f"The key in {KEY_VARIABLE} has characters that a key cannot have. Copy it again.")
    return ArchivedServer(base_url, base_url, key or None, f"Check the key in {KEY_VARIABLE}.")


def _summarize(output: Path, manifest: Manifest) -> None:
    _print_counts(output, manifest)
    for title, listed in (("Refused by the server", manifest.refused), ("Failed", manifest.failed)):
        if listed:
            say.line(f"{title}: {len(listed):,}")
        for each in listed[:_SHOWN]:
            say.line(f"  {each['path']}: {each['status'] or ''} {each['message']}".replace(":  ", ": "))
        if len(listed) > _SHOWN:
            say.line(f"  and {len(listed) - _SHOWN:,} more: see {output / 'manifest.json'}")
    if manifest.prompts:
        say.line("Reusable prompts have no API for export. Copy these by hand from the dashboard:")
        for prompt, name in manifest.prompts.items():
            say.line(f"  {prompt} ({name})")
    else:
        say.line("Reusable prompts (pmpt_…) have no API for export: copy yours by hand from the dashboard.")
    if manifest.complete:
        say.line(f"Check it at any time: distilltest archive verify {output}")
    else:
        say.line("Not everything could be saved. Run the same command again: it asks only for what is missing.")


def _print_counts(output: Path, manifest: Manifest) -> None:
    say.line(f"{output}: {len(manifest.files):,} files, {_size(manifest.total_bytes)}, of {manifest.server}")
    for kind, number in manifest.counts.items():
        say.line(f"  {number:>9,} {kind}")


def _size(number: int) -> str:
    size = float(number)
    for unit in ("bytes", "KB", "MB"):
        if size < 1000:
            return f"{size:,.0f} {unit}" if unit == "bytes" else f"{size:,.1f} {unit}"
        size /= 1000
    return f"{size:,.1f} GB"


class _Progress:
    """Shows what has been saved: a bar on a terminal, a line now and then in a log."""

    def __init__(self) -> None:
        from tqdm import tqdm

        self._counts: dict[str, int] = {}
        self._terminal = sys.stderr.isatty()
        self._last = time.monotonic()
        self._bar: Any = tqdm(unit=" objects", leave=False, disable=not self._terminal, dynamic_ncols=True)

    def __enter__(self) -> Self:
        return self

    def __call__(self, kind: str, number: int) -> None:
        """Count saved objects."""
        self._counts[kind] = self._counts.get(kind, 0) + number
        if self._terminal:
            self._bar.set_postfix_str(self._said, refresh=False)
            self._bar.update(number)
        elif time.monotonic() - self._last >= _EVERY:
            say.aside(f"saved: {self._said}")
            self._last = time.monotonic()

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    @property
    def _said(self) -> str:
        return ", ".join(f"{number:,} {kind}" for kind, number in self._counts.items())
