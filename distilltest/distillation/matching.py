"""Learning only from answers that are right (rejection sampling), where the training requests have references."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from distilltest.errors import DatasetError
from distilltest.graders.exact_match import exact_match
from distilltest.records import Case, Completion
from distilltest.training_files.whole_file import LeftOut

WRONG = "not the reference"


def keep_matching(answers: Iterable[tuple[Case, Completion]], left_out: LeftOut) -> Iterator[tuple[Case, Completion]]:
    """The answers that are the reference of their request, or one of its alternatives, but for space at the ends.

    Args:
        answers: What was asked, with what was answered.
        left_out: The others are counted here.

    Raises:
        DatasetError: A request has no reference.
    """
    for case, said in answers:
        if not isinstance(case.reference, str):
            raise DatasetError(
                f'{case.place}: case {case.id!r} has no reference, and "keep: matching" compares the teacher\'s answers with '
                'it. Give every training request a reference, or take "keep:" out of distilltest.yaml.'
            )
        others = [str(other) for other in case.alternatives]
        if exact_match(said.text, case.reference, alternatives=others, ignore_space=True).passed:
            yield case, said
        else:
            left_out.add(WRONG)
