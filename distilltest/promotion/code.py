"""The project's files that a test file depends on: its imports, each ``conftest.py`` above it, and the files that these name."""

from __future__ import annotations

import ast
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from distilltest.data.whole_files import file_fingerprint
from distilltest.process.watched import not_noted

_OURSELVES = Path(__file__).resolve().parents[1]
_LONGEST = 200
"""The longest string that may be a file name."""


def fingerprints(test_file: str, root: Path) -> dict[str, str]:
    """Fingerprint the files that a test file depends on.

    Args:
        test_file: Its path, relative to the root.
        root: The folder of distilltest.yaml; files outside of it and installed packages are ignored.

    Returns:
        Path relative to the root → SHA-256 of the file; empty for a ``conftest.py`` that does not exist.
    """
    root = root.resolve()
    first = root / test_file
    folders = [folder for folder in first.parents if folder.is_relative_to(root)]
    conftests = [folder / "conftest.py" for folder in folders]
    bases = _bases(first, root)
    known: set[Path] = set()
    named: set[Path] = set()
    waiting = [first, *conftests]
    while waiting:
        path = waiting.pop()
        if path not in known:
            known.add(path)
            tree = _parsed(path)
            waiting += _imported(tree, path, bases, root)
            named |= _named(tree, path, root)
    with not_noted():
        return {path.relative_to(root).as_posix(): file_fingerprint(path) for path in sorted(known | named)}


def changed_since(known: Mapping[str, str], root: Path) -> list[str]:
    """The files that have changed. A new import needs no check of its own, because the file that imports it has changed."""
    with not_noted():
        return [name for name, was in known.items() if file_fingerprint(root / name) != was]


def _bases(test_file: Path, root: Path) -> list[Path]:
    """Where Python finds the project's modules: pytest's entry for the test file, the root, and entries of sys.path below it."""
    own = test_file.parent
    while (own / "__init__.py").is_file() and own != root:
        own = own.parent
    there = [Path(entry or ".").resolve() for entry in sys.path]
    return list(dict.fromkeys([own, root, *(path for path in there if path.is_relative_to(root))]))


def _parsed(path: Path) -> ast.Module:
    try:
        return ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError):  # missing, or not Python: then there is no verdict either
        return ast.Module([], [])


def _named(tree: ast.Module, path: Path, root: Path) -> set[Path]:
    """The project's files that string constants of a file name, relative to the root or to the file's folder."""
    texts = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    names = [text for text in texts if 0 < len(text) <= _LONGEST and text.isprintable()]
    found = {Path(os.path.normpath(place / name)) for place in (root, path.parent) for name in names}
    return {each for each in found if each.is_file() and _of_the_project(each, root) and not _hidden(each, root)}


def _hidden(path: Path, root: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(root).parts)


def _imported(tree: ast.Module, path: Path, bases: Sequence[Path], root: Path) -> Iterator[Path]:
    """The project's files that the import statements of a file load, at any level."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            wanted = [(bases, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            where = [path.parents[node.level - 1]] if 0 < node.level <= len(path.parents) else bases
            module = f"{node.module}." if node.module else ""
            wanted = [(where, module + alias.name) for alias in node.names]
        else:
            continue
        for places, name in wanted:
            for place in places:
                yield from _files_of(place, name.split("."), root)


def _files_of(place: Path, names: Sequence[str], root: Path) -> Iterator[Path]:
    """The files that importing a dotted name executes; its last part may be a name inside a module."""
    for name in names:
        place = place / name
        for path in (place.with_name(f"{name}.py"), place / "__init__.py"):
            if path.is_file() and _of_the_project(path, root):
                yield path
        if not place.is_dir():
            return


def _of_the_project(path: Path, root: Path) -> bool:
    if not path.is_relative_to(root) or path.is_relative_to(_OURSELVES):
        return False
    return "site-packages" not in path.relative_to(root).parts
