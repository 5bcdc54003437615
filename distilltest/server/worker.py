"""Runs fine-tuning jobs. The models behind the server do the training."""

from __future__ import annotations

import asyncio
import logging
import time
from functools import partial
from typing import Any

from distilltest.server.errors import ApiError
from distilltest.server.files import Files
from distilltest.server.folder_lock import FolderLock
from distilltest.server.interface import JobControl, ServedModels, Stopped, TrainingFailed, TrainingJob
from distilltest.server.job_records import ACTIVE, JobRecords
from distilltest.server.threads import Threads

POLL_SECONDS = 0.5
"""How often to check for jobs that another server on the folder has created, left unfinished, paused or cancelled, in seconds."""
PATIENCE = 5.0
"""How long a stop waits for trainings to notice it, in seconds. A training that does not notice ends with the process."""
DIED = "The server ended while the job was running: the job begins anew"


class JobWorker:
    """Runs jobs in threads. After a restart it continues unfinished jobs."""

    def __init__(self, records: JobRecords, files: Files, models: ServedModels, lock: FolderLock) -> None:
        self._records = records
        self._files = files
        self._models = models
        self._lock = lock
        self._threads = Threads("distilltest-job")
        self._turn = asyncio.Semaphore(models.jobs_at_once)
        self._reading = asyncio.Semaphore(2)
        self._closing = False
        self._controls: dict[str, JobControl] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._wake = asyncio.Event()
        self._overseer: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start running jobs, unfinished ones included."""
        self._overseer = asyncio.get_running_loop().create_task(self._oversee())

    def wake(self) -> None:
        """Check for jobs now."""
        self._wake.set()

    def stop(self, identity: str) -> None:
        """Stop a job at its training's next check."""
        if identity in self._controls:
            self._controls[identity].stop()

    async def close(self) -> None:
        """Stop running jobs; unfinished ones continue at the next start.

        This does not wait for a training that does not stop in time. No other server runs the folder's jobs until that training
        ends, at the latest with the process.
        """
        self._closing = True
        running = list(self._tasks)
        working = [*self._tasks.values(), *([self._overseer] if self._overseer else [])]
        for identity in running:
            self.stop(identity)
        for task in working:
            task.cancel()
        await asyncio.gather(*working, return_exceptions=True)
        for identity in running:
            self._records.interrupted(identity)
        await self._threads.wait(PATIENCE)
        self._threads.when_idle(self._lock.release)

    async def _oversee(self) -> None:
        """While this server holds the folder's lock, run unfinished jobs, and stop those that another server has cancelled."""
        while True:
            if self._lock.take():
                for job in self._records.all():
                    active = job["status"] in ACTIVE
                    if job["id"] in self._tasks:
                        if not active:
                            self.stop(job["id"])
                    elif active and not self._died_too_often(job):
                        self._start(job["id"])
            try:
                await asyncio.wait_for(self._wake.wait(), POLL_SECONDS)
            except TimeoutError:
                continue
            self._wake.clear()

    def _died_too_often(self, job: dict[str, Any]) -> bool:
        """Fail a job that was running at each of the last crashes of the server, and may cause them; return whether it failed."""
        interrupted = self._records.was_interrupted(job["id"])
        if self._models.deaths is None or interrupted or job["status"] != "running":
            return False
        self._records.event(job["id"], DIED, level="warn")
        deaths = sum(event["message"] == DIED for event in self._records.events(job["id"]))
        if deaths < self._models.deaths:
            return False
        reason = f"The server ended {deaths} times while this job was running; it may need more memory."
        self._records.fail(job["id"], TrainingFailed("server_died", reason))
        return True

    def _start(self, identity: str) -> None:
        told = {_mark(event["message"], event["data"]) for event in self._records.events(identity)}
        control = JobControl(partial(self._tell, identity, told), partial(self._records.checkpoint, identity))
        task = asyncio.get_running_loop().create_task(self._run(identity, control))
        self._controls[identity] = control
        self._tasks[identity] = task
        task.add_done_callback(lambda _: (self._tasks.pop(identity), self._controls.pop(identity)))

    def _tell(
        self, job: str, told: set[str], message: str, data: dict[str, Any] | None = None, level: str = "info"
    ) -> bool:
        """Add an event, unless it, or for metrics one of the same step, was added before a restart; return whether it is new."""
        mark = _mark(message, data)
        if mark in told:
            return False
        told.add(mark)
        self._records.event(job, message, data, level)
        return True

    async def _run(self, identity: str, control: JobControl) -> None:
        try:
            await self._work(identity, control)
        except Stopped:
            return
        except Exception as error:
            if not self._closing and not control.stopped and self._records.get(identity)["status"] in ACTIVE:
                self._records.fail(identity, _failure(identity, error))

    async def _work(self, identity: str, control: JobControl) -> None:
        job = self._records.get(identity)
        async with self._reading:
            training = await self._threads.run(self._prepare, job)
        method = {"type": job["method"]["type"], job["method"]["type"]: {"hyperparameters": training.hyperparameters}}
        self._change(identity, control, hyperparameters=training.hyperparameters, method=method)
        await self._reach(identity, control, "queued", ("validating_files",))
        async with self._turn:
            await self._reach(identity, control, "running", ("validating_files", "queued"))
            name = _model_name(job)
            tokens = await self._threads.run(training.run, name, control)
        self._check(identity, control)
        self._records.event(identity, f"New fine-tuned model created: {name}")
        self._records.event(identity, "The job has successfully completed")
        self._change(
            identity,
            control,
            status="succeeded",
            fine_tuned_model=name,
            finished_at=int(time.time()),
            trained_tokens=tokens,
            estimated_finish=None,
        )

    def _prepare(self, job: dict[str, Any]) -> TrainingJob:
        training, validation = job["training_file"], job["validation_file"]
        held_out = self._files.content(validation) if validation else None
        return self._models.prepare(job, self._files.content(training), held_out)

    async def _reach(self, identity: str, control: JobControl, status: str, after: tuple[str, ...]) -> None:
        if self._check(identity, control) in after:
            await asyncio.sleep((self._models.job_seconds or 0.0) / 5)
            self._change(identity, control, status=status)
            self._records.event(identity, f"Job is {status}")

    def _check(self, identity: str, control: JobControl) -> str:
        """The state of a job that may continue.

        Raises:
            Stopped: The job was paused or cancelled, here or by another server.
        """
        control.check()
        status: str = self._records.get(identity)["status"]
        if status not in ACTIVE:
            raise Stopped
        return status

    def _change(self, identity: str, control: JobControl, **values: Any) -> None:
        """Change a job that may continue.

        Raises:
            Stopped: The job was paused or cancelled, here or by another server.
        """
        control.check()
        if self._records.change(identity, ACTIVE, **values) is None:
            raise Stopped


def _mark(message: str, data: dict[str, Any] | None) -> str:
    """What identifies an event. Metrics are left out: a second computation may differ in the last digit."""
    return message.split(":")[0] if data else message


def _failure(identity: str, error: Exception) -> TrainingFailed:
    """The failure to record for an error; an unexpected error is also logged."""
    if isinstance(error, TrainingFailed):
        return error
    if isinstance(error, ApiError):
        return TrainingFailed("invalid_request", str(error))
    logging.getLogger(__name__).error("job %s failed", identity, exc_info=error)
    return TrainingFailed("server_error", f"{type(error).__name__}: {error}")


def _model_name(job: dict[str, Any]) -> str:
    """The tuned model's id, which is the same at every start of the job."""
    suffix = f":{job['suffix']}" if job["suffix"] else ":"
    base = job["model"].split(":")[1] if job["model"].startswith("ft:") else job["model"].rsplit("/", 1)[-1]
    return f"ft:{base}:local{suffix}:{job['id'][-8:]}"
