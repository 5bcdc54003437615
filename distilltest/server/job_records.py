"""What is kept of fine-tuning jobs: the jobs, their events, their checkpoints."""

from __future__ import annotations

import secrets
import time
from typing import Any

from distilltest.server.errors import not_found
from distilltest.server.interface import TrainingFailed
from distilltest.server.objects import Objects

ACTIVE = ("validating_files", "queued", "running")
"""States of a job that is worked on; the others are paused, succeeded, failed and cancelled."""


class JobRecords:
    """Jobs by id. Safe to use in any thread, and beside another server on the folder."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    def add(self, job: dict[str, Any], now: float) -> None:
        """Keep a new job."""
        self._objects.put("job", job, now)

    def all(self) -> list[dict[str, Any]]:
        """Jobs, the oldest first."""
        return self._objects.all("job")

    def get(self, identity: str) -> dict[str, Any]:
        """One job.

        Raises:
            ApiError: 404.
        """
        found = self._objects.get("job", identity)
        if found is None:
            raise not_found("fine-tuning job", identity)
        return found

    def change(self, identity: str, states: tuple[str, ...], **values: Any) -> dict[str, Any] | None:
        """Change a job while it is in one of these states; None where it is not, whoever put it into another one."""

        def changed(job: dict[str, Any]) -> dict[str, Any] | None:
            return {**job, **values} if job["status"] in states else None

        return self._objects.change("job", identity, changed)

    def fail(self, identity: str, failure: TrainingFailed) -> None:
        """End a job without a model."""
        self.event(identity, f"The job failed: {failure}", level="error")
        error = {"code": failure.code, "message": str(failure), "param": failure.param}
        ended = int(time.time())
        self.change(identity, ACTIVE, status="failed", error=error, finished_at=ended, estimated_finish=None)

    def events(self, identity: str) -> list[dict[str, Any]]:
        """What happened to a job, the oldest first."""
        return self._objects.all("event", identity)

    def event(self, job: str, message: str, data: dict[str, Any] | None = None, level: str = "info") -> None:
        """Keep what happened."""
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
        """The models on the way, the oldest first."""
        return self._objects.all("checkpoint", identity)

    def checkpoint(self, job: str, model: str, metrics: dict[str, Any]) -> None:
        """Keep a model on the way, in the place of one of the same step."""
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
        """Remember that a server left off a job because it was stopped."""
        self._objects.put("stopped", {"id": identity}, time.time())

    def was_interrupted(self, identity: str) -> bool:
        """Whether a server that was stopped left off a job, and did not die; it is told once."""
        return self._objects.delete("stopped", identity)
