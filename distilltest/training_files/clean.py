"""Write a training file without leaks, duplicates and lines that a platform would reject."""

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
DUPLICATE = "the same example again, except for case, space and punctuation"


def bad_lines(findings: Iterable[Finding]) -> set[int]:
    """The lines that a platform would reject."""
    return {finding.line for finding in findings if finding.fatal and finding.line}


def duplicate_lines(path: Path, without: Collection[int]) -> Iterator[int]:
    """Lines that repeat an earlier one, except for case, space and punctuation.

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
    """Write the usable lines of a file, unchanged and in order.

    Args:
        path: The file to read.
        output: The file to write; not the same file.
        findings: The problems of the lines.
        overlaps: The overlap with each evaluation.
        near: Also leave out lines of near pairs.

    Raises:
        TrainingFileError: The file cannot be read, no line is left, or the output cannot be written.
    """
    left_out = LeftOut()
    out = dict.fromkeys(bad_lines(findings), BAD)
    for overlap in overlaps:
        for kind, name in KINDS.items():
            if kind != CLOSE or near:
                for line in overlap.lines(kind):
                    out.setdefault(line, f"leaked from an evaluation: {name}")
    for line in duplicate_lines(path, out):
        out[line] = DUPLICATE
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
