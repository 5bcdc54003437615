"""Uploaded files: their descriptions are objects, their contents files of their own, written while they arrive."""

from __future__ import annotations

import os
import secrets
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

from distilltest.server.errors import ApiError, invalid, not_found
from distilltest.server.objects import Objects, page

PURPOSES = ("fine-tune", "batch", "evals", "assistants", "vision", "user_data")
LARGEST = 512 * 1024 * 1024
"""Bytes of one file: the platform's limit."""
ABANDONED = 3600.0
"""Seconds without a write after which a file that no object describes is what a killed server left behind."""

_PIECE = 1024 * 1024


class Upload:
    """A file that is being written. It has its name only when all of it is on disk. Safe to use in any thread."""

    def __init__(self, folder: Path, identity: str | None = None) -> None:
        self.identity = identity or f"file-{secrets.token_hex(12)}"
        self.size = 0
        self._path = folder / self.identity
        self._part = folder / f"{self.identity}.{secrets.token_hex(4)}.part"
        self._lock = threading.Lock()
        self._file: BinaryIO | None = os.fdopen(
            os.open(self._part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb", 0
        )

    def write(self, data: bytes | bytearray) -> None:
        """Add to it.

        Raises:
            ApiError: The file is larger than the limit.
            OSError: It cannot be written.
        """
        with self._lock:
            self.size += len(data)
            if self.size > LARGEST:
                raise ApiError(413, f"The file has more than {LARGEST // 1024**2} MiB.", code="file_too_large")
            rest = memoryview(data)
            while self._file is not None and rest:
                rest = rest[self._file.write(rest) :]

    def finish(self) -> None:
        """Make it durable, and give it its name.

        Raises:
            OSError: It cannot be written.
        """
        with self._lock:
            if self._file is not None:
                os.fsync(self._file.fileno())
                self._file.close()
                self._file = None
                self._part.replace(self._path)

    def abandon(self) -> None:
        """Remove it, unless it is finished."""
        with self._lock:
            if self._file is not None:
                self._file.close()
                self._file = None
                self._part.unlink(missing_ok=True)


class Files:
    """Uploaded files."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._folder = objects.folder / "files"
        self._folder.mkdir(mode=0o700, exist_ok=True)
        self._adopt()
        self._sweep()

    def begin(self) -> Upload:
        """Begin an upload."""
        return Upload(self._folder)

    def add(self, name: str, purpose: str, upload: Upload) -> dict[str, Any]:
        """Keep an upload that is complete.

        Raises:
            ApiError: There is no such purpose.
            OSError: It cannot be written.
        """
        if purpose not in PURPOSES:
            raise invalid(f"'{purpose}' is not one of {', '.join(PURPOSES)}", "purpose")
        now = time.time()
        content = {
            "id": upload.identity,
            "object": "file",
            "bytes": upload.size,
            "created_at": int(now),
            "filename": name,
            "purpose": purpose,
            "status": "processed",
            "expires_at": None,
            "status_details": None,
        }
        upload.finish()
        self._objects.put("file", content, now)
        return content

    def list_all(self, query: dict[str, str]) -> dict[str, Any]:
        """Files, the newest first."""
        found = [f for f in self._objects.all("file") if query.get("purpose") in (None, f["purpose"])]
        return page(found, {"limit": "10000", **query}, newest_first=True, most=10_000)

    def get(self, identity: str) -> dict[str, Any]:
        """One file's description."""
        found = self._objects.get("file", identity)
        if found is None:
            raise not_found("File object", identity)
        return found

    def open(self, identity: str) -> BinaryIO:
        """One file's content.

        Raises:
            ApiError: 404.
        """
        self.get(identity)  # an identity that is known is no path to elsewhere
        try:
            return (self._folder / identity).open("rb")
        except FileNotFoundError:
            raise not_found("File object", identity) from None

    def content(self, identity: str) -> bytes:
        """All of one file's content, for a training that reads it into memory anyway."""
        with self.open(identity) as file:
            return file.read()

    def delete(self, identity: str) -> dict[str, Any]:
        """Forget a file."""
        self.get(identity)
        self._objects.delete("file", identity)
        with suppress(OSError):  # Windows deletes no file that is being read: a later start does
            (self._folder / identity).unlink()
        return {"id": identity, "object": "file", "deleted": True}

    def _adopt(self) -> None:
        """Move the contents that an earlier version kept beside the descriptions to files of their own."""
        for identity in self._objects.with_data("file"):
            upload = Upload(self._folder, identity)
            try:
                with self._objects.open_data("file", identity) as data:
                    while piece := data.read(_PIECE):
                        upload.write(piece)
                upload.finish()
            finally:
                upload.abandon()
            self._objects.drop_data("file", identity)

    def _sweep(self) -> None:
        """Remove what uploads left behind when their server was killed. Another server on the folder may be writing now."""
        known = {file["id"] for file in self._objects.all("file")}
        for path in self._folder.iterdir():
            with suppress(OSError):
                if path.name not in known and time.time() - path.stat().st_mtime > ABANDONED:
                    path.unlink()
