"""A text that is looked for: its letters, and its words' places among them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from distilltest.training_files.text_search.folding import tokens

_FRAME = 3
_PROBE = 4
_FRAME_SHARE, _FRAME_LEAST = 0.1, 4
"""Three words in a row that this share of the texts have, and so many at least, belong to a template."""

_SAMPLE = 200
"""Texts, evenly from all, at least, in two of which a frame stands: that of a tenth of all texts does."""


Frames = frozenset[tuple[str, ...]]
"""Runs of words that many texts have."""


@dataclass(frozen=True, slots=True)
class DocumentPart:
    """A part of a document: one turn of a conversation, say."""

    text: str
    letters: str
    """Folded."""


@dataclass(frozen=True, slots=True)
class Text:
    """A text without case, space and punctuation, and where its words stand in it."""

    letters: str
    tokens: tuple[str, ...]
    """What stands between spaces, folded."""
    framed: tuple[bool, ...]
    """For each token, whether it belongs to a frame that many texts have: it says nothing about this one."""

    own: int
    """How many tokens are the text's own."""
    probes: tuple[str, ...]
    """Those of them that are neither short nor common: most of them are in a document that has nearly this text."""
    frames: Frames

    def without_frames(self, words: Sequence[str]) -> list[str] | None:
        """A document's words without those of frames; None where it has a frame, and not all that this text has."""
        if not self.frames:
            return list(words)
        framed = _framed(words, self.frames)
        if 0 < framed.count(True) < self.framed.count(True):
            return None
        return [word for word, frame in zip(words, framed, strict=True) if not frame]


def prepare(texts: Sequence[str]) -> list[Text]:
    """Fold texts, and mark in each what many of them share word for word: the frame of a template, an instruction."""
    known: dict[str, str] = {}  # each word is in memory once, however many texts have it
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
    """The runs that several texts have; to count those of all texts would take the memory of all of them."""
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
