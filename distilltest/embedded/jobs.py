"""Fine-tuning jobs. What is learned, and how, is the business of the models behind the server."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from distilltest.embedded.chat import check_metadata
from distilltest.embedded.claim import Claim
from distilltest.embedded.errors import ApiError, invalid, not_found
from distilltest.embedded.files import Files
from distilltest.embedded.interface import METHODS, Models, TrainingFailed, Watch
from distilltest.embedded.objects import Objects, page

_ENDED = ("succeeded", "failed", "cancelled")
_RESTING = (*_ENDED, "paused")
LOOK = 0.5
"""Seconds between two looks for jobs that another server on the same folder has taken in or left."""
_DIED = "The server ended while the job was running: the job begins anew"


class Jobs:
    """Fine-tuning jobs, run in threads beside the server's loop; a restart goes on with those that had not ended."""

    def __init__(self, objects: Objects, files: Files, models: Models, claim: Claim) -> None:
        self._objects = objects
        self._files = files
        self._models = models
        self._claim = claim
        self._pool = ThreadPoolExecutor(models.jobs_at_once + 2, "distilltest-job")
        self._turn = asyncio.Semaphore(models.jobs_at_once)
        self._watches: dict[str, Watch] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._more = asyncio.Event()
        self._overseer: asyncio.Task[None] | None = None

    def resume(self) -> None:
        """Begin to work; jobs that a restart interrupted go on."""
        self._overseer = asyncio.get_running_loop().create_task(self._oversee())

    def create(self, body: dict[str, Any]) -> dict[str, Any]:
        """Begin a job."""
        model = body.get("model")
        if not isinstance(model, str):
            raise invalid("you must provide a model parameter", "model")
        self._models.get(model)
        for name in ("training_file", "validation_file"):
            if body.get(name) is not None or name == "training_file":
                self._files.get(str(body.get(name)))
        method = body.get("method") or {"type": "supervised"}
        if not isinstance(method, dict) or method.get("type") not in METHODS:
            raise invalid("method.type is supervised or dpo", "method")
        suffix = body.get("suffix")
        if suffix is not None and (not isinstance(suffix, str) or len(suffix) > 64):
            raise invalid("suffix has up to 64 characters", "suffix")
        seed = body.get("seed")
        if seed is not None and (not isinstance(seed, int) or not 0 <= seed < 2**32):
            raise invalid("seed is a whole number from 0 to 2^32 - 1", "seed")
        now = time.time()
        given = (method.get(method["type"]) or {}).get("hyperparameters") or body.get("hyperparameters")
        values = self._models.accept(model, method["type"], given)
        seconds = self._models.job_seconds
        job = {
            "id": f"ftjob-{secrets.token_hex(12)}",
            "object": "fine_tuning.job",
            "created_at": int(now),
            "error": None,
            "estimated_finish": None if seconds is None else int(now + seconds) + 1,
            "fine_tuned_model": None,
            "finished_at": None,
            "hyperparameters": values,
            "integrations": [],
            "metadata": check_metadata(body.get("metadata")),
            "method": {"type": method["type"], method["type"]: {"hyperparameters": values}},
            "model": model,
            "organization_id": "org-local",
            "result_files": [],
            "seed": seed or 0,
            "status": "validating_files",
            "suffix": suffix,
            "trained_tokens": None,
            "training_file": body["training_file"],
            "user_provided_suffix": suffix,
            "validation_file": body.get("validation_file"),
        }
        self._objects.put("job", job, now)
        self._event(job["id"], f"Created fine-tuning job: {job['id']}")
        self._more.set()
        return job

    def list_all(self, query: dict[str, str]) -> dict[str, Any]:
        """Jobs, the newest first."""
        wanted = {k[9:-1]: v for k, v in query.items() if k.startswith("metadata[") and k.endswith("]")}
        found = [j for j in self._objects.all("job") if all(j["metadata"].get(k) == v for k, v in wanted.items())]
        return page(found, query, newest_first=True)

    def get(self, identity: str) -> dict[str, Any]:
        """One job."""
        found = self._objects.get("job", identity)
        if found is None:
            raise not_found("fine-tuning job", identity)
        return found

    def cancel(self, identity: str) -> dict[str, Any]:
        """Stop a job that has not ended."""
        return self._set_aside(identity, "cancelled", "The job was cancelled")

    def pause(self, identity: str) -> dict[str, Any]:
        """Let a job rest."""
        return self._set_aside(identity, "paused", "The job was paused")

    def go_on(self, identity: str) -> dict[str, Any]:
        """Go on with a job that rests."""
        job = self.get(identity)
        if job["status"] != "paused":
            raise invalid(f"Job {identity} is {job['status']}, not paused")
        job = self._change(identity, status="queued")
        self._more.set()
        return job

    def events(self, identity: str, query: dict[str, str]) -> dict[str, Any]:
        """What happened, the newest first."""
        self.get(identity)
        return page(self._objects.all("event", identity), query, newest_first=True)

    def checkpoints(self, identity: str, query: dict[str, str]) -> dict[str, Any]:
        """The models on the way, the newest first."""
        self.get(identity)
        return page(self._objects.all("checkpoint", identity), query, newest_first=True)

    async def close(self) -> None:
        """Stop working; unfinished jobs go on at the next start."""
        running = list(self._tasks)
        working = [*self._tasks.values(), *([self._overseer] if self._overseer else [])]
        for watch in self._watches.values():
            watch.stop()
        for task in working:
            task.cancel()
        await asyncio.gather(*working, return_exceptions=True)
        await asyncio.to_thread(self._pool.shutdown)
        for identity in running:
            self._objects.put("stopped", {"id": identity}, time.time())  # and not dead
        self._claim.release()

    def _set_aside(self, identity: str, status: str, message: str) -> dict[str, Any]:
        job = self.get(identity)
        if job["status"] in _ENDED:
            raise invalid(f"Job {identity} has already ended: {job['status']}")
        self._event(identity, message)
        job = self._change(identity, status=status)
        if identity in self._watches:
            self._watches[identity].stop()
        return job

    async def _oversee(self) -> None:
        """Run every job that has not ended, while no other server does; one that another server set aside is stopped."""
        while True:
            if self._claim.take():
                for job in self._objects.all("job"):
                    resting = job["status"] in _RESTING
                    if job["id"] in self._tasks:
                        if resting:
                            self._watches[job["id"]].stop()
                    elif not resting and not self._died_too_often(job):
                        self._start(job["id"])
            try:
                await asyncio.wait_for(self._more.wait(), LOOK)
            except TimeoutError:
                continue
            self._more.clear()

    def _died_too_often(self, job: dict[str, Any]) -> bool:
        """Whether a job was running at so many deaths of the server that it ends as failed: it would go on killing it."""
        stopped = self._objects.delete("stopped", job["id"])
        if self._models.deaths is None or stopped or job["status"] != "running":
            return False
        self._event(job["id"], _DIED, level="warn")
        deaths = [event for event in self._objects.all("event", job["id"]) if event["message"] == _DIED]
        if len(deaths) < self._models.deaths:
            return False
        reason = f"The server ended {len(deaths)} times while this job was running; it may need more memory."
        self._fail(job["id"], TrainingFailed("server_died", reason))
        return True

    def _start(self, identity: str) -> None:
        told = {_mark(event["message"], event["data"]) for event in self._objects.all("event", identity)}
        watch = Watch(partial(self._tell, identity, told), partial(self._checkpoint, identity))
        task = asyncio.get_running_loop().create_task(self._run(identity, watch))
        self._watches[identity] = watch
        self._tasks[identity] = task
        task.add_done_callback(lambda _: (self._tasks.pop(identity), self._watches.pop(identity)))

    def _change(self, identity: str, **values: Any) -> dict[str, Any]:
        job = {**self.get(identity), **values}
        self._objects.put("job", job, job["created_at"])
        return job

    def _tell(
        self, job: str, told: set[str], message: str, data: dict[str, Any] | None = None, level: str = "info"
    ) -> bool:
        """An event, unless it was told before a restart; of metrics, unless those of the same step were."""
        mark = _mark(message, data)
        if mark in told:
            return False
        told.add(mark)
        self._event(job, message, data, level)
        return True

    def _event(self, job: str, message: str, data: dict[str, Any] | None = None, level: str = "info") -> None:
        now = time.time()
        event = {
            "id": f"ftevent-{secrets.token_hex(12)}",
            "object": "fine_tuning.job.event",
            "created_at": int(now),
            "level": level,
            "message": message,
            "type": "message" if data is None else "metrics",
            "data": data or {},
        }
        self._objects.put("event", event, now, parent=job)

    async def _run(self, identity: str, watch: Watch) -> None:
        try:
            await self._work(identity, watch)
        except Exception as error:
            if not watch.stopped:
                self._fail(identity, _failure(identity, error))

    async def _work(self, identity: str, watch: Watch) -> None:
        job = self.get(identity)
        files = [self._files.content(job[f]) if job[f] else None for f in ("training_file", "validation_file")]
        training = await self._thread(self._models.prepare, job, *files)
        self._check(identity, watch)
        method = {"type": job["method"]["type"], job["method"]["type"]: {"hyperparameters": training.hyperparameters}}
        self._change(identity, hyperparameters=training.hyperparameters, method=method)
        await self._reach(identity, watch, "queued", ("validating_files",))
        async with self._turn:
            self._check(identity, watch)
            await self._reach(identity, watch, "running", ("validating_files", "queued"))
            name = _model_name(job)
            tokens = await self._thread(training.run, name, watch)
        self._check(identity, watch)
        self._event(identity, f"New fine-tuned model created: {name}")
        self._event(identity, "The job has successfully completed")
        self._change(
            identity,
            status="succeeded",
            fine_tuned_model=name,
            finished_at=int(time.time()),
            trained_tokens=tokens,
            estimated_finish=None,
        )

    def _check(self, identity: str, watch: Watch) -> None:
        """Go on, unless this server or another one on the folder has set the job aside.

        Raises:
            Stopped: It has.
        """
        if self.get(identity)["status"] in _RESTING:
            watch.stop()
        watch.check()

    async def _reach(self, identity: str, watch: Watch, status: str, after: tuple[str, ...]) -> None:
        if self.get(identity)["status"] in after:
            await asyncio.sleep((self._models.job_seconds or 0.0) / 5)
            self._check(identity, watch)
            self._change(identity, status=status)
            self._event(identity, f"Job is {status}")

    async def _thread(self, work: Callable[..., Any], *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._pool, work, *arguments)

    def _checkpoint(self, job: str, model: str, metrics: dict[str, Any]) -> None:
        now = time.time()
        content = {
            "id": f"ftckpt_{job[6:]}{metrics['step']:04}",
            "object": "fine_tuning.job.checkpoint",
            "created_at": int(now),
            "fine_tuned_model_checkpoint": model,
            "fine_tuning_job_id": job,
            "metrics": metrics,
            "step_number": metrics["step"],
        }
        self._objects.put("checkpoint", content, now, parent=job)

    def _fail(self, identity: str, failure: TrainingFailed) -> None:
        self._event(identity, f"The job failed: {failure}", level="error")
        error = {"code": failure.code, "message": str(failure), "param": failure.param}
        self._change(identity, status="failed", error=error, finished_at=int(time.time()), estimated_finish=None)


def _mark(message: str, data: dict[str, Any] | None) -> str:
    """What an event is known by: losses may differ in the last place when they are computed again."""
    return message.split(":")[0] if data else message


def _failure(identity: str, error: Exception) -> TrainingFailed:
    """What a job says of an error; one that nobody thought of goes to the log as well."""
    if isinstance(error, TrainingFailed):
        return error
    if isinstance(error, ApiError):
        return TrainingFailed("invalid_request", str(error))
    logging.getLogger(__name__).error("job %s failed", identity, exc_info=error)
    return TrainingFailed("server_error", f"{type(error).__name__}: {error}")


def _model_name(job: dict[str, Any]) -> str:
    """The same at every start of the job."""
    suffix = f":{job['suffix']}" if job["suffix"] else ":"
    base = job["model"].split(":")[1] if job["model"].startswith("ft:") else job["model"].rsplit("/", 1)[-1]
    return f"ft:{base}:local{suffix}:{job['id'][-8:]}"
