"""The embedded models by id: the teacher, the student and the tuned students."""

from __future__ import annotations

import time
from functools import lru_cache
from typing import Any

import orjson

from distilltest.demo_models import rulebook
from distilltest.demo_models.embeddings import embeddings
from distilltest.demo_models.student import Student
from distilltest.demo_models.tokens import count_tokens, first_tokens
from distilltest.demo_models.training_job import StudentTraining, read_file
from distilltest.demo_models.training_steps import hyperparameters
from distilltest.server.chat import content_text
from distilltest.server.errors import ApiError, invalid
from distilltest.server.interface import Choice, ModelAnswer
from distilltest.server.objects import Objects

TEACHER = "embedded-teacher"
STUDENT = "embedded-student"
JOB_SECONDS = 1.5
"""How long a job takes beyond the training itself."""
_BORN = 1_760_000_000
SHUTDOWN_DATES = "shutdown_dates.json"
"""A file in the server's folder: model id → the ``shutdown_date`` that ``GET /models`` shows. By default, models have none."""


class EmbeddedModels:
    """The rule book and the students."""

    jobs_at_once = 16
    deaths: int | None = None

    def __init__(self, objects: Objects, job_seconds: float = JOB_SECONDS) -> None:
        self._objects = objects
        self.job_seconds: float | None = job_seconds
        self._untrained = Student.untrained()
        self._tuned = lru_cache(maxsize=16)(self._load)

    def all(self) -> list[dict[str, Any]]:
        """All models, as ``GET /models`` shows them."""
        known = [_model(TEACHER, _BORN), _model(STUDENT, _BORN), *self._objects.all("model")]
        ends = self._shutdown_dates()
        return [{**model, "shutdown_date": ends.get(model["id"])} for model in known]

    def get(self, identity: str) -> dict[str, Any]:
        """One model.

        Raises:
            ApiError: 404 ``model_not_found``.
        """
        for model in self.all():
            if model["id"] == identity:
                return model
        raise ApiError(404, f"The model `{identity}` does not exist", code="model_not_found", param="model")

    async def answer(
        self, identity: str, body: dict[str, Any], messages: list[dict[str, Any]], count: int
    ) -> ModelAnswer:
        """Answer a chat request. Answers are deterministic, so all choices are equal.

        Raises:
            ApiError: 404 ``model_not_found``.
        """
        request = _user_text(messages)
        text = rulebook.answer(request) if identity == TEACHER else self.student(identity).answer(request)
        text, reason = _shape(text, body)
        prompt_tokens = sum(count_tokens(content_text(m.get("content"))) + 3 for m in messages)
        return ModelAnswer((Choice(text, reason),) * count, prompt_tokens, count_tokens(text) * count)

    def embeddings(self, body: dict[str, Any]) -> dict[str, Any]:
        """Answer ``POST /embeddings`` with hashed trigrams."""
        return embeddings(body)

    def accept(self, identity: str, method: str, given: Any) -> dict[str, Any]:
        """Check a new job: only the student can be tuned.

        Raises:
            ApiError: 403 ``training_not_available``, or 400 for an invalid hyperparameter.
        """
        if identity != STUDENT and not identity.startswith("ft:"):
            raise ApiError(
                403, f"Fine-tuning is not available for {identity}", code="training_not_available", param="model"
            )
        return hyperparameters(method, given)

    def prepare(self, job: dict[str, Any], training: bytes, validation: bytes | None) -> StudentTraining:
        """Read a job's files.

        Raises:
            TrainingFailed: A file is invalid.
        """
        method = job["method"]["type"]
        return StudentTraining(
            self.student(job["model"]),
            method,
            job["method"][method]["hyperparameters"],
            read_file(training, method, "training_file"),
            [] if validation is None else read_file(validation, method, "validation_file"),
            self.job_seconds or 0.0,
            self.add,
        )

    def close(self) -> None:
        """Do nothing: there are no resources to release."""

    def student(self, identity: str) -> Student:
        """The student with this id."""
        return self._untrained if identity == STUDENT else self._tuned(identity)

    def add(self, identity: str, student: Student) -> None:
        """Store and serve a tuned student."""
        now = time.time()
        self._objects.put("model", _model(identity, int(now)), now, data=orjson.dumps(student.to_json()))

    def _shutdown_dates(self) -> dict[str, Any]:
        """Model id → ISO date, from an optional file in the server's folder."""
        try:
            dates = orjson.loads((self._objects.folder / SHUTDOWN_DATES).read_bytes())
        except (OSError, orjson.JSONDecodeError):
            return {}
        return dates if isinstance(dates, dict) else {}

    def _load(self, identity: str) -> Student:
        weights = self._objects.data("model", identity)
        if weights is None:
            raise ApiError(404, f"The model `{identity}` does not exist", code="model_not_found", param="model")
        return Student.from_json(orjson.loads(weights))


def _model(identity: str, created: int) -> dict[str, Any]:
    return {"id": identity, "object": "model", "created": created, "owned_by": "distilltest", "shutdown_date": None}


def _user_text(messages: list[dict[str, Any]]) -> str:
    """The text of the last user message."""
    for message in reversed(messages):
        if message["role"] == "user":
            return content_text(message.get("content"))
    return ""


def _shape(text: str, body: dict[str, Any]) -> tuple[str, str]:
    """Apply ``response_format`` and the token limit; return the text and the finish reason."""
    wanted = body.get("response_format") or {"type": "text"}
    kind = wanted.get("type") if isinstance(wanted, dict) else None
    if kind == "json_object":
        text = orjson.dumps({"answer": text}).decode()
    elif kind == "json_schema":
        text = orjson.dumps(_fill((wanted.get("json_schema") or {}).get("schema") or {}, text)).decode()
    elif kind != "text":
        raise invalid("response_format.type is text, json_object or json_schema", "response_format")
    limit = body.get("max_completion_tokens") or body.get("max_tokens")
    if isinstance(limit, int) and count_tokens(text) > limit:
        return first_tokens(text, limit), "length"
    return text, "stop"


def _fill(schema: dict[str, Any], text: str) -> Any:
    """A simple value that matches the schema, with the answer in its strings."""
    if "enum" in schema:
        return schema["enum"][0]
    kind = schema.get("type")
    if kind == "object":
        return {name: _fill(part, text) for name, part in schema.get("properties", {}).items()}
    plain: dict[Any, Any] = {"array": [], "number": 0, "integer": 0, "boolean": False, "null": None}
    return plain.get(kind, text)
