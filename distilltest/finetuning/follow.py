"""Wait for a job to end, through lost connections and server errors."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from distilltest.errors import JobFailed
from distilltest.finetuning.answers import endpoint_errors
from distilltest.finetuning.jobs import ENDED, TuningServer
from distilltest.untrusted.edges import shown_line

if TYPE_CHECKING:
    from openai.types.fine_tuning import FineTuningJob, FineTuningJobEvent

PATIENCE = 600.0
"""Seconds without an answer from the server after which we stop following a job (the job itself goes on)."""
SLOWEST = 10.0
"""The longest interval in seconds between two polls of a job."""
RETRY = 2.0
"""Seconds before the first retry; doubled each time, up to ``SLOWEST``."""
_STEP = re.compile(r"\bStep (\d+)(?:/(\d+))?")


@dataclass(frozen=True, slots=True)
class Event:
    """An event of a job."""

    status: str
    """The job's."""
    message: str
    level: str = "info"
    """``info``, ``warn`` or ``error``."""
    created: float = 0.0
    """Unix time."""
    step: int | None = None
    steps: int | None = None
    """The total number of steps, if the server reports it."""
    train_loss: float | None = None
    valid_loss: float | None = None


@dataclass(frozen=True, slots=True)
class JobProgress:
    """The progress of a job."""

    job: str
    status: str
    step: int | None = None
    steps: int | None = None
    finish: float | None = None
    """When the server expects it to end, Unix time."""
    train: tuple[float, ...] = ()
    """Training losses so far."""
    valid: tuple[float, ...] = ()
    """Validation losses so far."""
    trouble: str | None = None
    """Why the server does not answer; None if it does."""


@dataclass
class Follower:
    """Follows one job."""

    server: TuningServer
    told: Callable[[Event], None]
    """Called once for each event, in order."""
    shown: Callable[[JobProgress], None] = lambda _: None
    """Called with the progress after each poll."""
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    _seen: set[str] = field(default_factory=set)

    def follow(self, identity: str, pause: float = 0.3) -> tuple[FineTuningJob, JobProgress]:
        """Wait for a job to succeed, fail or be cancelled.

        Raises:
            DistilltestError: There is no such job, or the server did not answer for ten minutes.
        """
        import openai

        progress = JobProgress(identity, "unknown")
        last_answer, wait = self.clock(), RETRY
        while True:
            try:
                job, events = self._look(identity)
            except (openai.APIConnectionError, openai.APIStatusError) as error:
                passing = not isinstance(error, openai.APIStatusError) or error.status_code in (408, 409, 429)
                passing = passing or getattr(error, "status_code", 0) >= 500
                if not passing or self.clock() - last_answer > PATIENCE:
                    with endpoint_errors(self.server.name, asked=identity):
                        raise
                progress = replace(progress, trouble=f"no answer ({type(error).__name__}), trying again")
                self.shown(progress)
                self.sleep(wait)
                wait = min(SLOWEST, 2 * wait)
                continue
            last_answer, wait = self.clock(), RETRY
            for event in events:
                progress = _after(progress, event)
                self.told(event)
            progress = replace(progress, status=job.status, finish=job.estimated_finish, trouble=None)
            self.shown(progress)
            if job.status in ENDED:
                return job, progress
            self.sleep(pause)
            pause = min(SLOWEST, pause * 1.2)

    def _look(self, identity: str) -> tuple[FineTuningJob, list[Event]]:
        """Fetch the job and its new events; stop reading the list at the first known event."""
        jobs = self.server.client.with_options(max_retries=0).fine_tuning.jobs
        job = jobs.retrieve(identity)
        fresh: list[FineTuningJobEvent] = []
        for event in jobs.list_events(identity, limit=100):
            if event.id in self._seen:
                break
            fresh.append(event)
        self._seen.update(event.id for event in fresh)
        return job, [_event(job.status, event) for event in reversed(fresh)]


def result(job: FineTuningJob) -> str:
    """The tuned model's id.

    Raises:
        JobFailed: The job failed or was cancelled; the message has the server's reason.
    """
    if job.status == "succeeded" and job.fine_tuned_model:
        return job.fine_tuned_model
    reason = f": {job.error.message} ({job.error.code})" if job.error and job.error.message else ""
    said = shown_line(f"Fine-tuning job {job.id} {job.status}{reason}")
    raise JobFailed(f"{said}. Fix the cause and run the same command again.")


def _event(status: str, event: FineTuningJobEvent) -> Event:
    data = event.data if isinstance(event.data, Mapping) else {}
    match = _STEP.search(event.message)
    steps = _number(data, "total_steps")
    step = _number(data, "step")
    return Event(
        status=status,
        message=event.message,
        level=event.level,
        created=event.created_at,
        step=int(step) if step is not None else int(match[1]) if match else None,
        steps=int(steps) if steps is not None else int(match[2]) if match and match[2] else None,
        train_loss=_number(data, "train_loss"),
        valid_loss=_number(data, "full_valid_loss", "valid_loss"),
    )


def _number(data: Mapping[str, Any], *names: str) -> float | None:
    for name in names:
        value = data.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return float(value)
    return None


def _after(progress: JobProgress, event: Event) -> JobProgress:
    return replace(
        progress,
        step=event.step if event.step is not None else progress.step,
        steps=event.steps if event.steps is not None else progress.steps,
        train=progress.train if event.train_loss is None else (*progress.train, event.train_loss),
        valid=progress.valid if event.valid_loss is None else (*progress.valid, event.valid_loss),
    )
