"""Find the requests of an evaluation in a training file: exact, normalised, inside a longer text, or nearly the same.

A model that was trained on the test cases has learned the answers, not the task, and its verdict is worth nothing. Every
message of an example can leak a case: the request, an earlier turn, a system prompt with examples, the answer. All are compared.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from distilltest.data.dataset import RESERVED
from distilltest.data.prompt import Prompt
from distilltest.records import Case
from distilltest.training_files.examples import REQUEST, Example, read_examples
from distilltest.training_files.inputs import TEXT_FIELDS, used_fields
from distilltest.training_files.messages import last_user_text
from distilltest.training_files.text_search.significance import NEAR, SURE, WORDS

if TYPE_CHECKING:
    from distilltest.training_files.text_search.search import Hit

EXACT, NORMALISED, INSIDE, CLOSE = "exact", "normalised", "inside", "near"
KINDS = {
    EXACT: "word for word",
    NORMALISED: "except for case, space, punctuation and look-alikes",
    INSIDE: "whole, inside a longer text",
    CLOSE: "nearly",
}
"""Kind of a pair → its name in reports, the worst first."""
METHOD = 2
"""The version of the method; stored results of an earlier version are computed again."""
ASKED = (EXACT, NORMALISED)
"""Kinds of pairs in which a user message is the request of the case and nothing else."""
_OFTEN, _OFTEN_SHARE = 10, 0.02
"""A short message that users send in earlier turns of more lines than this is not a leak."""
_RANKS = {kind: rank for rank, kind in enumerate(KINDS)}
_CHUNK = 1000
_CHARACTERS = 4_000_000


@dataclass(frozen=True, slots=True)
class Pair:
    """A line of the file and a case with the same request."""

    line: int
    case_id: str
    similarity: float
    """The share of the case's words that the line has; 1 unless the pair is near."""
    kind: str
    """A key of ``KINDS``."""
    place: str = REQUEST
    """The message of the example; see ``ExampleTurn``."""


@dataclass(frozen=True, slots=True)
class Overlap:
    """The overlap of a training file with a dataset."""

    examples: int
    cases: int
    pairs: tuple[Pair, ...]
    """For each overlapping line its closest case, and for each overlapping case its closest line; the worst first."""
    counts: Mapping[str, int]
    """Kind → the number of cases whose closest pair is of this kind."""

    @property
    def leaked(self) -> tuple[str, ...]:
        """Ids of the cases that the file contains, without near pairs."""
        return tuple(dict.fromkeys(pair.case_id for pair in self.pairs if pair.kind != CLOSE))

    @property
    def near(self) -> tuple[str, ...]:
        """Ids of the cases that have a near pair and are not leaked."""
        leaked = set(self.leaked)
        close = dict.fromkeys(pair.case_id for pair in self.pairs if pair.kind == CLOSE)
        return tuple(case for case in close if case not in leaked)

    def lines(self, *kinds: str) -> tuple[int, ...]:
        """The lines with pairs of these kinds."""
        return tuple(sorted({pair.line for pair in self.pairs if pair.kind in kinds}))


def find_overlap(path: Path, texts: Iterable[tuple[str, str]], *, threshold: float | None = NEAR) -> Overlap:
    """Find the requests of an evaluation in a training file.

    Args:
        path: The training file; it is read line by line.
        texts: Case ids and their requests; a case can have several.
        threshold: The least share of a case's words in a near pair, from 0.5; None leaves near pairs out.

    Raises:
        TrainingFileError: The file cannot be read.
        ValueError: The threshold is not between 0.5 and 1.
    """
    if threshold is not None and not 0.5 <= threshold <= 1:
        raise ValueError(f"the threshold is {threshold}; it is a similarity between 0.5 and 1")
    finder = _Finder(list(texts), threshold)
    for some in chunks(read_examples(path)):
        finder.look(some)
    return finder.overlap()


