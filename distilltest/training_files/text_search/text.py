"""Texts to search for: their letters, and which of their words belong to a template."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from distilltest.training_files.text_search.folding import tokens

_FRAME = 3
_PROBE = 4
_FRAME_SHARE, _FRAME_LEAST = 0.1, 4
"""Three words in a row that this share of the texts have, and at least this number, belong to a template."""

_SAMPLE = 200
"""The texts, evenly spread, that are sampled to find frames; a frame of a tenth of all texts is in at least two of them."""


Frames = frozenset[tuple[str, ...]]
"""Runs of words that many texts share."""


@dataclass(frozen=True, slots=True)
class DocumentPart:
    """A part of a document, such as one turn of a conversation."""

    text: str
    letters: str
    """The folded text."""


@dataclass(frozen=True, slots=True)
class Text:
    """A folded text and its words."""

    letters: str
    tokens: tuple[str, ...]
    """The parts between spaces, folded."""
    framed: tuple[bool, ...]
    """For each token, whether it belongs to a frame, which many texts share."""

    own: int
    """The number of tokens outside frames."""
    probes: tuple[str, ...]
    """The own tokens that are neither short nor common; a document with nearly this text has most of them."""
    frames: Frames

    def without_frames(self, words: Sequence[str]) -> list[str] | None:
        """A document's words outside frames; None if it has only some words of this text's frames."""
        if not self.frames:
            return list(words)
        framed = _framed(words, self.frames)
        if 0 < framed.count(True) < self.framed.count(True):
            return None
        return [word for word, frame in zip(words, framed, strict=True) if not frame]


def prepare(texts: Sequence[str]) -> list[Text]:
    """Fold texts, and mark the words that many of them share: a template or an instruction."""
    known: dict[str, str] = {}  # keeps each word in memory once
    every = [tuple(known.setdefault(token, token) for token in tokens(text)) for text in texts]
    possible = _repeated(every[:: max(1, len(every) // _SAMPLE)])
    counts = Counter(run for some in every for run in possible.intersection(_runs(some)))
    least = max(_FRAME_LEAST, _FRAME_SHARE * len(texts))
    frames = frozenset(run for run, count in counts.items() if count >= least)
    used = Counter(word for some in every for word in set(some))
    common = {word for word, count in used.items() if count >= least}
    return [_text(some, _framed(some, frames), common, frames) for some in every]


def _text(words: tuple[str, ...], framed: tuple[bool, ...], common: set[str], frames: Frames) -> Text:
    own = [word for word, frame in zip(words, framed, strict=True) if not frame]
    probes = tuple(word for word in own if len(word) >= _PROBE and word not in common)
    return Text("".join(words), words, framed, len(own), probes, frames)


def _repeated(some: Sequence[tuple[str, ...]]) -> set[tuple[str, ...]]:
    """The runs that several texts have; counting all runs would take too much memory."""
    seen, found = set[tuple[str, ...]](), set[tuple[str, ...]]()
    for words in some:
        runs = set(_runs(words))
        found |= seen & runs
        seen |= runs
    return found


def _runs(words: Sequence[str]) -> list[tuple[str, ...]]:
    return list(zip(*(words[step:] for step in range(_FRAME)), strict=False))


def _framed(words: Sequence[str], frames: Frames) -> tuple[bool, ...]:
    found = [False] * len(words)
    for place, run in enumerate(_runs(words) if frames else ()):
        if run in frames:
            found[place : place + _FRAME] = [True] * _FRAME
    return tuple(found)
