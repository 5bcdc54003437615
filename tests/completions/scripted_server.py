"""A chat server over real HTTP that does what a script says, and counts what it sees."""

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from http_server import Handler, HttpServer


@dataclass
class Reply:
    """One response."""

    status: int = 200
    text: str = "fine"
    body: bytes | None = None
    """Instead of a chat completion."""
    headers: dict[str, str] = field(default_factory=dict)
    code: str | None = None
    """Of an error."""
    delay: float = 0.0
    drop: bool = False
    """Close the connection without an answer."""
    cut: bool = False
    """Promise more bytes than are sent."""


class ScriptedServer(HttpServer):
    """Calls ``script(number of the call from 1, body)`` for each request."""

    def __init__(self, script: Callable[[int, dict[str, Any]], Reply] = lambda _number, _body: Reply()) -> None:
        self.script = script
        self.calls: list[dict[str, Any]] = []
        self.times: list[float] = []
        self.in_flight = 0
        self.most_in_flight = 0
        self._lock = threading.Lock()
        owner = self

        class Scripted(Handler):
            def do_POST(self) -> None:
                body = json.loads(self.body())
                with owner._lock:
                    owner.calls.append(body)
                    owner.times.append(time.monotonic())
                    number = len(owner.calls)
                    owner.in_flight += 1
                    owner.most_in_flight = max(owner.most_in_flight, owner.in_flight)
                reply = owner.script(number, body)
                time.sleep(reply.delay)
                with owner._lock:
                    owner.in_flight -= 1
                self.close_connection = self.close_connection or reply.drop or reply.cut
                if reply.drop:
                    self.connection.close()
                    return
                data = reply.body if reply.body is not None else json.dumps(answer(body, reply)).encode()
                self.say(reply.status, data, reply.headers, len(data) + (100 if reply.cut else 0))

        super().__init__(Scripted)


def answer(body: dict[str, Any], reply: Reply) -> dict[str, Any]:
    if reply.status >= 400:
        return {"error": {"message": f"status {reply.status}", "type": "error", "code": reply.code}}
    message = {"role": "assistant", "content": reply.text}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": body["model"],
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1000, "completion_tokens": 1000, "total_tokens": 2000},
    }
