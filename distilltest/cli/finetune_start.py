"""``distilltest finetune start``: check the files, start the job, and follow it with ``--watch``."""

from __future__ import annotations

import argparse
from itertools import islice
from pathlib import Path

from distilltest.cli import say
from distilltest.cli.finetune_watch import End, watch
from distilltest.cli.opening import connect, open_store
from distilltest.config import Config
from distilltest.errors import DistilltestError, TrainingFileError, at
from distilltest.finetuning.jobs import MARK
from distilltest.finetuning.order import DPO, SUPERVISED, Order
from distilltest.finetuning.sequence import Sequence
from distilltest.training_files.examples import is_preference_file
from distilltest.training_files.lines import Finding
from distilltest.training_files.preferences import preference_findings
from distilltest.training_files.supervised import supervised_findings

_SHOWN = 10
"""Errors printed for a file."""


def run(arguments: argparse.Namespace) -> int:
    """Start a job, or find the one that the same command started before."""
    if not arguments.watch and (arguments.set_candidate or arguments.notify):
        raise DistilltestError(
            "--set-candidate and --notify act when the job has ended: add --watch, or pass them to `distilltest finetune watch`."
        )
    method = check(arguments.file, arguments.method)
    if arguments.validation:
        check(arguments.validation, method, held_out=True)
    if arguments.then_dpo:
        check(arguments.then_dpo, DPO)
    if arguments.beta is not None and method != DPO and not arguments.then_dpo:
        raise DistilltestError("--beta is for preferences: give a preference file, or --then-dpo FILE2.")
    with connect(arguments.root) as (config, server), open_store(config) as store:
        sequence = Sequence(server, store, orders(arguments, config, method), again=arguments.again)
        place, job = sequence.advance()
        new = job.id in sequence.started
        of = f", {place + 1} of {len(sequence.orders)}" if len(sequence.orders) > 1 else ""
        found = "started" if new else "was started before for the same files and settings"
        say.line(f"{job.id}: {sequence.orders[place].method} tuning of {job.model}{of}, {found}; {job.status}")
        if job.fine_tuned_model and job.status == "succeeded" and not arguments.watch:
            say.line(f"tuned model: {job.fine_tuned_model}")
        if arguments.watch:
            return watch(config, server, store, sequence, job.id, End(arguments.set_candidate, arguments.notify))
    then = " and start the second job when it has succeeded" if place + 1 < len(sequence.orders) else ""
    if job.status != "succeeded":
        say.line(f"Follow it{then}: distilltest finetune watch {job.id}")
        if config.server(server.name).embedded:
            say.line("The embedded server works only while a distilltest command runs, such as `distilltest serve`.")
    return 0


def orders(arguments: argparse.Namespace, config: Config, method: str) -> tuple[Order, ...]:
    """Make orders for jobs from the command line."""
    given = {
        "n_epochs": arguments.epochs,
        "batch_size": arguments.batch_size,
        "learning_rate_multiplier": arguments.learning_rate_multiplier,
        "beta": arguments.beta if method == DPO else None,
    }
    labels = dict(arguments.metadata)
    if MARK in labels or len(labels) > 15:
        raise DistilltestError(f"A job takes up to 15 labels, and {MARK!r} is reserved for distilltest.")
    shared = {"suffix": arguments.suffix, "seed": arguments.seed, "metadata": labels}
    first = Order.of(
        arguments.model or config.model("base").model,
        arguments.file.resolve(),
        validation=arguments.validation.resolve() if arguments.validation else None,
        method=method,
        hyperparameters={name: value for name, value in given.items() if value not in (None, "auto")},
        **shared,
    )
    if arguments.then_dpo is None:
        return (first,)
    beta = {"beta": arguments.beta} if arguments.beta not in (None, "auto") else {}
    then = Order.of("", arguments.then_dpo.resolve(), method=DPO, hyperparameters=beta, **shared)
    return first, then


def check(path: Path, method: str, *, held_out: bool = False) -> str:
    """Refuse a file that a platform would reject, and print the number of remarks.

    Args:
        path: The file.
        method: ``auto`` recognizes it by the file.
        held_out: Whether the file is for validation, where a few examples are enough.

    Returns:
        The method that the file is fit for.

    Raises:
        TrainingFileError: A platform would reject it; the message names lines and remedies.
    """
    if method == "auto":
        method = DPO if is_preference_file(path) else SUPERVISED
    findings = (preference_findings if method == DPO else supervised_findings)(path)
    fatal: list[Finding] = []
    more = remarks = 0
    for finding in findings:
        few = held_out and finding.line == 0 and "examples;" in finding.message
        if not finding.fatal or few:
            remarks += not few
        elif len(fatal) < _SHOWN:
            fatal.append(finding)
        else:
            more += 1
    if fatal:
        shown = "\n".join(f"{at(path, finding.line)}: {finding.message}" for finding in islice(fatal, _SHOWN))
        rest = f"\n… and {more} more" if more else ""
        raise TrainingFileError(f"{path} is not fit for {method} tuning; nothing was uploaded.\n{shown}{rest}")
    if remarks:
        word = "remark" if remarks == 1 else "remarks"
        say.aside(f"{path}: {remarks} {word}; `distilltest dataset check` shows them")
    return method
