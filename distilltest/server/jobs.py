"""The requests about fine-tuning jobs."""

from __future__ import annotations

import secrets
import time
from typing import Any

from distilltest.server.chat import check_metadata
from distilltest.server.errors import invalid
from distilltest.server.files import Files
from distilltest.server.interface import METHODS, ServedModels
from distilltest.server.job_records import ACTIVE, JobRecords
from distilltest.server.objects import page
from distilltest.server.worker import JobWorker


class Jobs:
    """Creates, lists and changes jobs; a worker runs them."""

    def __init__(self, records: JobRecords, files: Files, models: ServedModels, worker: JobWorker) -> None:
        self._records = records
        self._files = files
        self._models = models
        self._worker = worker

    def create(self, body: dict[str, Any]) -> dict[str, Any]:
        """Create a job."""
        model = body.get("model")
        if not isinstance(model, str):
            raise invalid("you must provide a model parameter", "model")
        self._models.get(model)
        method = body.get("method") or {"type": "supervised"}
        if not isinstance(method, dict) or method.get("type") not in METHODS:
            raise invalid("method.type is supervised or dpo", "method")
        given = (method.get(method["type"]) or {}).get("hyperparameters") or body.get("hyperparameters")
        values = self._models.accept(model, method["type"], given)
        for name in ("training_file", "validation_file"):
            if body.get(name) is not None or name == "training_file":
                self._files.get(str(body.get(name)))
        suffix = body.get("suffix")
        if suffix is not None and (not isinstance(suffix, str) or len(suffix) > 64):
            raise invalid("suffix has up to 64 characters", "suffix")
        seed = body.get("seed")
        if seed is not None and (not isinstance(seed, int) or not 0 <= seed < 2**32):
            raise invalid("seed is a whole number from 0 to 2^32 - 1", "seed")
        now = time.time()
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
        self._records.add(job, now)
        self._records.event(job["id"], f"Created fine-tuning job: {job['id']}")
        self._worker.wake()
        return job

    def list_all(self, query: dict[str, str]) -> dict[str, Any]:
        """The jobs, newest first."""
        wanted = {k[9:-1]: v for k, v in query.items() if k.startswith("metadata[") and k.endswith("]")}
        found = [j for j in self._records.all() if all(j["metadata"].get(k) == v for k, v in wanted.items())]
        return page(found, query, newest_first=True)

    def get(self, identity: str) -> dict[str, Any]:
        """One job."""
        return self._records.get(identity)

    def cancel(self, identity: str) -> dict[str, Any]:
        """Cancel a job that has not ended."""
        return self._set_aside(identity, "cancelled", "The job was cancelled")

    def pause(self, identity: str) -> dict[str, Any]:
        """Pause a job."""
        return self._set_aside(identity, "paused", "The job was paused")

    def resume(self, identity: str) -> dict[str, Any]:
        """Resume a paused job."""
        status = self.get(identity)["status"]
        job = self._records.change(identity, ("paused",), status="queued")
        if job is None:
            raise invalid(f"Job {identity} is {status}, not paused")
        self._worker.wake()
        return job

    def events(self, identity: str, query: dict[str, str]) -> dict[str, Any]:
        """A job's events, newest first."""
        self.get(identity)
        return page(self._records.events(identity), query, newest_first=True)

    def checkpoints(self, identity: str, query: dict[str, str]) -> dict[str, Any]:
        """A job's checkpoints, newest first."""
        self.get(identity)
        return page(self._records.checkpoints(identity), query, newest_first=True)

    def _set_aside(self, identity: str, status: str, message: str) -> dict[str, Any]:
        """Change the state before adding the event: the job may have ended meanwhile."""
        before = self.get(identity)["status"]
        job = self._records.change(identity, (*ACTIVE, "paused"), status=status)
        if job is None:
            raise invalid(f"Job {identity} has already ended: {before}")
        self._worker.stop(identity)
        self._records.event(identity, message)
        return job
