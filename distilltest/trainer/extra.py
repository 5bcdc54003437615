"""Checks that the extra ``distilltest[train]`` is installed."""

from __future__ import annotations

from importlib.util import find_spec

from distilltest.errors import ConfigError

PACKAGES = ("torch", "transformers", "peft", "trl", "datasets", "accelerate")


def require_extra() -> None:
    """Check that the trainer's libraries are installed, without importing them.

    Raises:
        ConfigError: A library is missing.
    """
    missing = [name for name in PACKAGES if not _found(name)]
    if missing:
        raise ConfigError(
            f"The trainer needs {', '.join(missing)}, which {'is' if len(missing) == 1 else 'are'} not installed. "
            "Run: pip install 'distilltest[train]'"
        )


def _found(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except (ImportError, ValueError):
        return False
