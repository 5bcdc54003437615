"""Verify an archive: read, hash and count everything again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from distilltest.errors import DistilltestError
from distilltest.exchange.archive import manifest as manifests
from distilltest.exchange.archive.folder import MANIFEST, UNFINISHED, files_of, read_state
from distilltest.exchange.archive.manifest import Manifest, SavedFile
from distilltest.exchange.archive.pages import identifier, parse

_INDEXES = (
    ("evals/index.jsonl", "eval.json"),
    ("jobs/index.jsonl", "job.json"),
    ("evals/*/runs/index.jsonl", "run.json"),
)


def verify(root: Path, progress: Callable[[int], None] = lambda _: None) -> tuple[Manifest, list[str]]:
    """Compare an archive with its manifest.

    Args:
        root: The archive.
        progress: Called with the number of files read.

    Returns:
        The manifest, and one line per problem.

    Raises:
        DistilltestError: There is no archive, or its manifest is damaged.
    """
    if not root.is_dir():
        raise DistilltestError(f"{root} is not a folder. Name the folder of an archive.")
    if not (root / MANIFEST).exists():
        if (root / UNFINISHED).exists():
            server = (read_state(root) or {}).get("server")
            raise DistilltestError(
                f"{root} is not finished: the command that was saving {server} was interrupted. Run it again: it goes on."
            )
        raise DistilltestError(f"{root} is not an archive: it has no {MANIFEST}.")
    manifest = manifests.read(root)
    problems = []
    if (root / UNFINISHED).exists() or not manifest.complete:
        problems.append(
            "UNFINISHED: not everything could be saved. Run the command that saved it again: it asks for what is missing."
        )
    found: dict[str, SavedFile] = {}
    for path in files_of(root):
        name = path.relative_to(root).as_posix()
        saved = manifest.files.get(name)
        if path.is_symlink() or not path.is_file():
            problems.append(f"EXTRA: {name} is a link or a device, not a file")
        elif saved is None:
            problems.append(f"EXTRA: {name} was not saved by the archive")
        else:
            found[name], _ = manifests.examine(path)
            problems += _compare(name, saved, found[name])
        progress(len(found))
    problems += [f"MISSING: {name}" for name in manifest.files if name not in found]
    problems += _unlisted(root, manifest)
    return manifest, problems


def _compare(name: str, saved: SavedFile, found: SavedFile) -> Iterator[str]:
    if found.bytes < saved.bytes:
        yield f"CUT: {name} has {found.bytes:,} bytes of {saved.bytes:,}{_lost(saved, found)}"
    elif found.bytes > saved.bytes:
        yield f"LONGER: {name} has {found.bytes:,} bytes; {saved.bytes:,} were saved"
    elif found.sha256 != saved.sha256:
        yield f"CHANGED: {name} has the size that was saved, but other bytes"


def _lost(saved: SavedFile, found: SavedFile) -> str:
    return f": {found.objects:,} objects of {saved.objects:,}" if saved.objects != found.objects else ""


def _unlisted(root: Path, manifest: Manifest) -> Iterator[str]:
    """Objects that are in an index but not in the manifest: both were edited, or the archive was assembled by hand."""
    for pattern, name in _INDEXES:
        for index in sorted(root.glob(pattern)):
            try:
                entries = [parse(line) for line in index.read_bytes().splitlines()]
            except ValueError:
                continue  # already reported as changed
            for entry in entries:
                folder = entry.get("folder") if isinstance(entry, dict) else None
                path = f"{index.parent.relative_to(root).as_posix()}/{folder}/{name}"
                if path not in manifest.files:
                    yield f"MISSING: {path}, of {identifier(entry)!r} in {index.relative_to(root).as_posix()}"
