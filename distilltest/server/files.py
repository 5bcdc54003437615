"""Uploaded files: each description is an object in the database, each content a file, written while it arrives."""

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
"""The size limit of a file in bytes, as on the platform."""
ABANDONED = 3600.0
"""Seconds since the last write after which a file without a description counts as the leftover of a killed server."""

_PIECE = 1024 * 1024


class Upload:
    """A file that is being written. It gets its final name once it is complete and on disk. Thread-safe."""

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
        """Append data.

        Raises:
            ApiError: The file is larger than the limit.
            OSError: The disk write failed.
        """
        with self._lock:
            self.size += len(data)
            if self.size > LARGEST:
                raise ApiError(413, f"The file has more than {LARGEST // 1024**2} MiB.", code="file_too_large")
            rest = memoryview(data)
            while self._file is not None and rest:
                rest = rest[self._file.write(rest) :]

    def finish(self) -> None:
        """Sync the file to disk, and rename it to its final name.

        Raises:
            OSError: The disk write failed.
        """
        with self._lock:
            if self._file is not None:
                os.fsync(self._file.fileno())
                self._file.close()
                self._file = None
                self._part.replace(self._path)

    def abandon(self) -> None:
        """Remove the file, unless it is finished."""
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
        """Finish a complete upload, and add its description.

        Raises:
            ApiError: The purpose is unknown.
            OSError: The disk write failed.
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
        """The files, newest first."""
        found = [f for f in self._objects.all("file") if query.get("purpose") in (None, f["purpose"])]
        return page(found, {"limit": "10000", **query}, newest_first=True, most=10_000)

    def get(self, identity: str) -> dict[str, Any]:
        """One file's description."""
        found = self._objects.get("file", identity)
        if found is None:
            raise not_found("File object", identity)
        return found

    def open(self, identity: str) -> BinaryIO:
        """Open a file's content.

        Raises:
            ApiError: 404 if there is no such file.
        """
        self.get(identity)  # raises if the id is unknown, so a request cannot name another path
        try:
            return (self._folder / identity).open("rb")
        except FileNotFoundError:
            raise not_found("File object", identity) from None

    def content(self, identity: str) -> bytes:
        """A file's whole content, for training, which reads it into memory anyway."""
        with self.open(identity) as file:
            return file.read()

    def delete(self, identity: str) -> dict[str, Any]:
        """Delete a file."""
        self.get(identity)
        self._objects.delete("file", identity)
        with suppress(OSError):  # Windows cannot delete a file that is being read; a later start does it
            (self._folder / identity).unlink()
        return {"id": identity, "object": "file", "deleted": True}

    def _adopt(self) -> None:
        """Move contents that an earlier version kept in the database into files."""
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
        """Remove unfinished uploads of servers that were killed, but not those that another server may be writing now."""
        known = {file["id"] for file in self._objects.all("file")}
        for path in self._folder.iterdir():
            with suppress(OSError):
                if path.name not in known and time.time() - path.stat().st_mtime > ABANDONED:
                    path.unlink()
