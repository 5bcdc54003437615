"""The manifest: every file of an archive with its size, hash and number of objects, and everything that is missing."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from distilltest.data.whole_files import write_whole
from distilltest.errors import DistilltestError
from distilltest.exchange.archive.fetch import NotFetched
from distilltest.exchange.archive.folder import MANIFEST, files_of
from distilltest.exchange.archive.lines import OLD, PART, GrowingFile
from distilltest.exchange.archive.pages import parse
from distilltest.exchange.archive.references import PROMPT

FORMAT = "distilltest archive 1"
_PIECE = 1 << 20
_KINDS = {
    "eval.json": "evals",
    "run.json": "runs",
    "output_items.jsonl": "output items",
    "completions.jsonl": "stored completions",
    "messages.jsonl": "completions with messages",
    "job.json": "fine-tuning jobs",
    "events.jsonl": "job events",
    "checkpoints.jsonl": "job checkpoints",
    "file.json": "files",
    "content": "file contents",
    "models.jsonl": "models",
}
"""File name → kind of objects."""


@dataclass(frozen=True, slots=True)
class SavedFile:
    """One file of an archive."""

    bytes: int
    sha256: str
    objects: int
    """The lines of a ``.jsonl`` file, otherwise 1."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """The content of an archive."""

    server: str
    """The server's address."""
    started: str
    """When the first command began, UTC."""
    finished: str
    """When the last command ended, UTC."""
    complete: bool
    """Whether every request succeeded or was refused; otherwise some failed, and another run may succeed."""
    files: dict[str, SavedFile]
    """Path relative to the archive's folder → file."""
    refused: list[dict[str, Any]] = field(default_factory=list)
    """Requests that the server refused: path, status and message."""
    failed: list[dict[str, Any]] = field(default_factory=list)
    """Requests that failed after all retries."""
    prompts: dict[str, str] = field(default_factory=dict)
    """Id of a reusable prompt → a file that refers to it."""

    @property
    def counts(self) -> dict[str, int]:
        """Objects by kind."""
        return count(self.files)

    @property
    def total_bytes(self) -> int:
        """The size of all files together."""
        return sum(each.bytes for each in self.files.values())


def count(files: dict[str, SavedFile]) -> dict[str, int]:
    """Objects by kind, including kinds without any."""
    found = Counter(dict.fromkeys(_KINDS.values(), 0))
    for name, saved in files.items():
        if (kind := _KINDS.get(name.rpartition("/")[2])) is not None:
            found[kind] += saved.objects
    return dict(found)


def write(root: Path, server: str, started: str, not_fetched: Sequence[NotFetched]) -> Manifest:
    """Clean up an archive, read every file once, and write the manifest.

    Raises:
        DistilltestError: A file cannot be read or written.
    """
    complete = all(each.final for each in not_fetched)
    if complete:
        for path in root.rglob(f"*{OLD}"):  # lists of objects that the server no longer has
            GrowingFile(path.with_name(path.name.removesuffix(OLD))).give_up()
    for path in root.rglob(f".*{PART}"):  # a file that a killed command was writing
        path.unlink(missing_ok=True)
    files: dict[str, SavedFile] = {}
    prompts: dict[str, str] = {}
    for path in files_of(root):
        name = path.relative_to(root).as_posix()
        files[name], named = examine(path)
        prompts |= {each: name for each in named if each not in prompts}
    lists: tuple[list[dict[str, Any]], list[dict[str, Any]]] = ([], [])
    for each in sorted(not_fetched, key=lambda each: each.path):
        lists[0 if each.final else 1].append({"path": each.path, "status": each.status, "message": each.message})
    finished = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
    manifest = Manifest(server, started, finished, complete, files, *lists, dict(sorted(prompts.items())))
    write_whole(root / MANIFEST, _encode(manifest))
    return manifest


def examine(path: Path) -> tuple[SavedFile, list[str]]:
    """Read a file in pieces: its size, hash and objects, and the ids of reusable prompts in it.

    Raises:
        DistilltestError: It cannot be read.
    """
    digest, size, lines, end = hashlib.sha256(), 0, 0, b""
    prompts: set[bytes] = set()
    try:
        with path.open("rb") as file:
            while piece := file.read(_PIECE):
                digest.update(piece)
                size += len(piece)
                lines += piece.count(b"\n")
                prompts.update(PROMPT.findall(end + piece))
                end = piece[-100:]
    except OSError as error:
        raise DistilltestError(f"{path} cannot be read: {error.strerror}.") from None
    objects = lines if path.suffix == ".jsonl" else 1
    return SavedFile(size, digest.hexdigest(), objects), sorted(each.decode() for each in prompts)


def read(root: Path) -> Manifest:
    """Read the manifest of an archive.

    Raises:
        DistilltestError: It is damaged, from another version, or cannot be read.
    """
    path = root / MANIFEST
    try:
        content = parse(path.read_bytes())
        digest = content.pop("manifest_sha256")
        if digest != _digest(content):
            raise ValueError("its bytes are not those that were saved")
        if content["format"] != FORMAT:
            raise DistilltestError(
                f"{path} is from another version of distilltest: {content['format']!r:.60}. Upgrade it."
            )
        files = {name: SavedFile(**values) for name, values in content["files"].items()}
        return Manifest(
            **{name: content[name] for name in ("server", "started", "finished", "complete")},
            files=files,
            **{name: content[name] for name in ("refused", "failed", "prompts")},
        )
    except OSError as error:
        raise DistilltestError(f"{path} cannot be read: {error.strerror}.") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DistilltestError(
            f"{path} is damaged ({error}), so the archive cannot be checked. Restore it from a copy."
        ) from None


def _encode(manifest: Manifest) -> bytes:
    content: dict[str, Any] = {
        "format": FORMAT,
        "server": manifest.server,
        "started": manifest.started,
        "finished": manifest.finished,
        "complete": manifest.complete,
        "counts": manifest.counts,
        "refused": manifest.refused,
        "failed": manifest.failed,
        "prompts": manifest.prompts,
        "files": {
            name: {"bytes": saved.bytes, "sha256": saved.sha256, "objects": saved.objects}
            for name, saved in manifest.files.items()
        },
    }
    content["manifest_sha256"] = _digest(content)
    return orjson.dumps(content, option=orjson.OPT_INDENT_2) + b"\n"


def _digest(content: Any) -> str:
    return hashlib.sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).hexdigest()
