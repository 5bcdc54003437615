"""Measure how varied a training file is: near duplicates, tags without examples, and lengths."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np

from distilltest.training_files.examples import read_examples
from distilltest.training_files.overlap import chunks
from distilltest.training_files.text_search.folding import folded
from distilltest.training_files.text_search.search import Hit, Search
from distilltest.training_files.text_search.significance import NEAR

SAMPLE = 2000
"""The examples that are compared with all lines; a smaller file is compared as a whole."""
MANY_DUPLICATES = 0.1
"""The share of near duplicates from which the report recommends removing some."""
COMPARED_CHARACTERS = 4000
"""The characters at the start of a request that are compared, to limit memory."""
THIN = 5
"""The fewest examples of a tag to learn it from."""
OUTLIER = 20
"""The report names a text with more than this many times the median's words."""


@dataclass(frozen=True, slots=True)
class Lengths:
    """The lengths of texts, in words."""

    least: int
    low: int
    """The lower quartile."""
    median: int
    high: int
    """The upper quartile."""
    most: int
    most_line: int
    """The line with the longest text."""


@dataclass(frozen=True, slots=True)
class Diversity:
    """The diversity of a training file."""

    examples: int
    sampled: int
    """Examples that were compared with all lines."""
    near_duplicates: int
    """Sampled examples with a near duplicate on another line."""
    pairs: tuple[tuple[int, int, float], ...]
    """The closest near duplicates: line, other line, similarity."""
    requests: Lengths | None
    """None if there are no examples."""
    answers: Lengths | None
    tagged: int
    """Examples that have tags."""
    tags: Mapping[str, tuple[int, int]]
    """Tag of the evaluation → (its cases, its examples)."""

    @property
    def near_duplicate_share(self) -> float:
        """The share of the sampled examples that have a near duplicate."""
        return self.near_duplicates / self.sampled if self.sampled else 0.0


def measure(
    path: Path,
    *,
    evaluation_tags: Iterable[Sequence[str]] = (),
    tags_by_request: Mapping[str, Sequence[str]] | None = None,
    threshold: float = NEAR,
    sample: int = SAMPLE,
) -> Diversity:
    """Measure a training file; it is read twice, line by line.

    Args:
        path: The file.
        evaluation_tags: The tags of each case of the evaluation.
        tags_by_request: Folded request → tags, for examples without tags.
        threshold: The least similarity of near duplicates.
        sample: The number of examples to compare with all lines, drawn with a fixed seed; their share of near duplicates
            estimates that of the file.

    Raises:
        TrainingFileError: The file cannot be read.
    """
    drawn: list[tuple[int, str]] = []
    requests, answers, lines = array("L"), array("L"), array("L")
    examples_of: Counter[str] = Counter()
    tagged = 0
    random = Random(7)  # noqa: S311  # a sample, not a secret
    for number, example in enumerate(read_examples(path)):
        place = number if number < sample else random.randrange(number + 1)
        if number < sample:
            drawn.append((example.line, example.request[:COMPARED_CHARACTERS]))
        elif place < sample:
            drawn[place] = (example.line, example.request[:COMPARED_CHARACTERS])
        lines.append(example.line)
        requests.append(len(example.request.split()))
        answers.append(len(example.answers[0].split()))
        tags = example.tags or (tags_by_request or {}).get(folded(example.request), ())
        tagged += bool(tags)
        examples_of.update(set(tags))
    cases_of = Counter(tag for tags in evaluation_tags for tag in set(tags))
    near_duplicates, pairs = _near_duplicates(path, drawn, threshold)
    return Diversity(
        examples=len(lines),
        sampled=len(drawn),
        near_duplicates=near_duplicates,
        pairs=pairs,
        requests=_lengths(requests, lines),
        answers=_lengths(answers, lines),
        tagged=tagged,
        tags={tag: (cases_of[tag], examples_of[tag]) for tag in sorted(cases_of)},
    )


