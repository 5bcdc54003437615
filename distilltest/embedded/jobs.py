"""Files and fine-tuning jobs: the student really learns from the uploaded lines."""

from __future__ import annotations

import asyncio
import secrets
import time
from typing import Any

import orjson

from distilltest.embedded.chat import check_metadata, content_text, count_tokens
from distilltest.embedded.errors import ApiError, invalid, not_found
from distilltest.embedded.models import STUDENT, Models
from distilltest.embedded.objects import Objects, page
from distilltest.embedded.student import Student

PURPOSES = ("fine-tune", "batch", "evals", "assistants", "vision", "user_data")
LEAST_EXAMPLES = 10
CHECKPOINTS = 3
_ENDED = ("succeeded", "failed", "cancelled")


class Files:
    """Uploaded files."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    def create(self, name: str, purpose: str, data: bytes) -> dict[str, Any]:
        """Keep a file."""
        if purpose not in PURPOSES:
            raise invalid(f"'{purpose}' is not one of {', '.join(PURPOSES)}", "purpose")
        now = time.time()
        content = {
            "id": f"file-{secrets.token_hex(12)}",
            "object": "file",
            "bytes": len(data),
            "created_at": int(now),
            "filename": name,
            "purpose": purpose,
            "status": "processed",
            "expires_at": None,
            "status_details": None,
        }
        self._objects.put("file", content, now, data=data)
        return content

    def list_all(self, query: dict[str, str]) -> dict[str, Any]:
        """Files, the newest first."""
        found = [f for f in self._objects.all("file") if query.get("purpose") in (None, f["purpose"])]
        return page(found, {"limit": "10000", **query}, newest_first=True, most=10_000)

    def get(self, identity: str) -> dict[str, Any]:
        """One file's description."""
        found = self._objects.get("file", identity)
        if found is None:
            raise not_found("File object", identity)
        return found

    def content(self, identity: str) -> bytes:
        """One file's bytes."""
        self.get(identity)
        return self._objects.data("file", identity) or b""

    def delete(self, identity: str) -> dict[str, Any]:
        """Forget a file."""
        self.get(identity)
        self._objects.delete("file", identity)
        return {"id": identity, "object": "file", "deleted": True}


class TrainingFileInvalid(Exception):
    """A training file that cannot be learned from; the message names the line."""


