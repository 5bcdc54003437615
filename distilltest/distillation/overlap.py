"""What a training file shares with an evaluation's dataset: word for word, but for case and signs, or nearly.

A model that was trained on what it is tested with has learned the answers, not the task, and its verdict is worth nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from distilltest.dataset import RESERVED
from distilltest.distillation.examples import Example, read_examples
from distilltest.distillation.inputs import TEXT_FIELDS
from distilltest.distillation.messages import last_user_text
from distilltest.distillation.near import NEAR, NearIndex, folded
from distilltest.prompt import Prompt
from distilltest.records import Case

EXACT, NORMALISED, CLOSE = "exact", "normalised", "near"
KINDS = {
    EXACT: "word for word",
    NORMALISED: "but for case, space and punctuation",
    CLOSE: "nearly",
}
"""Kind of a pair → in words, the worst first."""
_CHUNK = 1000
_CHARACTERS = 4_000_000


@dataclass(frozen=True, slots=True)
class Pair:
    """A line and a case that ask the same."""

    line: int
    case_id: str
    similarity: float
    """1 for exact and normalised pairs, the Jaccard index of the words' 3-shingles for near ones."""
    kind: str
    """A key of ``KINDS``."""


@dataclass(frozen=True, slots=True)
class Overlap:
    """What was found."""

    examples: int
    cases: int
    pairs: tuple[Pair, ...]
    """For each line with an overlap its closest case, and for each case with one its closest line, the worst first."""
    counts: Mapping[str, int]
    """Kind → cases whose closest line is of that kind."""

    @property
    def leaked(self) -> tuple[str, ...]:
        """Ids of the cases that were trained on: exact and normalised, not near."""
        return tuple(dict.fromkeys(pair.case_id for pair in self.pairs if pair.kind != CLOSE))

    def lines(self, *kinds: str) -> tuple[int, ...]:
        """The lines to take out."""
        return tuple(sorted({pair.line for pair in self.pairs if pair.kind in kinds}))


def find_overlap(path: Path, texts: Iterable[tuple[str, str]], *, threshold: float | None = NEAR) -> Overlap:
    """Look for an evaluation's requests among a training file's.

    Args:
        path: The training file; it is read line by line, its lines are never in memory together.
        texts: Case id and what the case asks; a case may be there with several texts.
        threshold: From which similarity a pair is near, at least 0.5; None leaves near pairs out.

    Raises:
        TrainingFileError: The file cannot be read.
        ValueError: The threshold is not within 0.5 and 1.
    """
    if threshold is not None and not 0.5 <= threshold <= 1:
        raise ValueError(f"the threshold is {threshold}; it is a similarity between 0.5 and 1")
    finder = _Finder(list(texts), threshold)
    examples = 0
    for some in chunks(read_examples(path)):
        examples += len(some)
        finder.look(some)
    return finder.overlap(examples)


class _Finder:
    """What is known while the file is read: for each line its closest case, for each case its closest line."""

    def __init__(self, texts: list[tuple[str, str]], threshold: float | None) -> None:
        self._texts = texts
        self._threshold = threshold
        self._exact: dict[str, list[str]] = {}
        self._folded: dict[str, list[str]] = {}
        for case, text in texts:
            self._exact.setdefault(text.strip(), []).append(case)
            self._folded.setdefault(folded(text), []).append(case)
        for empty in (self._exact, self._folded):
            empty.pop("", None)
        self._index = NearIndex([text for _, text in texts] if threshold is not None else [])
        self._by_line: list[Pair] = []
        self._by_case: dict[str, Pair] = {}

    def look(self, some: list[Example]) -> None:
        left = []
        for example in some:
            exact = self._exact.get(example.request.strip(), [])
            normalised = [case for case in self._folded.get(folded(example.request), []) if case not in exact]
            self._add([Pair(example.line, case, 1.0, EXACT) for case in exact])
            self._add([Pair(example.line, case, 1.0, NORMALISED) for case in normalised], again=bool(exact))
            if not exact and not normalised:
                left.append(example)
        if self._threshold is None:
            return
        found: dict[int, list[Pair]] = {}
        for row, number, similarity in self._index.matches([e.request for e in left], self._threshold):
            found.setdefault(row, []).append(Pair(left[row].line, self._texts[number][0], similarity, CLOSE))
        for pairs in found.values():
            self._add(pairs)

    def _add(self, pairs: list[Pair], *, again: bool = False) -> None:
        """Pairs of one line, the closest first; its line may have been added before."""
        if pairs and not again:
            self._by_line.append(pairs[0])
        for pair in pairs:
            known = self._by_case.get(pair.case_id)
            if known is None or _rank(pair) < _rank(known):
                self._by_case[pair.case_id] = pair

    def overlap(self, examples: int) -> Overlap:
        counts = dict.fromkeys(KINDS, 0)
        for pair in self._by_case.values():
            counts[pair.kind] += 1
        pairs = sorted({*self._by_line, *self._by_case.values()}, key=_rank)
        return Overlap(examples, len({case for case, _ in self._texts}), tuple(pairs), counts)