def _near_duplicates(
    path: Path, drawn: list[tuple[int, str]], threshold: float
) -> tuple[int, tuple[tuple[int, int, float], ...]]:
    """The number of drawn examples with a near duplicate, and the closest pairs."""
    search = Search([request for _, request in drawn], threshold)
    hits: list[tuple[int, int, Hit]] = []
    closest: dict[int, tuple[float, int]] = {}
    for some in chunks(read_examples(path)) if len(drawn) > 1 else ():
        for hit in search.look([[example.request[:COMPARED_CHARACTERS]] for example in some]):
            line, other = drawn[hit.number][0], some[hit.row].line
            if hit.equal and line != other:
                closest.setdefault(line, (1.0, other))
            elif line != other:
                hits.append((line, other, hit))
    for line, other, hit in hits:
        if hit.similarity > closest.get(line, (0.0, 0))[0] and search.above(hit) >= 0:
            closest[line] = (hit.similarity, other)
    pairs = {(min(line, other), max(line, other), similarity) for line, (similarity, other) in closest.items()}
    return len(closest), tuple(sorted(pairs, key=lambda pair: (-pair[2], pair)))[:20]


def _lengths(words: array[int], lines: array[int]) -> Lengths | None:
    if not words:
        return None
    counts = np.frombuffer(words, dtype=f"u{words.itemsize}")
    low, median, high = (int(q) for q in np.quantile(counts, (0.25, 0.5, 0.75), method="nearest"))
    most = int(counts.argmax())
    return Lengths(int(counts.min()), low, median, high, int(counts[most]), lines[most])


def in_words(found: Diversity) -> list[str]:
    """The findings as sentences, each with a recommendation."""
    if not found.examples or found.requests is None or found.answers is None:
        return ["diversity: the file has no examples."]
    return [*_duplicates_in_words(found), *_lengths_in_words(found.requests, found.answers), *_tags_in_words(found)]


def _duplicates_in_words(found: Diversity) -> list[str]:
    of = f"{found.sampled:,} examples" if found.sampled == found.examples else f"{found.sampled:,} examples drawn"
    if not found.near_duplicates:
        return [f"near duplicates: none of the {of} nearly repeats another one."]
    share = f"{found.near_duplicate_share:.0%}"
    sentence = f"near duplicates: {found.near_duplicates:,} of the {of} ({share}) nearly repeat another one"
    if found.pairs:
        line, other, similarity = found.pairs[0]
        sentence += f" (such as lines {line} and {other}: {similarity:.2f})"
    if found.near_duplicate_share < MANY_DUPLICATES:
        return [f"{sentence}. That is few."]
    return [
        f"{sentence}. They cost training tokens and teach little: keep one of each, and collect other requests instead."
    ]


def _lengths_in_words(requests: Lengths, answers: Lengths) -> list[str]:
    sentences = []
    for name, lengths in (("requests", requests), ("answers", answers)):
        spread = (
            f"{name}: {lengths.least:,} to {lengths.most:,} words, half of them {lengths.low:,} to {lengths.high:,}."
        )
        if lengths.most > OUTLIER * max(1, lengths.median):
            spread += f" Read line {lengths.most_line}: its {lengths.most:,} words are many times the usual."
        elif name == "requests" and lengths.least == lengths.most:
            spread += " All are of one length; real requests vary."
        sentences.append(spread)
    return sentences


def _tags_in_words(found: Diversity) -> list[str]:
    if not found.tags:
        return []
    if not found.tagged:
        remedy = 'Give the lines "tags", or name the dataset that the requests come from with --tags DATASET.'
        return [
            f"tags: none of the evaluation's {len(found.tags):,} tags can be counted: no example has tags. {remedy}"
        ]
    none = [f"{tag} ({cases:,} cases)" for tag, (cases, examples) in found.tags.items() if not examples]
    thin = [f"{tag} ({examples})" for tag, (_, examples) in found.tags.items() if 0 < examples < THIN]
    sentences = [f"tags: {len(found.tags) - len(none):,} of the evaluation's {len(found.tags):,} tags have examples."]
    if none:
        sentences.append(f"  Nothing is learned about {', '.join(none)}: collect requests of {_these(none)}.")
    if thin:
        sentences.append(f"  Fewer than {THIN} examples: {', '.join(thin)}. Collect more of {_these(thin)}.")
    if found.tagged < found.examples:
        sentences.append(f"  {found.examples - found.tagged:,} examples have no tag and are not counted.")
    return sentences


def _these(names: list[str]) -> str:
    return "this kind" if len(names) == 1 else "these kinds"
