"""The records of fine-tuning jobs: jobs, events and checkpoints."""

from __future__ import annotations

import secrets
import time
from typing import Any

from distilltest.server.errors import not_found
from distilltest.server.interface import TrainingFailed
from distilltest.server.objects import Objects

ACTIVE = ("validating_files", "queued", "running")
"""The states of an active job; the others are paused, succeeded, failed and cancelled."""


class JobRecords:
    """Jobs by id. Thread-safe, and safe if another server uses the same folder."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    def add(self, job: dict[str, Any], now: float) -> None:
        """Add a job."""
        self._objects.put("job", job, now)

    def all(self) -> list[dict[str, Any]]:
        """All jobs, oldest first."""
        return self._objects.all("job")

    def get(self, identity: str) -> dict[str, Any]:
        """One job.

        Raises:
            ApiError: 404 if there is no such job.
        """
        found = self._objects.get("job", identity)
        if found is None:
            raise not_found("fine-tuning job", identity)
        return found

    def change(self, identity: str, states: tuple[str, ...], **values: Any) -> dict[str, Any] | None:
        """Change a job if it is in one of these states; return None if it is not, even if another server has changed it."""

        def changed(job: dict[str, Any]) -> dict[str, Any] | None:
            return {**job, **values} if job["status"] in states else None

        return self._objects.change("job", identity, changed)

    def fail(self, identity: str, failure: TrainingFailed) -> None:
        """Mark a job as failed."""
        self.event(identity, f"The job failed: {failure}", level="error")
        error = {"code": failure.code, "message": str(failure), "param": failure.param}
        ended = int(time.time())
        self.change(identity, ACTIVE, status="failed", error=error, finished_at=ended, estimated_finish=None)

    def events(self, identity: str) -> list[dict[str, Any]]:
        """A job's events, oldest first."""
        return self._objects.all("event", identity)

    def event(self, job: str, message: str, data: dict[str, Any] | None = None, level: str = "info") -> None:
        """Add an event."""
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

    def checkpoints(self, identity: str) -> list[dict[str, Any]]:
        """A job's checkpoints, oldest first."""
        return self._objects.all("checkpoint", identity)

    def checkpoint(self, job: str, model: str, metrics: dict[str, Any]) -> None:
        """Add a checkpoint; it replaces one of the same step."""
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

    def interrupted(self, identity: str) -> None:
        """Record that a server was stopped, and not killed, while the job was running."""
        self._objects.put("stopped", {"id": identity}, time.time())

    def was_interrupted(self, identity: str) -> bool:
        """Whether :meth:`interrupted` was recorded; the record is removed."""
        return self._objects.delete("stopped", identity)
