"""Fine-tuning jobs: the student really learns from the uploaded lines."""

from __future__ import annotations

import asyncio
import secrets
import time
from typing import Any

from distilltest.embedded.chat import check_metadata, count_tokens
from distilltest.embedded.claim import Claim
from distilltest.embedded.errors import ApiError, invalid, not_found
from distilltest.embedded.files import Files
from distilltest.embedded.lessons import METHODS, Step, TrainingFileInvalid, hyperparameters, read_examples, teach
from distilltest.embedded.models import STUDENT, Models
from distilltest.embedded.objects import Objects, page

_ENDED = ("succeeded", "failed", "cancelled")
_RESTING = (*_ENDED, "paused")
LOOK = 0.5
"""Seconds between two looks for jobs that another server on the same folder has taken in or left."""


class Jobs:
    """Fine-tuning jobs, run on the server's loop; a restart goes on with those that had not ended."""

    def __init__(self, objects: Objects, files: Files, models: Models, seconds: float, claim: Claim) -> None:
        self._objects = objects
        self._files = files
        self._models = models
        self._seconds = seconds
        self._claim = claim
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
        if model != STUDENT and not model.startswith("ft:"):
            raise ApiError(
                403, f"Fine-tuning is not available for {model}", code="training_not_available", param="model"
            )
        for name in ("training_file", "validation_file"):
            if body.get(name) is not None or name == "training_file":
                self._files.get(str(body.get(name)))
        method = body.get("method") or {"type": "supervised"}
        if not isinstance(method, dict) or method.get("type") not in METHODS:
            raise invalid("method.type is supervised or dpo", "method")
        suffix = body.get("suffix")
        if suffix is not None and (not isinstance(suffix, str) or len(suffix) > 64):
            raise invalid("suffix has up to 64 characters", "suffix")
        now = time.time()
        given = (method.get(method["type"]) or {}).get("hyperparameters") or body.get("hyperparameters")
        values = hyperparameters(method["type"], given)
        job = {
            "id": f"ftjob-{secrets.token_hex(12)}",
            "object": "fine_tuning.job",
            "created_at": int(now),
            "error": None,
            "estimated_finish": int(now + self._seconds) + 1,
            "fine_tuned_model": None,
            "finished_at": None,
            "hyperparameters": values,
            "integrations": [],
            "metadata": check_metadata(body.get("metadata")),
            "method": {"type": method["type"], method["type"]: {"hyperparameters": values}},
            "model": model,
            "organization_id": "org-local",
            "result_files": [],
            "seed": body.get("seed") or 0,
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
        working = [*self._tasks.values(), *([self._overseer] if self._overseer else [])]
        for task in working:
            task.cancel()
        await asyncio.gather(*working, return_exceptions=True)
        self._claim.release()

    def _set_aside(self, identity: str, status: str, message: str) -> dict[str, Any]:
        job = self.get(identity)
        if job["status"] in _ENDED:
            raise invalid(f"Job {identity} has already ended: {job['status']}")
        self._event(identity, message)
        return self._change(identity, status=status)

    async def _oversee(self) -> None:
        """Run every job that has not ended, while no other server does."""
        while True:
            if self._claim.take():
                for job in self._objects.all("job"):
                    if job["status"] not in _RESTING and job["id"] not in self._tasks:
                        self._start(job["id"])
            try:
                await asyncio.wait_for(self._more.wait(), LOOK)
            except TimeoutError:
                continue
            self._more.clear()

    def _start(self, identity: str) -> None:
        task = asyncio.get_running_loop().create_task(self._run(identity))
        self._tasks[identity] = task
        task.add_done_callback(lambda _: self._tasks.pop(identity, None))

    def _change(self, identity: str, **values: Any) -> dict[str, Any]:
        job = {**self.get(identity), **values}
        self._objects.put("job", job, job["created_at"])
        return job

    def _event(self, job: str, message: str, data: dict[str, Any] | None = None) -> None:
        now = time.time()
        event = {
            "id": f"ftevent-{secrets.token_hex(12)}",
            "object": "fine_tuning.job.event",
            "created_at": int(now),
            "level": "info",
            "message": message,
            "type": "message" if data is None else "metrics",
            "data": data or {},
        }
        self._objects.put("event", event, now, parent=job)

    async def _run(self, identity: str) -> None:
        try:
            await self._work(identity)
        except Exception as error:
            self._fail(identity, "server_error", f"{type(error).__name__}: {error}", "")
            raise

    async def _work(self, identity: str) -> None:
        job = self.get(identity)
        method = job["method"]["type"]
        values = job["method"][method]["hyperparameters"]
        held_out: list[tuple[str, ...]] = []
        reading = "training_file"
        try:
            examples = read_examples(self._files.content(job[reading]), method)
            if job["validation_file"]:
                reading = "validation_file"
                held_out = read_examples(self._files.content(job[reading]), method, held_out=True)
        except TrainingFileInvalid as error:
            self._fail(identity, f"invalid_{reading}", str(error), reading)
            return
        for status, after in (("queued", ("validating_files",)), ("running", ("validating_files", "queued"))):
            if self.get(identity)["status"] in after:
                await asyncio.sleep(self._seconds / 5)
                if self.get(identity)["status"] in _RESTING:
                    return
                self._change(identity, status=status)
                self._event(identity, f"Job is {status}")
        told = {event["data"].get("step") for event in self._objects.all("event", identity)}
        name = _model_name(job)
        steps = teach(self._models.student(job["model"]), method, examples, held_out, values)
        while (step := await asyncio.to_thread(next, steps, None)) is not None:
            if step.number not in told:
                self._tell(identity, name, step)
                await asyncio.sleep(self._seconds * 0.6 / min(step.total, 6))
            if self.get(identity)["status"] in _RESTING:
                return
        tokens = sum(count_tokens(text) for example in examples for text in example)
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

    def _tell(self, identity: str, name: str, step: Step) -> None:
        """Keep what a step came to: its model first, then its checkpoint, then its event."""
        if step.kept:
            model = name if step.number == step.total else f"{name}:ckpt-step-{step.number}"
            self._models.add(model, step.student)
            self._checkpoint(identity, model, step.metrics)
        losses = f"training loss={step.metrics['train_loss']}"
        if "valid_loss" in step.metrics:
            losses += f", validation loss={step.metrics['valid_loss']}"
        self._event(identity, f"Step {step.number}/{step.total}: {losses}", step.metrics)

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

    def _fail(self, identity: str, code: str, message: str, param: str) -> None:
        self._event(identity, f"The job failed: {message}")
        error = {"code": code, "message": message, "param": param}
        self._change(identity, status="failed", error=error, finished_at=int(time.time()), estimated_finish=None)


def _model_name(job: dict[str, Any]) -> str:
    """The same at every start of the job."""
    suffix = f":{job['suffix']}" if job["suffix"] else ":"
    base = job["model"] if not job["model"].startswith("ft:") else job["model"].split(":")[1]
    return f"ft:{base}:local{suffix}:{job['id'][-8:]}"