class _Finder:
    """Collects hits while the file is read; their significance is known at the end."""

    def __init__(self, texts: list[tuple[str, str]], threshold: float | None) -> None:
        from distilltest.training_files.text_search.search import Search  # imports NumPy

        self._cases = [case for case, _ in texts]
        self._requests = [text.strip() for _, text in texts]
        self._near = threshold is not None
        self._search = Search(self._requests, threshold)
        self._examples = 0
        self._hits: list[tuple[int, str, str, Hit]] = []
        """Line, kind, place and hit."""

    def look(self, some: Sequence[Example]) -> None:
        """Search some lines."""
        self._examples += len(some)
        for hit in self._search.look([[turn.text for turn in example.turns] for example in some]):
            example = some[hit.row]
            turn = example.turns[hit.part]
            kind = INSIDE if hit.whole else CLOSE
            if hit.equal and turn.asks:
                kind = EXACT if turn.text.strip() == self._requests[hit.number] else NORMALISED
            self._hits.append((example.line, kind, turn.place, hit))

    def overlap(self) -> Overlap:
        """The overlap of all lines that were searched."""
        by_line: dict[int, Pair] = {}
        by_case: dict[str, Pair] = {}
        for pair in self._pairs():
            if pair.kind != CLOSE or self._near:
                by_line[pair.line] = min(by_line.get(pair.line, pair), pair, key=_rank)
                by_case[pair.case_id] = min(by_case.get(pair.case_id, pair), pair, key=_rank)
        counts = dict.fromkeys(KINDS, 0)
        for pair in by_case.values():
            counts[pair.kind] += 1
        pairs = sorted({*by_line.values(), *by_case.values()}, key=_rank)
        return Overlap(self._examples, len({*self._cases}), tuple(pairs), counts)

    def _pairs(self) -> Iterator[Pair]:
        """All significant pairs; some occur several times."""
        earlier = Counter(hit.number for _, kind, place, hit in self._hits if kind in ASKED and place != REQUEST)
        many = max(_OFTEN, _OFTEN_SHARE * self._examples)
        for line, kind, place, hit in self._hits:
            above, short = self._search.above(hit), self._search.words(hit.number) < WORDS
            if kind in ASKED:
                if place != REQUEST and (above < 0 or (short and earlier[hit.number] > many)):
                    kind = CLOSE  # users send it in many conversations: thanks, go on
            elif above < 0:
                continue
            elif kind == INSIDE and (short or above < SURE):
                kind = CLOSE
            yield Pair(line, self._cases[hit.number], hit.similarity, kind, place)


def _rank(pair: Pair) -> tuple[int, float, int, str, str]:
    return _RANKS[pair.kind], -pair.similarity, pair.line, pair.case_id, pair.place


def case_texts(case: Case) -> list[str]:
    """The texts of a case that can be its request, if no prompt is known.

    The last user message, or else the fields that ``collect`` would send, or else each text.

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
    asked = used_fields(case)
    if len(asked) > 1:
        return ["\n\n".join(texts[name] for name in asked)]
    return [texts[name] for name in TEXT_FIELDS if name in texts] or list(texts.values())


def texts_of(cases: Iterable[Case], prompt: Prompt | None) -> list[tuple[str, str]]:
    """Case ids and requests: the last user message of the rendered prompt, or ``case_texts`` without a prompt.

    Raises:
        PromptError: The prompt names a field that a case does not have.
    """
    return [
        (case.id, text)
        for case in cases
        for text in ([last_user_text(prompt.render(case))] if prompt else case_texts(case))
    ]


def in_words(overlap: Overlap, name: str) -> list[str]:
    """The findings as sentences, each with a recommendation.

    Args:
        overlap: The findings.
        name: The name of the dataset.
    """
    total = sum(overlap.counts.values())
    if not total:
        return [f"overlap: none of the {overlap.cases:,} cases of {name} is among the {overlap.examples:,} examples."]
    parts = [f"{count:,} {KINDS[kind]}" for kind, count in overlap.counts.items() if count]
    sentences = [
        f"overlap: {total:,} of the {overlap.cases:,} cases of {name} overlap with the file: {', '.join(parts)}."
    ]
    leaked = len(overlap.lines(EXACT, NORMALISED, INSIDE))
    if leaked:
        lines = "line" if leaked == 1 else f"{leaked:,} lines"
        sentences.append(
            f"  Take the {lines} with requests of the evaluation out of the file: with them its verdict is worth nothing. "
            "`distilltest dataset clean` does it."
        )
    if overlap.counts[CLOSE]:
        sentences.append(
            "  Read the near pairs: another wording of the same request leaks as well, another request of the same kind "
            "does not."
        )
    return sentences


def chunks(examples: Iterable[Example], size: int = _CHUNK, characters: int = _CHARACTERS) -> Iterator[list[Example]]:
    """Divide examples into lists of at most ``size`` examples and about ``characters`` characters."""
    some: list[Example] = []
    length = 0
    for example in examples:
        some.append(example)
        length += len(example.prompt) + sum(map(len, example.answers))
        if len(some) == size or length >= characters:
            yield some
            some, length = [], 0
    if some:
        yield some
