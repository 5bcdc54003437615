"""The interface between the server and its models, which answer requests and learn in jobs."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

METHODS = ("supervised", "dpo")


@dataclass(frozen=True, slots=True)
class Choice:
    """One answer to a request."""

    text: str
    finish_reason: str
    """``stop`` or ``length``."""


@dataclass(frozen=True, slots=True)
class ModelAnswer:
    """All answers to a request, and their token counts."""

    choices: tuple[Choice, ...]
    prompt_tokens: int
    completion_tokens: int


class Stopped(Exception):
    """The job was cancelled or paused, or the server is stopping."""


class TrainingFailed(Exception):
    """The job failed; the message says why, and what to do."""

    def __init__(self, code: str, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.param = param
        """The field of the job that caused the failure, or None."""


@dataclass(frozen=True)
class JobControl:
    """Through this a training reports its progress, and learns that it has to stop. Thread-safe."""

    event: Callable[..., bool]
    """Add an event: a message, and metrics as ``data``. Returns False if the event was already added before a restart."""
    checkpoint: Callable[[str, dict[str, Any]], None]
    """Add a checkpoint: the model's id, and its metrics with their ``step``."""
    _stop: threading.Event = field(default_factory=threading.Event)

    def stop(self) -> None:
        """Ask the training to stop at its next check."""
        self._stop.set()

    @property
    def stopped(self) -> bool:
        """Whether the training has to stop."""
        return self._stop.is_set()

    def check(self) -> None:
        """Return if the training may continue.

        Raises:
            Stopped: The training has to stop.
        """
        if self._stop.is_set():
            raise Stopped

    def wait(self, seconds: float) -> None:
        """Sleep.

        Raises:
            Stopped: The training has to stop.
        """
        if self._stop.wait(seconds):
            raise Stopped


class TrainingJob(Protocol):
    """A job whose files have been read and are valid."""

    @property
    def hyperparameters(self) -> dict[str, Any]:
        """The values to show in the job, with ``auto`` resolved."""

    def run(self, name: str, control: JobControl) -> int:
        """Train in a separate thread, and serve the result under this name.

        Returns:
            The number of trained tokens.

        Raises:
            Stopped: The training had to stop.
            TrainingFailed: The training failed.
        """


class ServedModels(Protocol):
    """The models behind a server."""

    jobs_at_once: int
    """How many jobs run at the same time; the others are queued."""
    job_seconds: float | None
    """The expected duration of a job, a fifth of it before it runs; None if unknown."""
    deaths: int | None
    """The number of server crashes during a job after which the job fails, because it may cause them; None for no limit."""

    def all(self) -> list[dict[str, Any]]:
        """All models, as ``GET /models`` shows them."""

    def get(self, identity: str) -> dict[str, Any]:
        """One model.

        Raises:
            ApiError: 404 ``model_not_found``.
        """

    async def answer(
        self, identity: str, body: dict[str, Any], messages: list[dict[str, Any]], count: int
    ) -> ModelAnswer:
        """Answer a chat request ``count`` times. Each message is an object with a known role.

        Raises:
            ApiError: The model does not exist, or does not support what the body asks for.
        """

    def embeddings(self, body: dict[str, Any]) -> dict[str, Any]:
        """Answer ``POST /embeddings``.

        Raises:
            ApiError: The body is invalid, or these models have no embeddings.
        """

    def accept(self, identity: str, method: str, given: Any) -> dict[str, Any]:
        """Check a new job, and return its hyperparameters, with ``auto`` for those not given.

        Raises:
            ApiError: The model cannot be tuned, or a hyperparameter is invalid.
        """

    def prepare(self, job: dict[str, Any], training: bytes, validation: bytes | None) -> TrainingJob:
        """Read a job's files in a separate thread.

        Raises:
            TrainingFailed: A file is invalid; the message names the line.
        """

    def close(self) -> None:
        """Release all resources."""
