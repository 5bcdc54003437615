"""Jobs on a server: each is started once, even if several commands or processes ask for it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distilltest.data.whole_files import make_folder
from distilltest.errors import DistilltestError
from distilltest.finetuning.answers import endpoint_errors, no_page
from distilltest.finetuning.order import Order
from distilltest.untrusted.edges import shown_line

if TYPE_CHECKING:
    from openai import OpenAI
    from openai.types.fine_tuning import FineTuningJob
    from openai.types.fine_tuning.jobs import FineTuningJobCheckpoint

ENDED = ("succeeded", "failed", "cancelled")
MARK = "distilltest"
"""The job's label with the fingerprint of its order, by which an interrupted start finds its job again."""
LOOKED_THROUGH = 1000
"""The number of newest jobs that are searched."""


@dataclass(frozen=True, slots=True)
class TuningServer:
    """A server with fine-tuning jobs."""

    name: str
    """Its name in distilltest.yaml."""
    base_url: str
    """Its configured address, which is part of every mark."""
    client: OpenAI
    folder: Path
    """The project's state folder, for the lock."""

    def start(self, order: Order, *, again: bool = False, known: str | None = None) -> tuple[FineTuningJob, bool]:
        """Upload the files and start a job, or find the one that was started for the same order.

        Args:
            order: The model, files and settings.
            again: Start a new job in any case.
            known: The id of the job, if the store has it.

        Returns:
            The job, and whether it is new.

        Raises:
            DistilltestError: The server refused, has no jobs, or cannot be reached.
        """
        mark = order.mark(self.base_url)
        with endpoint_errors(self.name, order.path), _one_start_at_a_time(self.folder):
            if not again:
                job = self._find(mark, known)
                if job is not None:
                    return job, False
            return self._create(order, mark), True

    def job(self, identity: str) -> FineTuningJob:
        """Fetch a job.

        Raises:
            DistilltestError: There is no such job, or the server failed.
        """
        with endpoint_errors(self.name, asked=identity):
            job = self.client.fine_tuning.jobs.retrieve(identity)
            no_page(job, self.name)
            return job

    def jobs(self, limit: int) -> list[FineTuningJob]:
        """Fetch the newest jobs.

        Raises:
            DistilltestError: The server failed.
        """
        with endpoint_errors(self.name):
            return list(self._newest(limit))

    def newest_unfinished(self) -> FineTuningJob:
        """The newest job that has not ended.

        Raises:
            DistilltestError: There is none.
        """
        jobs = self.jobs(LOOKED_THROUGH)
        for job in jobs:
            if job.status not in ENDED:
                return job
        newest = shown_line(f"the newest, {jobs[0].id}, has {jobs[0].status}") if jobs else "it has no jobs at all"
        raise DistilltestError(f"Server {self.name!r} has no unfinished job: {newest}. Name one: JOB.")

    def cancel(self, identity: str) -> FineTuningJob:
        """Cancel a job.

        Raises:
            DistilltestError: There is none, or it has ended.
        """
        with endpoint_errors(self.name, asked=identity):
            job = self.client.fine_tuning.jobs.cancel(identity)
            no_page(job, self.name)
            return job

    def checkpoints(self, identity: str) -> list[FineTuningJobCheckpoint]:
        """The checkpoints of a job, in order of their steps; empty if the server keeps none.

        Raises:
            DistilltestError: There is no such job, or the server failed.
        """
        import openai

        with endpoint_errors(self.name, asked=identity):
            try:
                page = self.client.fine_tuning.jobs.checkpoints.list(identity, limit=100)
                no_page(page, self.name)
                found = list(page)
            except openai.APIStatusError as error:
                if error.status_code not in (404, 405, 501):
                    raise
                self.client.fine_tuning.jobs.retrieve(identity)  # raises if there is no such job
                return []
        return sorted(found, key=lambda checkpoint: checkpoint.step_number)

    def _newest(self, limit: int) -> Iterator[FineTuningJob]:
        page = self.client.fine_tuning.jobs.list(limit=min(100, limit))
        no_page(page, self.name)
        for number, job in enumerate(page):
            if number >= limit:
                return
            yield job

    def _find(self, mark: str, known: str | None) -> FineTuningJob | None:
        """A job with this mark that has not failed."""
        import openai

        if known is not None:
            try:
                job = self.client.fine_tuning.jobs.retrieve(known)
            except openai.NotFoundError:
                job = None
            if job is not None and job.status not in ("failed", "cancelled"):
                return job
        for job in self._newest(LOOKED_THROUGH):
            if (job.metadata or {}).get(MARK) == mark and job.status not in ("failed", "cancelled"):
                return job
        return None

    def _create(self, order: Order, mark: str) -> FineTuningJob:
        from openai import omit

        order.check_unchanged()
        training = self._upload(order.path, order.sha256)
        validation = self._upload(order.validation, order.validation_sha256 or "") if order.validation else omit
        method: Any = {"type": order.method, order.method: {"hyperparameters": dict(order.hyperparameters)}}
        return self.client.fine_tuning.jobs.create(
            model=order.model,
            training_file=training,
            validation_file=validation,
            method=method,
            suffix=order.suffix or omit,
            seed=omit if order.seed is None else order.seed,
            metadata={**order.metadata, MARK: mark},
        )

    def _upload(self, path: Path, sha256: str) -> str:
        """Upload a file, unless an earlier upload has the same name, which contains the content's fingerprint."""
        import openai

        name = f"{path.stem}-{sha256[:16]}.jsonl"
        size = path.stat().st_size
        try:
            for file in self.client.files.list(purpose="fine-tune"):
                if file.filename == name and file.bytes == size and file.status != "error":
                    return file.id
        except openai.APIStatusError as error:
            if error.status_code not in (404, 405, 501):
                raise  # a server may accept files without listing them
        with path.open("rb") as content:
            return self.client.files.create(file=(name, content), purpose="fine-tune").id


@contextmanager
def _one_start_at_a_time(folder: Path) -> Iterator[None]:
    """A lock between processes that ends with its process: SQLite's, which works on every system."""
    make_folder(folder)
    lock = sqlite3.connect(folder / "finetune-lock.sqlite3", timeout=120, isolation_level=None)
    try:
        lock.execute("BEGIN EXCLUSIVE")
        yield
    except sqlite3.OperationalError as error:
        raise DistilltestError(
            f"Another process is starting a job in {folder} ({error}). Wait for it, and run the same command again."
        ) from None
    finally:
        lock.close()
