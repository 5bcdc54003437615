"""Count tokens with tiktoken if it works offline, otherwise by a rule of thumb; each way names itself."""

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
"""The encoding of gpt-4o and later models."""
_VOCABULARY = f"https://openaipublic.blob.core.windows.net/encodings/{ENCODING}.tiktoken"
_VOCABULARY_SHA256 = "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d"
"""tiktoken downloads the file again if its hash differs."""
_A_MESSAGE = 3
"""Tokens of a message besides its text."""


@dataclass(frozen=True, slots=True)
class Counter:
    """A way of counting tokens."""

    name: str
    """Its name in reports."""
    count: Callable[[str], int]
    """Counts the tokens of a text."""

    def messages(self, text: str, number: int) -> int:
        """The tokens of messages with this text.

        Args:
            text: The text of all messages.
            number: The number of messages.
        """
        return self.count(text) + _A_MESSAGE * number


def by_characters(text: str) -> int:
    """Estimate tokens by the rule of thumb.

    >>> by_characters("git status")
    3
    """
    return -(-len(text) // CHARACTERS)


def counter() -> Counter:
    """The best way of counting on this machine.

    tiktoken downloads its vocabulary on first use, and distilltest makes no call that you did not configure. So tiktoken
    counts only if its cache has the vocabulary.
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
    """Whether tiktoken's cache has the vocabulary."""
    folder = os.environ.get("TIKTOKEN_CACHE_DIR", os.environ.get("DATA_GYM_CACHE_DIR"))
    if folder == "":
        return False  # an empty text turns tiktoken's cache off
    place = Path(folder) if folder else Path(tempfile.gettempdir()) / "data-gym-cache"
    file = place / hashlib.sha1(_VOCABULARY.encode(), usedforsecurity=False).hexdigest()
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest() == _VOCABULARY_SHA256
    except OSError:
        return False