class Jobs:
    """Fine-tuning jobs, run on the server's loop; a restart goes on with those that had not ended."""

    def __init__(self, objects: Objects, files: Files, models: Models, seconds: float) -> None:
        self._objects = objects
        self._files = files
        self._models = models
        self._seconds = seconds
        self._tasks: set[asyncio.Task[None]] = set()

    def resume(self) -> None:
        """Go on with jobs that a restart interrupted."""
        for job in self._objects.all("job"):
            if job["status"] not in _ENDED and job["status"] != "paused":
                self._start(job["id"])

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
        if method.get("type") not in ("supervised", "dpo"):
            raise invalid("method.type is supervised or dpo", "method")
        suffix = body.get("suffix")
        if suffix is not None and (not isinstance(suffix, str) or len(suffix) > 64):
            raise invalid("suffix has up to 64 characters", "suffix")
        now = time.time()
        given = (method.get(method["type"]) or {}).get("hyperparameters") or body.get("hyperparameters") or {}
        hyperparameters = {"n_epochs": "auto", "batch_size": "auto", "learning_rate_multiplier": "auto"} | given
        job = {
            "id": f"ftjob-{secrets.token_hex(12)}",
            "object": "fine_tuning.job",
            "created_at": int(now),
            "error": None,
            "estimated_finish": int(now + self._seconds) + 1,
            "fine_tuned_model": None,
            "finished_at": None,
            "hyperparameters": hyperparameters,
            "integrations": [],
            "metadata": check_metadata(body.get("metadata")),
            "method": {"type": method["type"], method["type"]: {"hyperparameters": hyperparameters}},
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
        self._start(job["id"])
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
        self._start(identity)
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
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _set_aside(self, identity: str, status: str, message: str) -> dict[str, Any]:
        job = self.get(identity)
        if job["status"] in _ENDED:
            raise invalid(f"Job {identity} has already ended: {job['status']}")
        self._event(identity, message)
        return self._change(identity, status=status)

    def _start(self, identity: str) -> None:
        task = asyncio.get_running_loop().create_task(self._run(identity))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

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
        job = self.get(identity)
        try:
            examples = self._examples(job["training_file"], job["method"]["type"])
            held_out = self._examples(job["validation_file"], job["method"]["type"]) if job["validation_file"] else []
        except TrainingFileInvalid as error:
            self._fail(identity, "invalid_training_file", str(error), "training_file")
            return
        for status in ("queued", "running"):
            await asyncio.sleep(self._seconds / 5)
            if self.get(identity)["status"] in (*_ENDED, "paused"):
                return
            self._change(identity, status=status)
            self._event(identity, f"Job is {status}")
        suffix = f":{job['suffix']}" if job["suffix"] else ":"
        base = job["model"] if not job["model"].startswith("ft:") else job["model"].split(":")[1]
        name = f"ft:{base}:local{suffix}:{secrets.token_hex(4)}"
        student = self._models.student(job["model"])
        for number in range(1, CHECKPOINTS + 1):
            some = examples[: max(1, len(examples) * number // CHECKPOINTS)]
            student = await asyncio.to_thread(_learn, self._models.student(job["model"]), some, job["method"]["type"])
            metrics = await asyncio.to_thread(_metrics, student, examples, held_out, len(some))
            self._event(identity, f"Step {len(some)}/{len(examples)}: training loss={metrics['train_loss']}", metrics)
            step_name = name if number == CHECKPOINTS else f"{name}:ckpt-step-{len(some)}"
            self._checkpoint(identity, step_name, metrics)
            self._models.add(step_name, student)
            await asyncio.sleep(self._seconds / 5)
            if self.get(identity)["status"] in (*_ENDED, "paused"):
                return
        tokens = sum(count_tokens(text) for example in examples for text in example)
        self._event(identity, f"New fine-tuned model created: {name}")
        self._event(identity, "The job has successfully completed")
        now = int(time.time())
        self._change(
            identity,
            status="succeeded",
            fine_tuned_model=name,
            finished_at=now,
            trained_tokens=tokens,
            estimated_finish=None,
        )

    def _checkpoint(self, job: str, model: str, metrics: dict[str, Any]) -> None:
        now = time.time()
        content = {
            "id": f"ftckpt_{secrets.token_hex(12)}",
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

    def _examples(self, file: str, method: str) -> list[tuple[str, ...]]:
        """(request, answer) of a supervised file, (request, preferred, non-preferred) of a DPO file."""
        lines = [line for line in self._files.content(file).split(b"\n") if line.strip()]
        if len(lines) < LEAST_EXAMPLES:
            raise TrainingFileInvalid(
                f"Training file has {len(lines)} example(s), but must have at least {LEAST_EXAMPLES}"
            )
        return [_example(line, number, method) for number, line in enumerate(lines, start=1)]


def _example(line: bytes, number: int, method: str) -> tuple[str, ...]:
    try:
        content = orjson.loads(line)
        if method == "dpo":
            wanted, unwanted = (content[k][-1]["content"] for k in ("preferred_output", "non_preferred_output"))
            return _last_user(content["input"]["messages"]), str(wanted), str(unwanted)
        messages = content["messages"]
        if messages[-1]["role"] != "assistant":
            raise TrainingFileInvalid(f"Line {number}: the last message must be from the assistant")
        return _last_user(messages), content_text(messages[-1]["content"])
    except (orjson.JSONDecodeError, KeyError, IndexError, TypeError) as error:
        shape = "input, preferred_output and non_preferred_output" if method == "dpo" else "messages"
        raise TrainingFileInvalid(
            f"Line {number} is no object with {shape} ({type(error).__name__}: {error})"
        ) from None


def _last_user(messages: list[dict[str, Any]]) -> str:
    return next((content_text(m["content"]) for m in reversed(messages) if m["role"] == "user"), "")


def _learn(student: Student, examples: list[tuple[str, ...]], method: str) -> Student:
    if method == "dpo":
        return Student.train_dpo(student, [(e[0], e[1], e[2]) for e in examples])
    return Student.train([(e[0], e[1]) for e in examples])


def _metrics(
    student: Student, examples: list[tuple[str, ...]], held_out: list[tuple[str, ...]], step: int
) -> dict[str, Any]:
    """Measured on the student: mean edit distance and share of right tokens, on at most 100 of all examples."""
    pairs = [(e[0], e[1]) for e in examples[:: max(1, len(examples) // 100)]]
    metrics: dict[str, Any] = {
        "step": step,
        "train_loss": round(student.loss(pairs), 4),
        "train_mean_token_accuracy": round(student.token_accuracy(pairs), 4),
    }
    if held_out:
        valid = [(e[0], e[1]) for e in held_out[:100]]
        metrics["valid_loss"] = round(student.loss(valid), 4)
        metrics["valid_mean_token_accuracy"] = round(student.token_accuracy(valid), 4)
    return metrics
