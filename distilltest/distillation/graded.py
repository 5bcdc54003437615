"""Pick answers by their grades in an evaluation: those that passed, the best of several, pairs of two roles."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from pathlib import Path

from distilltest.data.dataset import load_dataset
from distilltest.data.prompt import Prompt, load_prompt
from distilltest.distillation.select import Picked, by_messages, render
from distilltest.errors import TrainingFileError
from distilltest.records import Case
from distilltest.store import GradedCompletion, Store
from distilltest.training_files.preference_file import ScoredAnswer
from distilltest.training_files.supervised_file import unfit
from distilltest.training_files.whole_file import LeftOut

NOT_GRADED = "not graded"
NONE_PASSED = "no answer passed"
Trials = tuple[GradedCompletion, ...]
"""One role's graded answers to one case, in the order of trials."""


def trials_of(store: Store, evaluation: str, role: str, labels: Mapping[str, str] | None = None) -> list[Trials]:
    """Find the graded answers of a role in the latest run of an evaluation, case by case.

    Args:
        store: The store.
        evaluation: The node id.
        role: The role.
        labels: Only completions with these labels.

    Raises:
        TrainingFileError: There are no such answers.
    """
    wanted = (labels or {}).items()
    found = (each for each in store.find_graded(evaluation, role=role) if wanted <= each.stored.metadata.items())
    groups = [tuple(group) for _, group in groupby(found, key=attrgetter("case_id"))]
    if not groups:
        roles = dict.fromkeys(each.role for each in store.find_graded(evaluation))
        ask = f"An evaluation calls only the roles that its rules need: add roles=[{role!r}] to it and run it again."
        there = (
            f"There are answers of {', '.join(roles)}. {ask}" if roles else "Run it again: its answers were deleted."
        )
        labelled = f" with the labels {dict(wanted)}" if wanted else ""
        raise TrainingFileError(f"{evaluation} has no graded answer of {role!r}{labelled} in its latest run. {there}")
    return groups


@dataclass(frozen=True, slots=True)
class EvaluatedRun:
    """The files of the latest run of an evaluation."""

    evaluation: str
    """The node id."""
    dataset: str
    prompts: Mapping[str, str]
    """Role → prompt file."""


def sources(store: Store) -> list[EvaluatedRun]:
    """The latest run of each evaluation in the store."""
    reports = [report for report in store.latest_evaluations() if "dataset" in report and report.get("roles")]
    return [EvaluatedRun(r["id"], r["dataset"], {line["role"]: line["prompt"] for line in r["roles"]}) for r in reports]


def source_of(store: Store, evaluation: str) -> EvaluatedRun | None:
    """The latest run of one evaluation; None if it has no report."""
    return next((source for source in sources(store) if source.evaluation == evaluation), None)


def cases_of(source: EvaluatedRun | None, root: Path, roles: Sequence[str]) -> dict[str, Case]:
    """Map the messages that the roles were sent to the cases of an evaluation; missing files give no cases.

    Raises:
        DistilltestError: The dataset or a prompt is broken.
    """
    found: dict[str, Case] = {}
    if source is None or not (root / source.dataset).is_file():
        return found
    cases = load_dataset(root / source.dataset, source.dataset).cases
    for name in dict.fromkeys(source.prompts[role] for role in roles if role in source.prompts):
        if (root / name).is_file():
            found |= by_messages(load_prompt(root / name, name), cases)
    return found


def choose(trials: Trials, left_out: LeftOut, *, passed: bool, best: bool) -> GradedCompletion | None:
    """Choose one answer to a case as an example; None if there is none.

    Args:
        trials: The answers.
        left_out: Counts cases without an example.
        passed: Choose only an answer that passed.
        best: Choose the answer with the highest score; otherwise the first answer.
    """
    graded = [each for each in trials if each.passed is not None]
    if not graded:
        left_out.add(NOT_GRADED)
        return None
    good = [each for each in graded if each.passed or not passed]
    if not good:
        left_out.add(NONE_PASSED)
        return None
    whole = [each for each in good if unfit(each.stored.completion) is None] or good
    return max(whole, key=lambda each: each.score or 0.0) if best else whole[0]


def pick_graded(
    groups: Iterable[Trials],
    prompt: Prompt | None,
    cases: Mapping[str, Case],
    left_out: LeftOut,
    *,
    passed: bool,
    best: bool,
) -> Iterator[Picked]:
    """Choose an answer to each case, and render the messages for the student.

    Raises:
        PromptError: The prompt uses an unknown field.
    """
    for trials in groups:
        chosen = choose(trials, left_out, passed=passed, best=best)
        if chosen is not None:
            yield render(chosen.stored, prompt, cases)


def pairs(
    chosen: Iterable[Trials],
    rejected: Iterable[Trials],
    prompt: Prompt | None,
    cases: Mapping[str, Case],
    left_out: LeftOut,
) -> Iterator[tuple[Picked, ScoredAnswer, ScoredAnswer]]:
    """Pair two roles' answers to the same case: the first that passed and the first that failed, or else the first of each.

    Args:
        chosen: The usable answers of the role to learn from.
        rejected: The usable answers of the other role.
        prompt: As in ``pick_graded``.
        cases: As in ``pick_graded``.
        left_out: Counts cases that only one of the roles answered.
    """
    others = {trials[0].case_id: trials for trials in rejected}
    for trials in chosen:
        theirs = others.pop(trials[0].case_id, None)
        if theirs is None:
            left_out.add("answered by one of the roles only")
            continue
        good = next((each for each in trials if each.passed), trials[0])
        bad = next((each for each in theirs if each.passed is False), theirs[0])
        yield render(good.stored, prompt, cases), as_answer(good), as_answer(bad)
    if others:
        left_out.add("answered by one of the roles only", len(others))


def whole(groups: Iterable[Trials], left_out: LeftOut) -> Iterator[Trials]:
    """Leave out and count refusals, cut-off answers and empty answers."""
    for trials in groups:
        reasons = [unfit(each.stored.completion) for each in trials]
        for reason in filter(None, reasons):
            left_out.add(reason)
        fit = tuple(each for each, reason in zip(trials, reasons, strict=True) if reason is None)
        if fit:
            yield fit


def as_answer(graded: GradedCompletion) -> ScoredAnswer:
    """Convert a graded answer for preference pairs."""
    return ScoredAnswer(graded.stored.completion.text, graded.passed, graded.score)
