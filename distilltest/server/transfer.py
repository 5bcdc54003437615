"""Uploads and downloads in chunks: memory use does not grow with the file, and the server answers other requests meanwhile."""

from __future__ import annotations

import asyncio
from typing import Any, BinaryIO

from aiohttp import web

from distilltest.server.errors import ApiError, invalid
from distilltest.server.files import LARGEST, Files, Upload
from distilltest.server.multipart import BodyPart, FormReader, MalformedBody, boundary_of

PIECE = 1024 * 1024
"""The chunk size in bytes. Chunks are read and written in a thread, because a slow disk must not block the server's loop."""
LARGEST_FIELD = 64 * 1024
"""The total size limit of a form's fields without the file, in bytes."""


async def receive(request: web.Request, files: Files) -> dict[str, Any]:
    """Store the file of a form. If the upload breaks off, is too large or is invalid, nothing is left on disk.

    Raises:
        ApiError: The form is not an upload or is too large, or the disk is full.
    """
    if request.content_length is not None and request.content_length > LARGEST + 2 * LARGEST_FIELD:
        raise ApiError(413, f"The file has more than {LARGEST // 1024**2} MiB.", code="file_too_large")
    form = _Form(files)
    try:
        reader = FormReader(boundary_of(request.headers.get("Content-Type", "")))
        while data := await request.content.readany():
            for event in reader.feed(data):
                await form.take(event)
        reader.end()
        return await form.keep()
    except MalformedBody as error:
        raise invalid(f"The upload cannot be read: {error}.") from None
    except OSError as error:
        if isinstance(error, ConnectionError):
            raise
        raise ApiError(507, f"The upload cannot be kept: {error.strerror}.", kind="server_error") from None
    finally:
        form.abandon()


async def send(request: web.Request, file: BinaryIO) -> web.StreamResponse:
    """Send an open file, and close it."""
    with file:
        size = file.seek(0, 2)
        file.seek(0)
        response = web.StreamResponse()
        response.content_type = "application/octet-stream"
        response.content_length = size
        await response.prepare(request)
        while size and (piece := await asyncio.to_thread(file.read, PIECE)):
            await response.write(piece)
        await response.write_eof()
    return response


class _Form:
    """The parts of an upload, as they arrive."""

    def __init__(self, files: Files) -> None:
        self._files = files
        self._fields: dict[str, bytes] = {}
        self._field = ""
        """The name of the field that is being read; empty while reading the file."""
        self._upload: Upload | None = None
        self._filename = ""
        self._waiting = bytearray()
        """Content of the file that has not been written yet."""

    async def take(self, event: BodyPart | bytes) -> None:
        """Process the start of a part, or a chunk of its content."""
        if isinstance(event, BodyPart):
            self._begin(event)
        elif self._field:
            self._fields[self._field] += event
            if sum(map(len, self._fields.values())) > LARGEST_FIELD:
                raise MalformedBody(f"its fields have more than {LARGEST_FIELD} bytes")
        else:
            self._waiting += event
            if len(self._waiting) >= PIECE:
                await self._write()

    def _begin(self, part: BodyPart) -> None:
        if part.name == "file" and part.filename is not None:
            if self._upload is not None:
                raise MalformedBody("it has more than one file")
            self._upload = self._files.begin()
            self._filename = part.filename
            self._field = ""
        elif not part.name or part.name in self._fields or len(self._fields) >= 100:
            raise MalformedBody("it has a field without a name, a field twice, or too many fields")
        else:
            self._fields[part.name] = b""
            self._field = part.name

    async def keep(self) -> dict[str, Any]:
        """Store the file, once all parts have arrived."""
        if self._upload is None:
            raise invalid("the form needs a file", "file")
        await self._write()
        purpose = self._fields.get("purpose", b"").decode(errors="replace")
        return await asyncio.to_thread(self._files.add, self._filename, purpose, self._upload)

    async def _write(self) -> None:
        assert self._upload is not None
        data, self._waiting = self._waiting, bytearray()
        await asyncio.to_thread(self._upload.write, data)

    def abandon(self) -> None:
        """Remove the file if it was not stored."""
        if self._upload is not None:
            self._upload.abandon()
