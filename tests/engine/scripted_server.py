"""A chat server over real HTTP that does what a script says, and counts what it sees."""

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self


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


class ScriptedServer:
    """Calls ``script(number of the call from 1, body)`` for each request."""

    def __init__(self, script: Callable[[int, dict[str, Any]], Reply] = lambda _number, _body: Reply()) -> None:
        self.script = script
        self.calls: list[dict[str, Any]] = []
        self.times: list[float] = []
        self.in_flight = 0
        self.most_in_flight = 0
        self._lock = threading.Lock()
        owner = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
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
                if reply.drop:
                    self.close_connection = True
                    self.connection.close()
                    return
                data = reply.body if reply.body is not None else json.dumps(answer(body, reply)).encode()
                try:
                    self.send_response(reply.status)
                    for name, value in {"Content-Type": "application/json", **reply.headers}.items():
                        self.send_header(name, value)
                    self.send_header("Content-Length", str(len(data) + (100 if reply.cut else 0)))
                    self.end_headers()
                    self.wfile.write(data)
                except OSError:  # the client has gone
                    self.close_connection = True
                self.close_connection = self.close_connection or reply.cut

            def log_message(self, *_: Any) -> None:
                pass

            def handle(self) -> None:
                try:
                    super().handle()
                except (OSError, ValueError):  # the connection was dropped on purpose
                    return

            def finish(self) -> None:
                try:
                    super().finish()
                except (OSError, ValueError):
                    return

        class Server(ThreadingHTTPServer):
            request_queue_size = 256
            daemon_threads = True

        self._server = Server(("127.0.0.1", 0), Handler)
        self.base_url = f"http://127.0.0.1:{self._server.server_port}/v1"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


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
