"""The trainer's models: a base model and the models tuned from it."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from distilltest.server.errors import ApiError, invalid
from distilltest.server.interface import ModelAnswer, TrainingFailed, TrainingJob
from distilltest.server.objects import Objects
from distilltest.trainer import hyperparameters
from distilltest.trainer.adapters import Adapters, adapter_problem
from distilltest.trainer.chat_options import ChatOptions, read_chat_options
from distilltest.trainer.examples import plain
from distilltest.trainer.loading import LoadedBase
from distilltest.trainer.out_of_memory import out_of_memory
from distilltest.trainer.template import TemplateRefused, render, token_ids

DEFAULT_ANSWER = 1024
"""The maximum number of tokens in an answer if the request sets none."""


class TransformersModels:
    """One base model in memory with its adapters. Answers one request at a time, and trains one job at a time."""

    jobs_at_once = 1
    job_seconds: float | None = None
    deaths: int | None = 3

    def __init__(self, objects: Objects, folder: Path, base: LoadedBase) -> None:
        from distilltest.trainer.generation import Generator

        self._objects = objects
        self._folder = folder / "adapters"
        self._folder.mkdir(parents=True, exist_ok=True)
        if base.chat_template is not None:
            (folder / "chat_template.jinja").write_text(base.chat_template)  # for the server that serves the adapters
        self._base = base
        self._born = int(time.time())
        self._closing = threading.Event()
        self._adapters = Adapters(base.model)
        self._generator = Generator(base.tokenizer, base.end_ids, self._closing.is_set)
        self._pool = ThreadPoolExecutor(1, "distilltest-answers")

    def all(self) -> list[dict[str, Any]]:
        """The base model and the models tuned from it. Models tuned from other base models are kept, but not served."""
        tuned = [model for model in self._objects.all("model") if model.get("root") == self._base.name]
        return [_model(self._base.name, self._born, self._base.name), *tuned]

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
        """Answer a chat request in a thread, in order of arrival.

        Raises:
            ApiError: The model does not exist, or the request is invalid.
        """
        folder = self._adapter(identity)
        options = read_chat_options(body, count)
        said = [{"role": m["role"], "content": _text(m, number)} for number, m in enumerate(messages)]
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._answer, folder, said, options)

    def embeddings(self, body: dict[str, Any]) -> dict[str, Any]:
        """Refuse the request.

        Raises:
            ApiError: 404, because the trainer has no embeddings.
        """
        raise ApiError(404, "This server has no embeddings: it trains and serves one language model.")

    def accept(self, identity: str, method: str, given: Any) -> dict[str, Any]:
        """Check a new job. Every served model can be tuned.

        Raises:
            ApiError: A hyperparameter is invalid.
        """
        return hyperparameters.read(method, given)

    def prepare(self, job: dict[str, Any], training: bytes, validation: bytes | None) -> TrainingJob:
        """Read a job's files.

        Raises:
            TrainingFailed: A file is invalid, or the model to tune is gone.
        """
        from distilltest.trainer.preference import PreferenceTraining
        from distilltest.trainer.supervised import SupervisedTraining

        try:
            start = self._adapter(job["model"])
        except ApiError as error:
            raise TrainingFailed("model_not_found", str(error), "model") from None
        kind = PreferenceTraining if job["method"]["type"] == "dpo" else SupervisedTraining
        return kind.prepare(job, training, validation, self._base, start, self._folder, self._serve)

    def close(self) -> None:
        """Stop generating answers."""
        self._closing.set()
        self._pool.shutdown(cancel_futures=True)

    def _serve(self, identity: str, adapter: str) -> None:
        now = time.time()
        self._objects.put("model", _model(identity, int(now), self._base.name) | {"adapter": adapter}, now)

    def _adapter(self, identity: str) -> Path | None:
        """The folder of a model's adapter; None for the base model."""
        name: str | None = self.get(identity).get("adapter")
        if name is None:
            return None
        problem = adapter_problem(self._folder / name)
        if problem:
            raise ApiError(404, f"The model `{identity}` is gone: {problem}", code="model_not_found", param="model")
        return self._folder / name

    def _answer(self, folder: Path | None, messages: list[dict[str, Any]], options: ChatOptions) -> ModelAnswer:
        try:
            prompt = token_ids(self._base.tokenizer, render(self._base.tokenizer, messages, ask=True))
        except TemplateRefused as error:
            raise invalid(f"{error}", "messages") from None
        room = self._base.context - len(prompt)
        if room < (options.most or 1):
            raise invalid(
                f"This model's maximum context length is {self._base.context} tokens. The messages take {len(prompt)}, "
                f"which leaves {max(0, room)} for the answer. Shorten them, or ask for fewer.",
                "messages",
                "context_length_exceeded",
            )
        try:
            with self._adapters.using(folder) as model:
                answer = self._generator.answer(model, prompt, options, options.most or min(room, DEFAULT_ANSWER))
        except Exception as error:
            if out_of_memory(error):
                raise invalid(
                    f"There is not enough memory on {self._base.device} to answer. Ask for fewer tokens or choices, or "
                    "send fewer messages.",
                    "messages",
                    "out_of_memory",
                ) from None
            raise
        if self._closing.is_set():
            raise ApiError(503, "The server is stopping.", kind="server_error")
        return answer


def _text(message: dict[str, Any], number: int) -> str:
    content = message.get("content")
    if isinstance(content, list) and all(isinstance(part, dict) and part.get("type") == "text" for part in content):
        content = plain(content)
    if not isinstance(content, str):
        raise invalid(f"messages[{number}].content must be text: this server supports only text", "messages")
    return content


def _model(identity: str, created: int, root: str) -> dict[str, Any]:
    return {
        "id": identity,
        "object": "model",
        "created": created,
        "owned_by": "distilltest",
        "shutdown_date": None,
        "root": root,
    }
