"""Uploaded files."""

from __future__ import annotations

import secrets
import time
from typing import Any

from distilltest.embedded.errors import invalid, not_found
from distilltest.embedded.objects import Objects, page

PURPOSES = ("fine-tune", "batch", "evals", "assistants", "vision", "user_data")


class Files:
    """Uploaded files."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    def create(self, name: str, purpose: str, data: bytes) -> dict[str, Any]:
        """Keep a file."""
        if purpose not in PURPOSES:
            raise invalid(f"'{purpose}' is not one of {', '.join(PURPOSES)}", "purpose")
        now = time.time()
        content = {
            "id": f"file-{secrets.token_hex(12)}",
            "object": "file",
            "bytes": len(data),
            "created_at": int(now),
            "filename": name,
            "purpose": purpose,
            "status": "processed",
            "expires_at": None,
            "status_details": None,
        }
        self._objects.put("file", content, now, data=data)
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

    def content(self, identity: str) -> bytes:
        """One file's bytes."""
        self.get(identity)
        return self._objects.data("file", identity) or b""

    def delete(self, identity: str) -> dict[str, Any]:
        """Forget a file."""
        self.get(identity)
        self._objects.delete("file", identity)
        return {"id": identity, "object": "file", "deleted": True}
