"""``distilltest dataset sft``: write a supervised file from the store."""

from __future__ import annotations

import argparse

from distilltest.cli import say
from distilltest.cli.dataset_files import asked_cases, print_findings, print_leaks, say_written
from distilltest.cli.opening import open_store
from distilltest.config import Config, load_config
from distilltest.data.prompt import load_prompt
from distilltest.distillation.graded import EvaluatedRun, cases_of, pick_graded, source_of, trials_of
from distilltest.distillation.select import Picked, pick
from distilltest.errors import DistilltestError, TrainingFileError
from distilltest.exit_codes import REFUSED
from distilltest.store import CompletionFilter, Store
from distilltest.training_files.split import split
from distilltest.training_files.supervised import supervised_findings
from distilltest.training_files.supervised_file import write_supervised
from distilltest.training_files.whole_file import LeftOut


def write(arguments: argparse.Namespace) -> int:
    """Write a supervised file, and a validation file with ``--validation``.

    Returns:
        REFUSED if a file is not fit for training.
    """
    _refuse_half_questions(arguments)
    config = load_config(arguments.root.resolve())
    left_out = LeftOut()
    with open_store(config) as store:
        own: EvaluatedRun | None = None
        if arguments.evaluation:
            evaluation = store.find_evaluation(arguments.evaluation)
            own = source_of(store, evaluation)
            picked = _graded(arguments, config, store, evaluation, own, left_out)
        else:
            picked = _stored(arguments, config, store)
        held_out = _held_out(picked, arguments.validation)
        bad = False
        validation = arguments.output.with_suffix(f".validation{arguments.output.suffix}")
        paths = [arguments.output, *([validation] if arguments.validation else [])]
        for path, side in zip(paths, (False, True), strict=False):
            some = ((p.stored.completion, p.messages) for p, held in zip(picked, held_out, strict=True) if held == side)
            say_written(write_supervised(path, some, LeftOut() if side else left_out))
            findings = supervised_findings(path)  # how many there must be is a rule for the training file only
            bad |= print_findings(path, (f for f in findings if f.line or not side))
        bad |= print_leaks(paths, config, store, own)
    return REFUSED if bad else 0


def _refuse_half_questions(arguments: argparse.Namespace) -> None:
    if arguments.evaluation and not (arguments.passed or arguments.best_of):
        raise DistilltestError(
            f"--evaluation {arguments.evaluation}: which of its answers? Add --passed, --best-of or both."
        )
    if not arguments.evaluation and (arguments.passed or arguments.best_of):
        option = "--passed" if arguments.passed else "--best-of"
        raise DistilltestError(f"{option} goes by the grades of an evaluation: name it with --evaluation.")
    if arguments.evaluation and arguments.model:
        raise DistilltestError("--model: an evaluation knows its answers by role. Name one with --role.")


def _graded(
    arguments: argparse.Namespace,
    config: Config,
    store: Store,
    evaluation: str,
    own: EvaluatedRun | None,
    left_out: LeftOut,
) -> list[Picked]:
    """Select answers by their grades in an evaluation."""
    groups = trials_of(store, evaluation, arguments.role, dict(arguments.metadata))
    say.line(f"{evaluation}, run {groups[0][0].run}: {len(groups):,} cases with answers of {arguments.role}")
    cases = {
        **asked_cases(config, arguments.cases, arguments.asked_with),
        **cases_of(own, config.root, [arguments.role]),
    }
    prompt = load_prompt(arguments.prompt) if arguments.prompt else None
    picked = pick_graded(groups, prompt, cases, left_out, passed=arguments.passed, best=arguments.best_of)
    return list(picked)


def _stored(arguments: argparse.Namespace, config: Config, store: Store) -> list[Picked]:
    """Select answers by model and labels; of several to one request, the newest."""
    labels = dict(arguments.metadata)
    model = arguments.model or config.with_tuned(store.tuned()).model(arguments.role).model
    prompt = load_prompt(arguments.prompt) if arguments.prompt else None
    cases = asked_cases(config, arguments.cases, arguments.asked_with)
    found = store.find_completions(CompletionFilter(model=model, metadata=labels))
    if not found:
        raise TrainingFileError(
            f"The store has no completion of {model!r} with the labels {labels}. `distilltest completions list` shows what "
            "it has."
        )
    picked, older = pick(found, prompt, cases)
    picked.reverse()  # as they were asked
    if older:
        say.line(f"left out: {older} older answers to the same request")
    return picked


def _held_out(picked: list[Picked], share: float | None) -> list[bool]:
    """Which examples go to the validation file."""
    if not share:
        return [False] * len(picked)
    held_out = split([(each.request, each.cluster) for each in picked], share)
    if len({*held_out}) < 2:
        raise TrainingFileError(
            f"{len(picked)} completions are too few, or too much of one cluster, to hold out {share:g} of them. "
            "Collect more, or do without --validation."
        )
    return held_out
