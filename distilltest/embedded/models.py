"""The server's models by id: the teacher, the student, and what jobs have tuned."""

from __future__ import annotations

import time
from functools import lru_cache
from typing import Any

import orjson

from distilltest.embedded import rulebook
from distilltest.embedded.errors import ApiError
from distilltest.embedded.objects import Objects
from distilltest.embedded.student import Student

TEACHER = "embedded-teacher"
STUDENT = "embedded-student"
_BORN = 1_760_000_000
SHUTDOWN_DATES = "shutdown_dates.json"
"""In the server's folder: model id → the ``shutdown_date`` that ``GET /models`` shows. Without the file, no model ends."""


class Models:
    """Answers by model id."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._untrained = Student.untrained()
        self._tuned = lru_cache(maxsize=16)(self._load)

    def all(self) -> list[dict[str, Any]]:
        """As ``GET /models`` shows them."""
        known = [_model(TEACHER, _BORN), _model(STUDENT, _BORN), *self._objects.all("model")]
        ends = self._shutdown_dates()
        return [{**model, "shutdown_date": ends.get(model["id"])} for model in known]

    def get(self, identity: str) -> dict[str, Any]:
        """One of them.

        Raises:
            ApiError: 404 ``model_not_found``.
        """
        for model in self.all():
            if model["id"] == identity:
                return model
        raise ApiError(404, f"The model `{identity}` does not exist", code="model_not_found", param="model")

    def answer(self, identity: str, request: str) -> str:
        """What a model says to a request.

        Raises:
            ApiError: 404 ``model_not_found``.
        """
        if identity == TEACHER:
            return rulebook.answer(request)
        return self.student(identity).answer(request)

    def student(self, identity: str) -> Student:
        """The student behind an id."""
        return self._untrained if identity == STUDENT else self._tuned(identity)

    def add(self, identity: str, student: Student) -> None:
        """Serve a tuned student."""
        now = time.time()
        self._objects.put("model", _model(identity, int(now)), now, data=orjson.dumps(student.to_json()))

    def _shutdown_dates(self) -> dict[str, Any]:
        """Model id → ISO date, from a file that somebody may put into the server's folder."""
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
