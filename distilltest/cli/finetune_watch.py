"""Follow a job on the command line, and act when it has ended."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence as Several
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from distilltest.cli import say
from distilltest.config import Config
from distilltest.exit_codes import INCOMPLETE, INTERRUPTED
from distilltest.finetuning.candidate import details_of, remember
from distilltest.finetuning.configured import set_candidate
from distilltest.finetuning.follow import Event, Follower, JobProgress, result
from distilltest.finetuning.jobs import TuningServer
from distilltest.finetuning.plot import course, sparkline
from distilltest.finetuning.sequence import Sequence
from distilltest.process.interruption import TimeIsUp
from distilltest.store import Store
from distilltest.untrusted.edges import mapped, raw, shown_line

if TYPE_CHECKING:
    from openai.types.fine_tuning import FineTuningJob
    from openai.types.fine_tuning.jobs import FineTuningJobCheckpoint


@dataclass(frozen=True, slots=True)
class End:
    """What to do when the job has ended."""

    set_candidate: bool = False
    """Write the model's name into distilltest.yaml."""
    notify: str | None = None
    """A command to run."""


def watch(
    config: Config, server: TuningServer, store: Store, sequence: Sequence | None, identity: str, end: End
) -> int:
    """Follow a job, and the one that comes after it, to the end.

    Returns:
        The exit code.

    Raises:
        DistilltestError: The job failed or was cancelled, or the server cannot be reached any more.
    """
    display = display_for(sys.stdout)
    try:
        while True:
            with display:
                job, progress = Follower(server, display.told, display.shown).follow(identity)
            place, following = sequence.advance() if sequence and job.status == "succeeded" else (0, job)
            if following.id == identity:
                break
            _print_end(job, progress)
            identity = following.id
            say.line()
            say.line(f"{identity}: {sequence.orders[place].method if sequence else ''} tuning of {following.model}")
    except KeyboardInterrupt as asked:
        say.aside("")
        say.aside(f"The job goes on without you. Follow it again: distilltest finetune watch {identity}")
        if config.server(server.name).embedded:
            say.aside("(The embedded server pauses it until the next distilltest command.)")
        return INCOMPLETE if isinstance(asked, TimeIsUp) else INTERRUPTED
    try:
        _conclude(config, server, store, sequence, job, progress, end)
    finally:
        _notify(end.notify, job)
    return 0


def _conclude(
    config: Config,
    server: TuningServer,
    store: Store,
    sequence: Sequence | None,
    job: FineTuningJob,
    progress: JobProgress,
    end: End,
) -> None:
    model = result(job)
    checkpoints = server.checkpoints(job.id)
    first = sequence.orders[0] if sequence else None
    details = details_of(config, first.path, first.sha256) if first else {}
    remember(store, model, details, [checkpoint.fine_tuned_model_checkpoint for checkpoint in checkpoints])
    _print_end(job, progress)
    print_checkpoints(config, checkpoints)
    say.line()
    say.line(f"tuned model: {model}")
    if "prompt" in details:
        say.line(
            f"It is asked with {details['prompt']}, as in its training file, where a suite names {details['prompt_instead_of']}."
        )
    if end.set_candidate:
        say.line(f"{set_candidate(config, model).name}: models.candidate.model is {model}")
    configured = config.models.get("candidate")
    named = end.set_candidate or configured is None or configured.model == model
    say.line(f"Evaluate it: pytest {suites_of(config)}{'' if named else f' --candidate {model}'}")


def _print_end(job: FineTuningJob, progress: JobProgress) -> None:
    took = f" after {in_words(job.finished_at - job.created_at)}" if job.finished_at else ""
    tokens = f", {job.trained_tokens:,} tokens trained" if job.trained_tokens else ""
    say.line(f"{job.id} {job.status}{took}{tokens}")
    if progress.train:
        say.line(f"training loss    {course(progress.train)}")
    if progress.valid:
        say.line(f"validation loss  {course(progress.valid)}")


def print_checkpoints(config: Config, checkpoints: Several[FineTuningJobCheckpoint]) -> None:
    """Print a table of checkpoints, if there are any."""
    if not checkpoints:
        return

    def number(value: float | None) -> str:
        return "-" if value is None else f"{value:.4g}"

    rows = [
        [
            each.step_number,
            number(each.metrics.train_loss),
            number(each.metrics.valid_loss if each.metrics.full_valid_loss is None else each.metrics.full_valid_loss),
            number(each.metrics.train_mean_token_accuracy),
            each.fine_tuned_model_checkpoint,
        ]
        for each in checkpoints
    ]
    heads = ["step", "training loss", "validation loss", "token accuracy", "checkpoint"]
    right = ("right", "right", "right", "right", "left")
    say.line()
    say.table(rows, heads, colalign=right)
    say.line(f"Each is a candidate: pytest {suites_of(config)} --candidate CHECKPOINT")


