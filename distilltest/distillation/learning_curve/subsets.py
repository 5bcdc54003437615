"""Draw nested random subsets of a training file: each subset contains all smaller ones."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from distilltest.errors import DistilltestError
from distilltest.training_files.file_rules import LEAST_EXAMPLES
from distilltest.training_files.lines import read_bytes
from distilltest.training_files.whole_file import whole_file

USUAL_SIZES = (50, 100, 200, 400)
"""Each twice as large as the one before it."""


@dataclass(frozen=True, slots=True)
class Subset:
    """A file with some examples of a training file."""

    size: int
    path: Path


def write_subsets(path: Path, sizes: Sequence[int | None], folder: Path, seed: int) -> list[Subset]:
    """Write a file for each size; the subset of all examples is the training file itself.

    Args:
        path: The training file.
        sizes: The number of examples of each subset; None for all. If empty, the default sizes up to the size of the file.
        folder: The folder for the subsets.
        seed: The same seed draws the same examples.

    Returns:
        The subsets, the smallest first.

    Raises:
        DistilltestError: The file has too few examples, or a size is too small.
    """
    lines = [line for _, line in read_bytes(path) if line.strip()]
    total = len(lines)
    wanted = sorted({total if size is None else size for size in sizes or _usual(total)})
    for size in wanted:
        if size < LEAST_EXAMPLES:
            raise DistilltestError(
                f"--sizes: {size} is too small; platforms ask for at least {LEAST_EXAMPLES} examples."
            )
        if size > total:
            raise DistilltestError(
                f"--sizes: {size} is too large; {path} has {total:,} examples. Give sizes up to that, or `all`."
            )
    shuffled = list(range(total))
    random.Random(seed).shuffle(shuffled)  # noqa: S311  # not a secret
    subsets = []
    for size in wanted:
        if size == total:
            subsets.append(Subset(size, path))
            continue
        part = folder / f"{path.stem}-{size}-of-{total}-seed-{seed}.jsonl"
        with whole_file(part) as file:
            for place in shuffled[:size]:
                file.write(lines[place])
        subsets.append(Subset(size, part))
    return subsets


def _usual(total: int) -> list[int | None]:
    return [size for size in USUAL_SIZES if size <= total] or [None]
