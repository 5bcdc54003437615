"""Picking answers by what an evaluation said of them: those that passed, the best of several, pairs of two roles."""

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
"""What one role said to one case, in the order of trials."""


def trials_of(store: Store, evaluation: str, role: str, labels: Mapping[str, str] | None = None) -> list[Trials]:
    """All graded answers of a role in an evaluation's latest run, case by case.

    Args:
        store: The store.
        evaluation: The node id.
        role: Whose answers.
        labels: Only completions with these labels.

    Raises:
        TrainingFileError: There are none.
    """
    wanted = (labels or {}).items()
    found = (each for each in store.find_graded(evaluation, role=role) if wanted <= each.stored.metadata.items())
    groups = [tuple(group) for _, group in groupby(found, key=attrgetter("case_id"))]
    if not groups:
        roles = dict.fromkeys(each.role for each in store.find_graded(evaluation))
        ask = f"An evaluation asks what its rules need: add roles=[{role!r}] to it and run it again."
        there = (
            f"There are answers of {', '.join(roles)}. {ask}" if roles else "Run it again: its answers were deleted."
        )
        labelled = f" with the labels {dict(wanted)}" if wanted else ""
        raise TrainingFileError(f"{evaluation} has no graded answer of {role!r}{labelled} in its latest run. {there}")
    return groups


@dataclass(frozen=True, slots=True)
class EvaluatedRun:
    """What the latest run of an evaluation asked, and with which files."""

    evaluation: str
    """The node id."""
    dataset: str
    prompts: Mapping[str, str]
    """Role → prompt file."""


def sources(store: Store) -> list[EvaluatedRun]:
    """Of each evaluation that the store knows."""
    reports = [report for report in store.latest_evaluations() if "dataset" in report and report.get("roles")]
    return [EvaluatedRun(r["id"], r["dataset"], {line["role"]: line["prompt"] for line in r["roles"]}) for r in reports]


def source_of(store: Store, evaluation: str) -> EvaluatedRun | None:
    """Of one evaluation; None where it was interrupted before it had a report."""
    return next((source for source in sources(store) if source.evaluation == evaluation), None)


def cases_of(source: EvaluatedRun | None, root: Path, roles: Sequence[str]) -> dict[str, Case]:
    """The cases of an evaluation by the messages that the roles were sent; not those whose files have changed since.

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
    """One answer to learn from, of those of one case.

    Args:
        trials: The answers.
        left_out: Counts why there is none.
        passed: Only answers that passed.
        best: The one with the highest score, of several the first; without it the first of all.
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
    """For each case the chosen answer, with the messages that the student shall be asked with.

    Raises:
        PromptError: The prompt names a field that is not known.
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
    """Two roles' answers to the same case: the first that passed of one, the first that failed of the other, where there are.

    Args:
        chosen: The answers of the role that is to be learned from, whole ones only.
        rejected: The answers of the role that is not.
        prompt: As in ``pick_graded``.
        cases: As in ``pick_graded``.
        left_out: Counts cases that only one of the roles has answered.
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
    """Without refusals, cut-off and empty answers, which no preference can be learned from; those are counted."""
    for trials in groups:
        reasons = [unfit(each.stored.completion) for each in trials]
        for reason in filter(None, reasons):
            left_out.add(reason)
        fit = tuple(each for each, reason in zip(trials, reasons, strict=True) if reason is None)
        if fit:
            yield fit


def as_answer(graded: GradedCompletion) -> ScoredAnswer:
    """A graded answer as preferences see it."""
    return ScoredAnswer(graded.stored.completion.text, graded.passed, graded.score)
