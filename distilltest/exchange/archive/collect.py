"""Fetch every object of a server, in order, and put it into the archive's files."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from distilltest.data.whole_files import write_whole
from distilltest.exchange.archive.fetch import Fetcher, NotFetched
from distilltest.exchange.archive.folder import COMPLETIONS, EVALS, JOBS, MESSAGES, MODELS
from distilltest.exchange.archive.lines import GrowingFile
from distilltest.exchange.archive.names import address_part, folder_name
from distilltest.exchange.archive.pages import Item, Page, encode, identifier, one_line, parse
from distilltest.exchange.archive.references import named_files

PAGE = 100
"""Objects per page: the platform's maximum."""

TOP = ("models", "evals", "chat/completions", "fine_tuning/jobs")
"""The lists from which everything else is reached."""

Each = Callable[[Any], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Listing:
    """A list of the server, and the file that keeps it."""

    path: str
    """Below the server's address."""
    file: Path
    kind: str
    """The kind of its objects, for the progress display."""
    order: str | None = "asc"
    """Oldest first, so that new objects come last; None if the list cannot be ordered."""
    paged: bool = True


class Collector:
    """Fetches everything into a folder, except what the folder has already."""

    def __init__(self, fetcher: Fetcher, root: Path, concurrency: int, progress: Callable[[str, int], None]) -> None:
        """Prepare.

        Args:
            fetcher: Sends the requests.
            root: The archive's folder.
            concurrency: Requests in flight at once.
            progress: Called with the kind and number of saved objects.
        """
        self._fetcher = fetcher
        self._root = root
        self._progress = progress
        self._conversations = asyncio.Semaphore(4 * concurrency)
        """Limits the completions whose messages are being fetched, so that their list never runs far ahead."""
        self.not_fetched: list[NotFetched] = []
        """Requests that the server refused or failed."""

    async def models(self) -> None:
        """Save all models, with their shutdown dates."""
        await self._list(Listing("models", self._root / MODELS, "models", order=None, paged=False))

    async def everything(self) -> None:
        """Save everything except the models."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._evals(group))
            group.create_task(self._completions())
            group.create_task(self._jobs(group))
        async with asyncio.TaskGroup() as group:  # after everything that may refer to a file
            for named in named_files(self._root):
                group.create_task(self._file(named))

    async def _evals(self, group: asyncio.TaskGroup) -> None:
        folder = self._root / EVALS

        async def each(entry: Any) -> None:
            group.create_task(self._runs(group, entry, folder.parent / entry["folder"]))

        await self._index(Listing("evals", folder, "evals"), "eval.json", each)

    async def _runs(self, group: asyncio.TaskGroup, eval_entry: Any, folder: Path) -> None:
        path = self._path("evals", eval_entry, "runs")
        if path is None:
            return

        async def each(entry: Any) -> None:
            items = self._path(path, entry, "output_items")
            if items is not None:
                file = folder / "runs" / entry["folder"] / "output_items.jsonl"
                group.create_task(self._list(Listing(items, file, "output items")))

        await self._index(Listing(path, folder / "runs/index.jsonl", "runs"), "run.json", each)

    async def _jobs(self, group: asyncio.TaskGroup) -> None:
        folder = (self._root / JOBS).parent

        async def each(entry: Any) -> None:
            for name in ("events", "checkpoints"):
                path = self._path("fine_tuning/jobs", entry, name)
                if path is not None:
                    file = folder / entry["folder"] / f"{name}.jsonl"
                    group.create_task(self._list(Listing(path, file, name, order=None)))

        listing = Listing("fine_tuning/jobs", self._root / JOBS, "jobs", order=None)
        await self._index(listing, "job.json", each)

    async def _completions(self) -> None:
        completions, messages = GrowingFile(self._root / COMPLETIONS), GrowingFile(self._root / MESSAGES)
        if completions.complete and messages.complete:
            return
        claimed = {value["completion_id"] for value in messages.resume()}
        before = len(self.not_fetched)
        async with asyncio.TaskGroup() as group:

            async def each(completion: Any) -> None:
                found = identifier(completion)
                if found is None or found not in claimed:
                    claimed.add(found or "")
                    await self._conversations.acquire()
                    group.create_task(self._messages(completion, messages))

            await self._list(Listing("chat/completions", completions.path, "completions"), each=each)
        failed = [each for each in self.not_fetched[before:] if each.path.startswith("chat/") and not each.final]
        if completions.complete and not failed:
            messages.finish()

    async def _messages(self, completion: Any, messages: GrowingFile) -> None:
        """Save the messages that a stored completion answers, as one line."""
        try:
            path = self._path("chat/completions", completion, "messages")
            if path is None:
                return
            found: list[bytes] = []
            async for items in self._pages(Listing(path, messages.path, "messages"), None):
                found += [one_line(item.raw) for item in items]
            name = encode(completion["id"])
            messages.append([b'{"completion_id":' + name + b',"messages":[' + b",".join(found) + b"]}"])
            self._progress("messages", len(found))
        except NotFetched as refusal:
            self.not_fetched.append(refusal)
        finally:
            self._conversations.release()

    async def _file(self, named: str) -> None:
        """Save a file's metadata and content."""
        path = self._path("files", {"id": named})
        if path is None:
            return
        folder = self._root / "files" / folder_name(named)
        metadata, content = folder / "file.json", folder / "content"
        try:
            if not metadata.exists():
                write_whole(metadata, await self._fetcher.json(path))
            if not content.exists():
                await self._fetcher.download(f"{path}/content", content)
            self._progress("files", 1)
        except NotFetched as refusal:
            self.not_fetched.append(refusal)

    def _path(self, before: str, owner: Any, after: str = "") -> str | None:
        """The path of something that belongs to an object; None if the object's id cannot be part of an address."""
        found = identifier(owner)
        part = address_part(found) if found else None
        if part is None:
            message = f"the id {found!r:.80} cannot be part of an address" if found else "an object has no id"
            self.not_fetched.append(NotFetched(f"{before}/…/{after}".rstrip("/"), None, message, final=True))
            return None
        return f"{before}/{part}/{after}".rstrip("/")

    async def _index(self, listing: Listing, name: str, each: Each) -> None:
        """Save each object of a list in its own folder, and an index of the folders."""
        folders: set[str] = set()

        def line(item: Item) -> bytes | None:
            folder = folder_name(item.id or f"no id: {item.raw!r}")
            if folder in folders:
                return None
            folders.add(folder)
            write_whole(listing.file.parent / folder / name, item.raw)
            return encode({"id": item.id, "folder": folder})

        async def remember(entry: Any) -> None:
            folders.add(entry["folder"])
            await each(entry)

        await self._list(listing, line, remember)

    async def _list(
        self,
        listing: Listing,
        line: Callable[[Item], bytes | None] = lambda item: one_line(item.raw),
        each: Each | None = None,
    ) -> None:
        """Save a list, from where an earlier command stopped.

        Args:
            listing: The list.
            line: Makes an object's line in the file; None leaves the object out.
            each: Called for each line, including those that an earlier command saved.
        """
        lines = GrowingFile(listing.file)
        if lines.complete:
            if each is not None:
                for value in lines.read():
                    await each(value)
            return
        last: Any = None
        for last in lines.resume():
            if each is not None:
                await each(last)
        after = identifier(last)

        async def keep(after: str | None) -> None:
            async for items in self._pages(listing, after):
                kept = [made for made in map(line, items) if made is not None]
                lines.append(kept)
                self._progress(listing.kind, len(kept))
                if each is not None:
                    for made in kept:
                        await each(parse(made))

        try:
            try:
                if after is None:
                    lines.start_over()
                await keep(after)
            except NotFetched as refusal:
                if after is None or refusal.status not in (400, 404, 422):
                    raise
                lines.start_over()  # the server no longer knows the object that was the last one
                await keep(None)
        except NotFetched as refusal:
            self.not_fetched.append(refusal)
            if refusal.final:
                lines.give_up()
        else:
            lines.finish()

    async def _pages(self, listing: Listing, after: str | None) -> AsyncIterator[tuple[Item, ...]]:
        """The pages of a list after an object; each is fetched when the one before has been processed."""
        options: dict[str, str | int | None] = {"limit": PAGE, "order": listing.order} if listing.paged else {}
        mark, pages = after, 0
        while True:
            try:
                page = await self._fetcher.page(listing.path, after=after, **options)
            except NotFetched as refusal:
                unknown = [name for name in options if name in refusal.message.lower()]
                if refusal.status not in (400, 422) or not unknown:
                    raise
                for name in unknown:  # a server that rejects an option
                    del options[name]
                continue
            cursor = _cursor(page)
            if cursor is not None and cursor in (after, mark):
                if page.has_more:
                    raise NotFetched(listing.path, None, "the server sends the same page again and again", final=True)
                return  # the server returns everything at once, and ignores `after`
            yield page.items
            if not listing.paged or not page.items or page.has_more is False:
                return
            if cursor is None:
                raise NotFetched(listing.path, None, "the last object has no id to go on from", final=True)
            after, pages = cursor, pages + 1
            if pages & (pages - 1) == 0:
                mark = cursor  # seen again if the pages form a cycle


def _cursor(page: Page) -> str | None:
    """The cursor of the next page, as the official client determines it."""
    return (page.items[-1].id if page.items else None) or page.last_id
