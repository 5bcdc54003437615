"""Counting tokens: with tiktoken where it can count here, otherwise by a rule of thumb. Either says which it is."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from distilltest.records import CHARACTERS

ENCODING = "o200k_base"
"""Of gpt-4o and everything since."""
_VOCABULARY = f"https://openaipublic.blob.core.windows.net/encodings/{ENCODING}.tiktoken"
_VOCABULARY_SHA256 = "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d"
"""tiktoken downloads a file anew that has another one."""
_A_MESSAGE = 3
"""Tokens that a message costs besides its text."""


@dataclass(frozen=True, slots=True)
class Counter:
    """A way of counting tokens."""

    name: str
    """What reports say of it."""
    count: Callable[[str], int]
    """The tokens of a text."""

    def messages(self, text: str, number: int) -> int:
        """The tokens of so many messages with this text."""
        return self.count(text) + _A_MESSAGE * number


def by_characters(text: str) -> int:
    """Tokens by the rule of thumb.

    >>> by_characters("git status")
    3
    """
    return -(-len(text) // CHARACTERS)


def counter() -> Counter:
    """The best way of counting on this machine.

    tiktoken downloads its vocabulary when it first needs it, and distilltest makes no call that was not configured: so
    tiktoken counts only where the vocabulary is in its cache already.
    """
    if importlib.util.find_spec("tiktoken") is None:
        return Counter(f"estimated, {CHARACTERS} characters a token: tiktoken is not installed", by_characters)
    if not _cached():
        return Counter(
            f"estimated, {CHARACTERS} characters a token: tiktoken is installed, but its vocabulary {ENCODING} is not in "
            "TIKTOKEN_CACHE_DIR",
            by_characters,
        )
    encoding = importlib.import_module("tiktoken").get_encoding(ENCODING)
    return Counter(f"counted by tiktoken, {ENCODING}", lambda text: len(encoding.encode_ordinary(text)))


def _cached() -> bool:
    """Whether tiktoken's vocabulary is where tiktoken looks before it downloads."""
    folder = os.environ.get("TIKTOKEN_CACHE_DIR", os.environ.get("DATA_GYM_CACHE_DIR"))
    if folder == "":
        return False  # tiktoken's way to turn its cache off
    place = Path(folder) if folder else Path(tempfile.gettempdir()) / "data-gym-cache"
    file = place / hashlib.sha1(_VOCABULARY.encode(), usedforsecurity=False).hexdigest()
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest() == _VOCABULARY_SHA256
    except OSError:
        return False