def _rank(pair: Pair) -> tuple[int, float, int, str]:
    return list(KINDS).index(pair.kind), -pair.similarity, pair.line, pair.case_id


def case_texts(case: Case) -> list[str]:
    """What a case asks, where no prompt says it.

    The last user message of its messages, or else the fields that ``collect`` would ask, or else each of its texts.

    >>> case_texts(Case("a", {"id": "a", "request": "show the log", "reference": "git log", "intent": "log"}))
    ['show the log']
    >>> case_texts(Case("a", {"id": "a", "wish": "show the log", "manner": "short"}))
    ['show the log', 'short']
    """
    for name in ("messages", "input"):
        messages = case.item.get(name)
        if isinstance(messages, list) and last_user_text(messages):
            return [last_user_text(messages)]
    texts = {
        name: value
        for name, value in case.item.items()
        if name not in RESERVED and isinstance(value, str) and value.strip()
    }
    return [texts[name] for name in TEXT_FIELDS if name in texts] or list(texts.values())


def texts_of(cases: Iterable[Case], prompt: Prompt | None) -> list[tuple[str, str]]:
    """Case id and what the case asks: as its prompt renders it, or all of ``case_texts``.

    Raises:
        PromptError: The prompt names a field that a case does not have.
    """
    return [
        (case.id, text)
        for case in cases
        for text in ([last_user_text(prompt.render(case))] if prompt else case_texts(case))
    ]


def in_words(overlap: Overlap, name: str) -> list[str]:
    """The findings as sentences, each with what to do.

    Args:
        overlap: The findings.
        name: The dataset's name.
    """
    total = sum(overlap.counts.values())
    if not total:
        return [f"overlap: none of the {overlap.cases:,} cases of {name} is among the {overlap.examples:,} examples."]
    parts = [f"{count:,} {KINDS[kind]}" for kind, count in overlap.counts.items() if count]
    said = [f"overlap: {total:,} of the {overlap.cases:,} cases of {name} overlap with the file: {', '.join(parts)}."]
    leaked = len(overlap.lines(EXACT, NORMALISED))
    if leaked:
        lines = "line that asks" if leaked == 1 else f"{leaked:,} lines that ask"
        said.append(
            f"  Take the {lines} what the evaluation asks out of the file: with them its verdict is worth nothing."
        )
    if overlap.counts[CLOSE]:
        said.append(
            "  Read the near pairs: another wording of the same request leaks as well, another request of the same kind "
            "does not."
        )
    return said


def chunks(examples: Iterable[Example], size: int = _CHUNK, characters: int = _CHARACTERS) -> Iterator[list[Example]]:
    """Lists of so many at most, and of so many characters or one example."""
    some: list[Example] = []
    length = 0
    for example in examples:
        some.append(example)
        length += len(example.prompt)
        if len(some) == size or length >= characters:
            yield some
            some, length = [], 0
    if some:
        yield some
