"""Keep only answers that match the reference (rejection sampling)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from distilltest.errors import DatasetError
from distilltest.graders.exact_match import exact_match
from distilltest.records import Case, Completion
from distilltest.training_files.whole_file import LeftOut

WRONG = "not the reference"


def keep_matching(answers: Iterable[tuple[Case, Completion]], left_out: LeftOut) -> Iterator[tuple[Case, Completion]]:
    """Yield the answers that equal the reference of their case or an alternative, except for space at the ends.

    Args:
        answers: The cases and their answers.
        left_out: Counts the other answers.

    Raises:
        DatasetError: A case has no reference.
    """
    for case, completion in answers:
        if not isinstance(case.reference, str):
            raise DatasetError(
                f'{case.place}: case {case.id!r} has no reference, and "keep: matching" compares the teacher\'s answers with '
                'it. Give every training request a reference, or take "keep:" out of distilltest.yaml.'
            )
        others = [str(other) for other in case.alternatives]
        if exact_match(completion.text, case.reference, alternatives=others, ignore_space=True).passed:
            yield case, completion
        else:
            left_out.add(WRONG)
