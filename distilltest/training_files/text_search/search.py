"""Search documents for texts: whole, except for case and punctuation, or nearly; with the significance of each hit."""

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
    """A text that was found in a document."""

    row: int
    """The number of the document, among those that were searched together."""
    part: int
    """The number of the document's part."""
    number: int
    """The number of the text."""
    similarity: float
    """The share of the text's own words that were found; 1 if the whole text was."""
    alignment: Alignment
    equal: bool = False
    """Whether the part is exactly this text."""

    @property
    def whole(self) -> bool:
        """Whether the whole text was found, in one piece."""
        return self.alignment.whole


class Search:
    """Searches documents for texts, some documents at a time.

    The significance of a hit (``above``) is known after the last document.
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
        """Find the texts in at most a few thousand documents; each is a list of parts, such as the turns of a conversation."""
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
        """The bits by which a hit exceeds chance; below 0 it is chance."""
        return self._significance.above(self._texts[hit.number], hit.alignment)

    def words(self, number: int) -> int:
        """The number of a text's own words."""
        return self._texts[number].own
