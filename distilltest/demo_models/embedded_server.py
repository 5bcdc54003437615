"""The embedded server: the local server with the demo's models behind it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

from distilltest.demo_models.models import JOB_SECONDS, EmbeddedModels
from distilltest.server.app import LocalServer


class EmbeddedServer(LocalServer):
    """The local server with the demo's teacher and student behind it."""

    @classmethod
    def start(cls, folder: Path, port: int = 0, *, job_seconds: float = JOB_SECONDS, **options: Any) -> Self:
        """Start serving; see :meth:`LocalServer.start`.

        Args:
            folder: Where files, jobs, tuned models and stored completions are kept.
            port: A loopback port; 0 takes a free one.
            job_seconds: How long a fine-tuning job takes at least.
            options: Further options of :func:`distilltest.server.app.create_app`.

        Raises:
            OSError: The port is taken.
        """
        return super().start(folder, port, models_of=lambda objects: EmbeddedModels(objects, job_seconds), **options)
