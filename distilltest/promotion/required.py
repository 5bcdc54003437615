"""Select the evaluations that a promotion requires."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from pathlib import PurePosixPath

_GLOB = re.compile(r"[*?\[]")


def matches(pattern: str, identity: str) -> bool:
    """Whether a pattern of ``promotion: {require: […]}`` matches an evaluation.

    >>> matches("suites/test_git.py::test_a", "suites/test_git.py::test_a[short]")
    True
    >>> matches("suites", "suites/test_git.py::test_a"), matches("suites/*::test_b", "suites/test_git.py::test_a")
    (True, False)
    """
    pattern = pattern.rstrip("/").removeprefix("./")
    if identity == pattern or fnmatchcase(identity, pattern):
        return True
    path, _, name = identity.partition("::")
    if "::" in pattern:
        return f"{path}::{name.partition('[')[0]}" == pattern
    parents = [path, *map(str, PurePosixPath(path).parents)]
    return any(each == pattern or fnmatchcase(each, pattern) for each in parents if each != ".") or pattern == "."


def path_of(pattern: str) -> str:
    """The path that pytest must collect for a pattern: its file, or the folder above its first glob.

    >>> path_of("suites/test_git.py::test_a"), path_of("suites/*.py::*"), path_of("*")
    ('suites/test_git.py', 'suites', '.')
    """
    path = pattern.rstrip("/").partition("::")[0]
    steps = path.split("/")
    plain = next((index for index, step in enumerate(steps) if _GLOB.search(step)), len(steps))
    return "/".join(steps[:plain]) or "."


def inside(identity: str, paths: Iterable[str]) -> bool:
    """Whether an evaluation's file is one of the paths, or inside one of them."""
    return any(matches(path, identity) for path in paths)


def tidy(paths: Sequence[str]) -> list[str]:
    """Remove duplicates and paths inside other paths, because pytest would collect those twice.

    >>> tidy(["suites/test_a.py", "suites", "suites"])
    ['suites']
    """
    once = list(dict.fromkeys(path.rstrip("/") for path in paths))
    return [path for path in once if not any(_holds(other, path) for other in once if other != path)]


def _holds(folder: str, path: str) -> bool:
    return folder == "." or PurePosixPath(folder) in PurePosixPath(path).parents
