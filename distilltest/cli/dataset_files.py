"""Print what ``distilltest dataset`` found out about a training file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from distilltest.cli import say
from distilltest.config import Config
from distilltest.data.dataset import load_dataset
from distilltest.data.prompt import load_prompt
from distilltest.distillation.graded import EvaluatedRun, sources
from distilltest.distillation.select import by_messages
from distilltest.errors import DistilltestError, at
from distilltest.records import Case
from distilltest.store import Store
from distilltest.training_files import overlap
from distilltest.training_files.inputs import iter_inputs
from distilltest.training_files.lines import Finding
from distilltest.training_files.whole_file import TrainingFile

_SHOWN = 50
"""Findings that are printed; the others are counted."""


def say_written(written: TrainingFile) -> None:
    """Print the number of examples, and what was left out."""
    say.line(f"{written.path}: {written.examples:,} examples")
    for reason, count in written.left_out.items():
        say.line(f"left out: {count:,} ({reason})")


def print_findings(path: Path, findings: Iterable[Finding]) -> bool:
    """Print findings and a conclusion; return whether a platform would reject the file."""
    count, fatal = 0, 0
    for finding in findings:
        count += 1
        fatal += finding.fatal
        if count <= _SHOWN:
            say.line(f"{at(path, finding.line)}: {'' if finding.fatal else 'remark: '}{finding.message}")
    if count > _SHOWN:
        say.line(f"… and {count - _SHOWN:,} more")
    say.line(
        f"{path}: {'not fit for training' if fatal else 'fit for training'}, {fatal:,} errors, {count - fatal:,} remarks"
    )
    return bool(fatal)


def against_cases(path: Path) -> tuple[Case, ...]:
    """The cases of a dataset to compare a file with; a case without an id gets its place as id.

    Raises:
        DatasetError: It cannot be read.
    """
    return tuple(case if case.item.get("id") else replace(case, id=case.place) for case in iter_inputs(path))


def asked_cases(config: Config, dataset: Path | None, asked_with: Path | None) -> Mapping[str, Case]:
    """The cases that may have been asked, by the messages that they were asked with.

    Args:
        config: Its ``distillation:`` has the default dataset and prompt.
        dataset: From ``--cases``.
        asked_with: From ``--asked-with``.

    Raises:
        DistilltestError: A file is broken, or there is a prompt and no dataset.
    """
    if asked_with is not None and dataset is None:
        raise DistilltestError(f"--asked-with {asked_with}: name the dataset that was asked with it: --cases.")
    plan = config.distillation
    if dataset is None and plan is not None:
        dataset, asked_with = config.root / plan.train, config.root / plan.prompt
        if not dataset.is_file() or not asked_with.is_file():
            return {}
    if dataset is None:
        return {}
    return by_messages(load_prompt(asked_with) if asked_with else None, iter_inputs(dataset))


def print_leaks(paths: Iterable[Path], config: Config, store: Store, own: EvaluatedRun | None = None) -> bool:
    """Print which evaluations of the store have requests in the files; return whether any does.

    Args:
        paths: The training files.
        config: The project with the datasets and prompts.
        store: The store with the evaluations.
        own: The evaluation that the examples were taken from: its overlap is a remark, not a leak.
    """
    leaked = False
    datasets = {source.dataset: source for source in sources(store)}
    for name, source in datasets.items():
        if own is not None and name == own.dataset:
            say.line(
                f"remark: the examples are cases of {name}. A model that is tuned on them must not be judged by "
                f"{own.evaluation}: keep another dataset for the gate."
            )
            continue
        for path in paths:
            leaked |= _leaks(path, source, config.root)
    return leaked


def _leaks(path: Path, source: EvaluatedRun, root: Path) -> bool:
    name = source.dataset
    prompt = source.prompts.get("candidate") or next(iter(source.prompts.values()))
    try:
        cases = load_dataset(root / name, name).cases
        texts = overlap.texts_of(cases, load_prompt(root / prompt, prompt))
    except DistilltestError as error:
        say.line(f"overlap: {name} of {source.evaluation} was not compared with {path}: {error}")
        return False
    found = overlap.find_overlap(path, texts)
    say.lines(overlap.in_words(found, name))
    if found.leaked:
        say.line(f"{path}: not fit for training: {len(found.leaked):,} cases of {name} are in it")
    return bool(found.leaked)
