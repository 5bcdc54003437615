"""Who promotes, and from which commit, according to git."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from distilltest.errors import ConfigError

if TYPE_CHECKING:
    from distilltest.promotion.entry import Who


def who(root: Path) -> Who:
    """The name and email in git's configuration.

    Raises:
        ConfigError: git has none, or is not installed.
    """
    name, email = _git(root, "config", "user.name"), _git(root, "config", "user.email")
    if not name or not email:
        missing = "user.email" if name else "user.name"
        raise ConfigError(
            f"git's {missing} is not set, and promotions.yaml says who promotes. "
            'Set both: git config user.name "Your Name", git config user.email you@example.org.'
        )
    from distilltest.promotion.entry import Who

    return Who(name, email)


def commit(root: Path) -> str | None:
    """The commit of the repository, with ``+changes`` if the work tree differs; None outside of git."""
    found = _git(root, "rev-parse", "--short=12", "HEAD")
    if not found:
        return None
    return f"{found}+changes" if _git(root, "status", "--porcelain", "--untracked-files=no") else found


def ignored(root: Path, path: Path) -> bool:
    """Whether git ignores a file."""
    return _git(root, "check-ignore", str(path)) != ""


def _git(root: Path, *arguments: str) -> str:
    """The output of git; empty if it fails or is not installed."""
    try:
        done = subprocess.run(  # noqa: S603  # no shell
            ["git", "-C", str(root), *arguments],  # noqa: S607
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()