def suites_of(config: Config) -> str:
    """What pytest runs in this project."""
    return config.distillation.suites if config.distillation else "suites/"


def _notify(command: str | None, job: FineTuningJob) -> None:
    """Run the user's command; if it fails, print a line."""
    if command is None:
        return
    told = {
        "DISTILLTEST_JOB": job.id,
        "DISTILLTEST_STATUS": job.status,
        "DISTILLTEST_MODEL": job.fine_tuned_model or "",
    }
    sys.stdout.flush()
    done = subprocess.run(command, shell=True, check=False, env={**os.environ, **told})  # noqa: S602  # the user's own
    if done.returncode:
        say.aside(
            f"--notify: the command ended with exit code {done.returncode}."
        )  # not the command: it may hold a token


class Display(Protocol):
    """Shows a job while it runs."""

    def told(self, event: Event) -> None:
        """Show an event."""

    def shown(self, progress: JobProgress) -> None:
        """Show the progress."""

    def __enter__(self) -> Any: ...
    def __exit__(self, *_: object) -> None: ...


def display_for(stream: Any) -> Display:
    """A live line on a terminal that can move its cursor, one line per event elsewhere."""
    live = stream.isatty() and os.environ.get("TERM") != "dumb"
    return LiveLine(stream) if live else EventLines(stream)


class EventLines:
    """Prints one line per event."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._trouble = False

    def __enter__(self) -> EventLines:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def told(self, event: Event) -> None:
        """Print it."""
        level = "" if event.level == "info" else f"{event.level}: "
        say.line(f"{time.strftime('%H:%M:%S', time.gmtime(event.created))}  {level}{event.message}", self._stream)

    def shown(self, progress: JobProgress) -> None:
        """Print once that the server does not answer."""
        if progress.trouble and not self._trouble:
            say.line(f"{time.strftime('%H:%M:%S', time.gmtime())}  {progress.trouble}", self._stream)
        self._trouble = bool(progress.trouble)


class LiveLine:
    """Overwrites one line; warnings and errors stay above it."""

    def __init__(self, stream: Any) -> None:
        self._stream = raw(stream)

    def __enter__(self) -> LiveLine:
        return self

    def __exit__(self, *_: object) -> None:
        self._write("\r\x1b[K")

    def told(self, event: Event) -> None:
        """Print warnings and errors above the line."""
        if event.level != "info":
            self._write(f"\r\x1b[K{shown_line(f'{event.level}: {event.message}')}\n")

    def shown(self, progress: JobProgress) -> None:
        """Overwrite the line."""
        width = shutil.get_terminal_size().columns - 1
        self._write(f"\r\x1b[K{live_line(mapped(progress, shown_line), time.time(), width)}")

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()


def live_line(progress: JobProgress, now: float, width: int) -> str:
    """Format a job's progress as one line; a narrow terminal cuts off the end, which matters least.

    >>> live_line(JobProgress("ftjob-1", "running", 3, 6, 160.0, (0.5, 0.3, 0.2), (0.4,)), 100.0, 99)
    'ftjob-1 running  step 3 of 6  done in about 1 min  training loss 0.2 █▃▁  validation loss 0.4 ▁'
    >>> live_line(JobProgress("ftjob-1", "queued", trouble="no answer, trying again"), 0.0, 40)
    'ftjob-1 queued  no answer, trying again'
    """
    parts = [f"{progress.job} {progress.status}"]
    if progress.trouble:
        parts.append(progress.trouble)
    if progress.step is not None:
        parts.append(f"step {progress.step:,}" + (f" of {progress.steps:,}" if progress.steps else ""))
    if progress.finish and progress.finish > now:
        parts.append(f"done in about {in_words(progress.finish - now)}")
    if progress.train:
        parts.append(f"training loss {progress.train[-1]:.4g} {sparkline(progress.train, 16)}")
    if progress.valid:
        parts.append(f"validation loss {progress.valid[-1]:.4g} {sparkline(progress.valid, 16)}")
    line = "  ".join(parts)
    return line if len(line) <= width else f"{line[: max(0, width - 1)]}…"


def in_words(seconds: float) -> str:
    """Format a duration for people.

    >>> in_words(8.4), in_words(60), in_words(3725)
    ('8 s', '1 min', '1 h 2 min')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return (
        f"{minutes} min {rest} s" if minutes and rest and minutes < 10 else f"{minutes} min" if minutes else f"{rest} s"
    )
