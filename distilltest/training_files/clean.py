"""A training file without what does harm in it: leaks, twins, and lines that a platform would reject."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from distilltest.errors import TrainingFileError
from distilltest.training_files.examples import read_examples
from distilltest.training_files.lines import Finding, digest, read_bytes
from distilltest.training_files.overlap import CLOSE, KINDS, Overlap
from distilltest.training_files.text_search.folding import folded
from distilltest.training_files.whole_file import LeftOut, TrainingFile, whole_file

BAD = "a platform would reject them"
TWIN = "the same example again, but for case, space and punctuation"


def bad_lines(findings: Iterable[Finding]) -> set[int]:
    """The lines that a platform would reject."""
    return {finding.line for finding in findings if finding.fatal and finding.line}


def twin_lines(path: Path, without: Collection[int]) -> Iterator[int]:
    """Lines that say all that an earlier one says, but for case, space and punctuation.

    Raises:
        TrainingFileError: The file cannot be read.
    """
    seen = set[bytes]()
    for example in read_examples(path):
        if example.line in without:
            continue
        mark = digest([[turn.place, folded(turn.text) or turn.text] for turn in example.turns])
        if mark in seen:
            yield example.line
        seen.add(mark)


def write_clean(
    path: Path, output: Path, findings: Iterable[Finding], overlaps: Iterable[Overlap], *, near: bool
) -> TrainingFile:
    """Write the lines of a file that are fit to learn from, as they are and in their order.

    Args:
        path: The file.
        output: Where to; another file.
        findings: What is wrong with its lines.
        overlaps: What it shares with evaluations.
        near: Leave out lines that are only near, too.

    Raises:
        TrainingFileError: The file cannot be read, nothing is left of it, or the other one cannot be written.
    """
    left_out = LeftOut()
    out = dict.fromkeys(bad_lines(findings), BAD)
    for overlap in overlaps:
        for kind, said in KINDS.items():
            if kind != CLOSE or near:
                for line in overlap.lines(kind):
                    out.setdefault(line, f"what an evaluation asks: {said}")
    for line in twin_lines(path, out):
        out[line] = TWIN
    with whole_file(output) as lines:
        for number, content in read_bytes(path):
            if number in out:
                left_out.add(out[number])
            else:
                lines.write(content)
        if not lines.count:
            raise TrainingFileError(
                f"{path}: no line is fit to learn from ({left_out.in_words() or 'it is empty'}). Nothing was written."
            )
    return TrainingFile(output, lines.count, left_out.counts, lines.sha256)
