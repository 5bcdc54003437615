"""A chat server over real HTTP whose models are right on as many cases as a test says."""

import json
import re
from collections import Counter
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

from http_server import Handler, HttpServer

Reply = Callable[[str, int], tuple[int, Any]]
"""(model, number in the question) → HTTP status and body."""


class AnsweringServer(HttpServer):
    """Answers ``number N`` with ``answer N`` where the model knows it, else with ``no idea``."""

    def __init__(self) -> None:
        self.knows: dict[str, Callable[[int], bool]] = {
            "base": lambda n: n % 10 == 0,
            "teacher": lambda n: n % 40 != 1,
            "candidate": lambda n: n % 40 != 2,
        }
        self.calls: Counter[tuple[str, int]] = Counter()
        self.special: dict[str, Reply] = {}
        self.scripted: dict[str, Callable[[dict[str, Any]], tuple[int, Any]]] = {}
        """Model → what it says to a whole request."""
        self.shutdown_dates: dict[str, Any] | None = None
        """Model → what ``GET /models/ID`` tells; None: there is no such endpoint."""
        owner = self

        class Answering(Handler):
            def do_POST(self) -> None:
                status, answer = owner.answer(json.loads(self.body()))
                self.say(status, answer if isinstance(answer, bytes) else json.dumps(answer).encode())

            def do_GET(self) -> None:
                name = unquote(self.path.rpartition("/v1/models/")[2])
                if owner.shutdown_dates is None or name not in owner.shutdown_dates:
                    self.say(404, b"{}")
                    return
                found = {"id": name, "object": "model", "shutdown_date": owner.shutdown_dates[name]}
                self.say(200, json.dumps(found).encode())

        super().__init__(Answering)

    def answer(self, body: dict[str, Any]) -> tuple[int, Any]:
        model = body["model"]
        if model in self.scripted:
            self.calls[model, len(self.calls)] += 1
            return self.scripted[model](body)
        match = re.search(r"number (\d+)", body["messages"][-1]["content"])
        number = int(match[1]) if match else -1
        self.calls[model, number] += 1
        if model in self.special:
            return self.special[model](model, number)
        if model not in self.knows:
            return 404, {"error": {"message": f"The model `{model}` does not exist", "code": "model_not_found"}}
        return 200, chat_answer(model, f"answer {number}" if self.knows[model](number) else "no idea")


def chat_answer(model: str, text: str) -> dict[str, Any]:
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": model,
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10},
    }
