"""Archive a server: probe it, open the folder, fetch everything, write the manifest."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from distilltest.errors import ConfigError, DistilltestError
from distilltest.exchange.archive import manifest as manifests
from distilltest.exchange.archive.collect import TOP, Collector
from distilltest.exchange.archive.fetch import Fetcher, NotFetched
from distilltest.exchange.archive.folder import ArchiveFolder
from distilltest.exchange.archive.manifest import Manifest


@dataclass(frozen=True, slots=True)
class ArchivedServer:
    """A server to archive."""

    name: str
    """Its address in the archive's manifest."""
    base_url: str
    """Its address for requests."""
    api_key: str | None
    key_help: str
    """What to do if the key is refused."""
    per_minute: int | None = None
    """The maximum of requests per minute."""
    timeout: float = 60.0
    """Seconds without a byte after which an attempt fails."""


def check_address(base_url: str) -> str:
    """Check a server's address; return it without a slash at the end.

    Raises:
        ConfigError: It is not an address, or contains credentials.
    """
    parts = urlsplit(base_url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError(f"{base_url!r} is not an address of a server. Write it as https://api.openai.com/v1.")
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        raise ConfigError(
            "The address of the server has a user, a password or a query in it. Leave them out: the key comes from the "
            "environment."
        )
    return base_url.rstrip("/")


def archive(
    source: ArchivedServer,
    output: Path,
    *,
    concurrency: int,
    refresh: bool = False,
    first_wait: float = 0.5,
    progress: Callable[[str, int], None] = lambda _kind, _count: None,
) -> tuple[Manifest, bool]:
    """Save everything from a server.

    Args:
        source: The server.
        output: The archive's folder; an unfinished archive in it is continued.
        concurrency: Requests in flight at once.
        refresh: If the archive is finished, read everything again that may have grown or changed.
        first_wait: Seconds before the first retry; doubled each time.
        progress: Called with the kind and number of saved objects.

    Returns:
        The manifest, and whether any request was sent: a finished archive is left alone without ``refresh``.

    Raises:
        DistilltestError: The key is refused, the server cannot be reached or has nothing to save, or the folder cannot be
            written. Everything that had arrived is kept.
    """
    folder = ArchiveFolder(output, source.name)
    if folder.finished and not refresh:
        return manifests.read(output), False
    fetcher = Fetcher(
        source.base_url,
        source.api_key,
        concurrency=concurrency,
        per_minute=source.per_minute,
        timeout=source.timeout,
        key_help=source.key_help,
        first_wait=first_wait,
    )
    try:
        not_fetched = asyncio.run(_collect(fetcher, folder, Collector(fetcher, output, concurrency, progress), refresh))
        if folder.empty and {each.path for each in not_fetched} >= set(TOP):
            folder.discard()
            raise DistilltestError(_nothing(source, not_fetched))
        manifest = manifests.write(output, source.name, folder.started, not_fetched)
        folder.close(finished=manifest.complete)
    except BaseExceptionGroup as group:
        raise _cause(group) from None
    finally:
        folder.close()
    return manifest, True


async def _collect(fetcher: Fetcher, folder: ArchiveFolder, collector: Collector, refresh: bool) -> list[NotFetched]:
    async with fetcher:
        if folder.new or folder.finished:
            await fetcher.probe(TOP[0])  # before anything is written
        folder.open(refresh=refresh)
        await collector.models()
        await collector.everything()
    return collector.not_fetched


def _nothing(source: ArchivedServer, not_fetched: list[NotFetched]) -> str:
    lines = [f"  {each.path}: {each.status or ''} {each.message}" for each in not_fetched if each.path in TOP]
    return "\n".join(
        [
            f"{source.base_url} gave nothing that could be saved:",
            *lines,
            "Check the address (does it end in /v1?) and what the key may read.",
        ]
    )


def _cause(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The error of a group that a user can fix, or any other."""
    found: list[BaseException] = []
    pending: list[BaseException] = [group]
    while pending:
        each = pending.pop()
        if isinstance(each, BaseExceptionGroup):
            pending += each.exceptions
        else:
            found.append(each)
    return next((each for each in found if isinstance(each, DistilltestError)), found[0])
