"""``distilltest finetune``: declare its actions, and list, show or cancel jobs."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from distilltest.cli import say
from distilltest.cli.opening import connect, open_store
from distilltest.cli.options import add_action, add_labels, add_root, deferred, positive, resumable

_START = """\
Start a fine-tuning job on a training file, supervised or preference (DPO), on the server of `base`.

  distilltest finetune start train.jsonl --watch
      check the file, upload it, start the job, follow it to its end
  distilltest finetune start train.jsonl --validation held_out.jsonl --epochs 3 --suffix git --watch --set-candidate
      write the tuned model's name into distilltest.yaml when the job has succeeded
  distilltest finetune start train.jsonl --then-dpo preferences.jsonl --watch
      tune on examples first, then tune the result on preferences

A file that a platform would reject is refused before anything is uploaded. If the same command started a job before,
running or finished, it finds that job and starts nothing, so you can stop and repeat it at any time. --again starts a new
job. --epochs, --batch-size and --learning-rate-multiplier apply to FILE's job, --beta to preferences.
"""
_WATCH = """\
Follow a job until it ends, with a live line on a terminal and one line per event elsewhere. Lost connections are retried.
Ctrl-C leaves the job running; the same command follows it again. After the first job of --then-dpo, the second one is
started and followed too.

When the job has succeeded, its model is the candidate of `pytest suites/`.
"""
_NOTIFY = "run this command when the job has ended, with DISTILLTEST_JOB, DISTILLTEST_STATUS and DISTILLTEST_MODEL set"


def add(commands: Any) -> None:
    """Declare the commands."""
    group = commands.add_parser(
        "finetune",
        help="start and follow fine-tuning jobs",
        description="Start and follow fine-tuning jobs on the server of `base`, over the OpenAI API.",
    )
    actions = group.add_subparsers(title="actions", metavar="ACTION", required=True)
    _add_start(
        _action(
            actions, "start", "check a training file and start a job on it", _START, deferred("finetune_start", "run")
        )
    )
    listing = _action(actions, "list", "list the newest jobs", "List the server's newest jobs.", run_list)
    listing.add_argument("--limit", type=positive, default=20, metavar="N", help="the number of jobs (default: 20)")
    show = _action(actions, "show", "show a job in full", "Show everything that the server says about a job.", run_show)
    watch = _action(actions, "watch", "follow a job until it ends; you can leave and come back", _WATCH, run_watch)
    watch.add_argument("job", nargs="?", metavar="JOB", help="the job's id (default: the newest unfinished job)")
    _add_end(watch)
    resumable(watch)
    cancel = _action(actions, "cancel", "cancel a job", "Cancel a job that has not ended.", run_cancel)
    checkpoints = _action(
        actions,
        "checkpoints",
        "list a job's intermediate models",
        "List the intermediate models of a job. You can evaluate each: pytest suites/ --candidate MODEL.",
        run_checkpoints,
    )
    for action in (show, cancel, checkpoints):
        action.add_argument("job", metavar="JOB", help="the job's id, as `distilltest finetune list` shows it")


def _action(actions: Any, name: str, short: str, text: str, run: Callable[[argparse.Namespace], int]) -> Any:
    action = add_action(actions, name, short, text, run)
    add_root(action)
    return action


def _add_start(start: Any) -> None:
    start.add_argument("file", type=Path, metavar="FILE", help="the training file: JSONL, supervised or preference")
    start.add_argument(
        "--method", choices=("auto", "supervised", "dpo"), default="auto", help="default: recognized by the file"
    )
    start.add_argument(
        "--then-dpo", type=Path, metavar="FILE2", help="afterwards, tune the result on these preferences"
    )
    start.add_argument("--model", metavar="BASE", help="the model to tune (default: base of distilltest.yaml)")
    start.add_argument("--validation", type=Path, metavar="FILE", help="held-out examples for the validation loss")
    start.add_argument("--epochs", type=whole_or_auto, metavar="N|auto", help="passes over the examples")
    start.add_argument("--batch-size", type=whole_or_auto, metavar="N|auto", help="examples per step")
    start.add_argument(
        "--learning-rate-multiplier", type=_positive_or_auto, metavar="X|auto", help="1 is the server's usual rate"
    )
    start.add_argument(
        "--beta",
        type=_beta_or_auto,
        metavar="X|auto",
        help="preferences: how close to stay to the model, 0 to 2",
    )
    start.add_argument("--suffix", type=_suffix, help="part of the tuned model's name, up to 64 characters")
    start.add_argument("--seed", type=int, metavar="N", help="makes a job repeatable, as far as the server supports it")
    add_labels(start, "--metadata", "a label of the job")
    start.add_argument("--again", action="store_true", help="start a new job even if the same one was started before")
    start.add_argument("--watch", action="store_true", help="follow the job until it ends")
    _add_end(start)
    resumable(start)


def _add_end(action: Any) -> None:
    action.add_argument(
        "--set-candidate",
        action="store_true",
        help="write the tuned model into distilltest.yaml when the job has succeeded",
    )
    action.add_argument("--notify", metavar="COMMAND", help=_NOTIFY)


def whole_or_auto(text: str) -> int | str:
    """Parse a whole number from 1, or ``auto``."""
    return text if text == "auto" else positive(text)


def _positive_or_auto(text: str) -> float | str:
    return _number(text, float("inf"), "a number above 0, or auto")


def _beta_or_auto(text: str) -> float | str:
    return _number(text, 2.0, "a number above 0 and up to 2, or auto")


def _number(text: str, most: float, what: str) -> float | str:
    if text == "auto":
        return text
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not (0.0 < value <= most and value != float("inf")):
        raise argparse.ArgumentTypeError(f"{text!r} is not {what}")
    return value


def _suffix(text: str) -> str:
    if not 0 < len(text) <= 64:
        raise argparse.ArgumentTypeError(f"a suffix has 1 to 64 characters, not {len(text)}")
    return text


def run_watch(arguments: argparse.Namespace) -> int:
    """Follow a job."""
    from distilltest.cli import finetune_watch
    from distilltest.finetuning.sequence import Sequence

    end = finetune_watch.End(arguments.set_candidate, arguments.notify)
    with connect(arguments.root) as (config, server), open_store(config) as store:
        job = server.job(arguments.job) if arguments.job else server.newest_unfinished()
        sequence = Sequence.of_job(server, store, job.id)
        return finetune_watch.watch(config, server, store, sequence, job.id, end)


def run_list(arguments: argparse.Namespace) -> int:
    """Show jobs."""
    with connect(arguments.root) as (_, server):
        rows = [
            [job.id, job.status, time_of(job.created_at), method_of(job), job.model, job.fine_tuned_model or "-"]
            for job in server.jobs(arguments.limit)
        ]
    say.table(rows, ["job", "status", "created (UTC)", "method", "model", "tuned model"])
    return 0


def run_show(arguments: argparse.Namespace) -> int:
    """Show one job."""
    from distilltest.cli import finetune_watch

    with connect(arguments.root) as (config, server):
        job, checkpoints = server.job(arguments.job), server.checkpoints(arguments.job)
    settings = job.method and (job.method.dpo or job.method.supervised)
    values = settings.hyperparameters if settings and settings.hyperparameters else job.hyperparameters
    lines = {
        "job": job.id,
        "status": job.status,
        "method": method_of(job),
        "model": job.model,
        "tuned model": job.fine_tuned_model,
        "created": time_of(job.created_at),
        "expected to end": time_of(job.estimated_finish) if job.estimated_finish and not job.finished_at else None,
        "finished": time_of(job.finished_at) if job.finished_at else None,
        "settings": ", ".join(f"{k} {v}" for k, v in (values.to_dict() if values else {}).items() if v is not None),
        "training file": job.training_file,
        "validation file": job.validation_file,
        "trained tokens": f"{job.trained_tokens:,}" if job.trained_tokens else None,
        "seed": job.seed,
        "labels": ", ".join(f"{key}={value}" for key, value in (job.metadata or {}).items()),
        "error": f"{job.error.message} ({job.error.code})" if job.error and job.error.message else None,
    }
    for name, value in lines.items():
        if value not in (None, ""):
            say.line(f"{name + ':':<17}{value}")
    finetune_watch.print_checkpoints(config, checkpoints)
    return 0


def run_cancel(arguments: argparse.Namespace) -> int:
    """Cancel a job."""
    with connect(arguments.root) as (_, server):
        job = server.cancel(arguments.job)
    say.line(f"{job.id} {job.status}")
    return 0


def run_checkpoints(arguments: argparse.Namespace) -> int:
    """Show a job's checkpoints."""
    from distilltest.cli import finetune_watch

    with connect(arguments.root) as (config, server):
        found = server.checkpoints(arguments.job)
    finetune_watch.print_checkpoints(config, found)
    if not found:
        say.line(f"{arguments.job} has no checkpoints yet, or server {server.name!r} keeps none.")
    return 0


def method_of(job: Any) -> str:
    """The method of a job."""
    return str(job.method.type) if job.method else "supervised"


def time_of(seconds: float) -> str:
    """Format a Unix time, in UTC."""
    from datetime import UTC, datetime

    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S}"
