"""Fine-tuning jobs over the OpenAI API: upload, start, follow."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from distilltest.errors import DistilltestError, EndpointMissing, JobFailed

if TYPE_CHECKING:
    from openai import OpenAI
    from openai.types.fine_tuning import FineTuningJob

ENDED = ("succeeded", "failed", "cancelled")
MARK = "distilltest"
"""The job's label with the fingerprint of what it was started for: how an interrupted start finds its job again."""
PATIENCE = 600.0
"""Seconds without any answer from the server after which following a job gives up (the job itself goes on)."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that a job tells."""

    status: str
    message: str
    train_loss: float | None = None


@contextmanager
def endpoint_errors(server: str, ready_file: Path | None = None) -> Iterator[None]:
    """Say in our words what a server's errors on files and jobs mean.

    Raises:
        EndpointMissing: The server has no such endpoint.
        DistilltestError: It refused, or cannot be reached.
    """
    import openai

    kept = f" The training file is ready: {ready_file}." if ready_file else ""
    try:
        yield
    except openai.APIStatusError as error:
        missing = error.status_code in (405, 501) or (error.status_code == 404 and "No such" not in error.message)
        if missing and "model" not in str(error.code or ""):
            raise EndpointMissing(
                f"Server {server!r} has no fine-tuning (HTTP {error.status_code}).{kept} "
                "Tune with it on a server or trainer of your own, and give the result with --candidate MODEL."
            ) from None
        raise DistilltestError(f"Server {server!r} refused: HTTP {error.status_code}: {error.message}{kept}") from None
    except openai.APIConnectionError as error:
        raise DistilltestError(
            f"Server {server!r} is not reachable: {error}. Run the same command again: it goes on where it was.{kept}"
        ) from None


def find_job(client: OpenAI, mark: str) -> FineTuningJob | None:
    """A job that was started with this mark and has not failed, None where there is none."""
    for job in client.fine_tuning.jobs.list(limit=50):
        if (job.metadata or {}).get(MARK) == mark and job.status not in ("failed", "cancelled"):
            return job
    return None


def start_job(client: OpenAI, path: Path, model: str, *, mark: str, suffix: str | None) -> FineTuningJob:
    """Upload a training file and start a supervised job, or find the one that was started for the same."""
    from openai import omit

    known = find_job(client, mark)
    if known is not None:
        return known
    with path.open("rb") as content:
        file = client.files.create(file=content, purpose="fine-tune")
    return client.fine_tuning.jobs.create(
        model=model,
        training_file=file.id,
        method={"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": "auto"}}},
        suffix=suffix or omit,
        metadata={MARK: mark},
    )


def follow(
    client: OpenAI,
    job_id: str,
    told: Callable[[Event], None],
    *,
    pause: float = 0.3,
    sleep: Callable[[float], None] = time.sleep,
) -> str:
    """Wait for a job to end, telling each event once; a lost connection is waited out.

    Returns:
        The tuned model's id.

    Raises:
        JobFailed: The job failed or was cancelled; the message has the server's reason.
    """
    import openai

    seen: set[str] = set()
    last_answer = time.monotonic()
    while True:
        try:
            job = client.fine_tuning.jobs.retrieve(job_id)
            events = list(client.fine_tuning.jobs.list_events(job_id, limit=100))
            last_answer = time.monotonic()
        except openai.APIConnectionError:
            if time.monotonic() - last_answer > PATIENCE:
                raise
            sleep(5.0)
            continue
        for event in reversed(events):
            if event.id not in seen:
                seen.add(event.id)
                told(Event(job.status, event.message, _loss(event.data)))
        if job.status in ENDED:
            return _result(job)
        sleep(pause)
        pause = min(10.0, pause * 1.2)


def _loss(data: object) -> float | None:
    loss = data.get("train_loss") if isinstance(data, Mapping) else None
    return float(loss) if isinstance(loss, int | float) else None


def _result(job: FineTuningJob) -> str:
    if job.status == "succeeded" and job.fine_tuned_model:
        return job.fine_tuned_model
    reason = f": {job.error.message} ({job.error.code})" if job.error and job.error.message else ""
    raise JobFailed(f"Fine-tuning job {job.id} {job.status}{reason}. Mend the cause and run the same command again.")
