"""What stands behind the server: models that answer, and learn in jobs. The server knows nothing else of them."""

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
    """All answers to a request, and what they took."""

    choices: tuple[Choice, ...]
    prompt_tokens: int
    completion_tokens: int


class Stopped(Exception):
    """The job was cancelled or paused, or the server stops."""


class TrainingFailed(Exception):
    """A job that ends without a model; the message says why, and what to do."""

    def __init__(self, code: str, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.param = param
        """The field of the job that is to blame, None where none is."""


@dataclass(frozen=True)
class JobControl:
    """What a training tells while it works, and how it learns that it shall stop. Safe to use in any thread."""

    event: Callable[..., bool]
    """Tell something: the message, and as ``data`` the metrics. Whether it is news: what was told before a restart is not."""
    checkpoint: Callable[[str, dict[str, Any]], None]
    """List a model on the way: its id, and its metrics with their ``step``."""
    _stop: threading.Event = field(default_factory=threading.Event)

    def stop(self) -> None:
        """Let the training stop as soon as it looks."""
        self._stop.set()

    @property
    def stopped(self) -> bool:
        """Whether it shall stop."""
        return self._stop.is_set()

    def check(self) -> None:
        """Go on.

        Raises:
            Stopped: It shall stop.
        """
        if self._stop.is_set():
            raise Stopped

    def wait(self, seconds: float) -> None:
        """Let time pass.

        Raises:
            Stopped: It shall stop.
        """
        if self._stop.wait(seconds):
            raise Stopped


class TrainingJob(Protocol):
    """A job whose files have been read and found fit."""

    @property
    def hyperparameters(self) -> dict[str, Any]:
        """As the job shows them, with the values that stand for ``auto``."""

    def run(self, name: str, control: JobControl) -> int:
        """Train, in a thread of its own, and serve the result under a name.

        Returns:
            How many tokens were learned from.

        Raises:
            Stopped: It was told to stop.
            TrainingFailed: There is no result.
        """


class ServedModels(Protocol):
    """The models behind a server."""

    jobs_at_once: int
    """How many jobs are trained at the same time; the others are queued."""
    job_seconds: float | None
    """How long a job takes, a fifth of it before it runs; None where nobody knows."""
    deaths: int | None
    """How many times a job may be running when the server dies, where it may be what kills the server."""

    def all(self) -> list[dict[str, Any]]:
        """As ``GET /models`` shows them."""

    def get(self, identity: str) -> dict[str, Any]:
        """One of them.

        Raises:
            ApiError: 404 ``model_not_found``.
        """

    async def answer(
        self, identity: str, body: dict[str, Any], messages: list[dict[str, Any]], count: int
    ) -> ModelAnswer:
        """Answer a chat request ``count`` times; each of its messages is an object with a known role.

        Raises:
            ApiError: There is no such model, or the body asks for what it cannot do.
        """

    def embeddings(self, body: dict[str, Any]) -> dict[str, Any]:
        """Answer ``POST /embeddings``.

        Raises:
            ApiError: The body is wrong, or there are none here.
        """

    def accept(self, identity: str, method: str, given: Any) -> dict[str, Any]:
        """The hyperparameters of a job that can begin, with ``auto`` for what is not given.

        Raises:
            ApiError: The model cannot be tuned, or a hyperparameter is wrong.
        """

    def prepare(self, job: dict[str, Any], training: bytes, validation: bytes | None) -> TrainingJob:
        """Read a job's files, in a thread of its own.

        Raises:
            TrainingFailed: A file cannot be learned from; the message names the line.
        """

    def close(self) -> None:
        """Let go of everything."""
