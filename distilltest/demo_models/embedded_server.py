"""The embedded server: the local server with the demo's models."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

from distilltest.demo_models.models import JOB_SECONDS, EmbeddedModels
from distilltest.server.app import LocalServer


class EmbeddedServer(LocalServer):
    """The local server with the demo's teacher and student."""

    @classmethod
    def start(cls, folder: Path, port: int = 0, *, job_seconds: float = JOB_SECONDS, **options: Any) -> Self:
        """Start the server; see :meth:`LocalServer.start`.

        Args:
            folder: Where the server keeps files, jobs, tuned models and stored completions.
            port: A loopback port; 0 picks a free one.
            job_seconds: The minimum duration of a fine-tuning job.
            options: Other options of :func:`distilltest.server.app.create_app`.

        Raises:
            OSError: The port is taken.
        """
        return super().start(folder, port, models_of=lambda objects: EmbeddedModels(objects, job_seconds), **options)
