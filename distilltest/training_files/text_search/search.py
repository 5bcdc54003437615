"""Looking for texts in documents: whole, but for case and signs, or nearly; with what each finding is worth."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from distilltest.training_files.text_search.alignment import Alignment
from distilltest.training_files.text_search.folding import folded
from distilltest.training_files.text_search.near import NearIndex
from distilltest.training_files.text_search.significance import Significance, close_enough, similarity
from distilltest.training_files.text_search.text import DocumentPart, prepare


@dataclass(frozen=True, slots=True)
class Hit:
    """A text that a document has."""

    row: int
    """Number of the document, among those that were looked at together."""
    part: int
    """Number of the document's part."""
    number: int
    """Number of the text."""
    similarity: float
    """The share of the text's own words that are there; 1 where it is there as a whole."""
    alignment: Alignment
    equal: bool = False
    """Whether the part is this text and nothing else."""

    @property
    def whole(self) -> bool:
        """Whether all of the text is there, in one piece."""
        return self.alignment.whole


class Search:
    """Texts that are looked for in documents, some documents at a time.

    What a hit is worth is known when all documents were looked at: ``above``.
    """

    def __init__(self, texts: Sequence[str], threshold: float | None) -> None:
        self._threshold = threshold
        self._texts = prepare(texts)
        self._index = NearIndex(self._texts)
        self._significance = Significance(self._texts)
        self._equal: dict[str, list[int]] = {}
        for number, text in enumerate(texts):
            self._equal.setdefault(folded(text) or text.strip(), []).append(number)
        self._equal.pop("", None)

    def look(self, documents: Sequence[Sequence[str]]) -> Iterator[Hit]:
        """What is in some documents, a few thousand at most; each is a sequence of parts, the turns of a conversation, say."""
        folded_parts = [[DocumentPart(text, folded(text)) for text in texts] for texts in documents]
        for row, parts in enumerate(folded_parts):
            self._significance.add(part.text for part in parts)
            for place, part in enumerate(parts):
                for number in self._equal.get(part.letters or part.text.strip(), ()):
                    everything = Alignment(True, (True,) * len(self._texts[number].tokens))
                    yield Hit(row, place, number, 1.0, everything, equal=True)
        for found in self._index.matches(folded_parts):
            text = self._texts[found.number]
            if found.alignment.whole:
                if text.letters != folded_parts[found.row][found.part].letters:
                    yield Hit(found.row, found.part, found.number, 1.0, found.alignment)
            elif self._threshold is not None and close_enough(text, found.alignment, self._threshold):
                share = similarity(text, found.alignment)
                yield Hit(found.row, found.part, found.number, share, found.alignment)

    def above(self, hit: Hit) -> float:
        """By how many bits a hit is more than chance; below 0 it is chance."""
        return self._significance.above(self._texts[hit.number], hit.alignment)

    def words(self, number: int) -> int:
        """How many words a text has of its own."""
        return self._texts[number].own
