"""The base of the tests' servers: HTTP over a real socket, one thread per connection, each response in one write."""

import sys
import threading
from collections.abc import Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self


class Handler(BaseHTTPRequestHandler):
    """Reads requests, and responds with :meth:`say`. Responses to clients that have disconnected are dropped."""

    protocol_version = "HTTP/1.1"

    def parse_request(self) -> bool:
        """Read the request line and the headers. This is much faster than the standard library's e-mail parser."""
        self.requestline = self.raw_requestline.decode("latin-1").rstrip("\r\n")
        words = self.requestline.split(" ")
        if len(words) != 3 or not words[2].startswith("HTTP/1."):  # not HTTP, for example the start of TLS
            self.close_connection = True
            self.say(400, b"")
            return False
        self.command, self.path, self.request_version = words
        headers = {}
        while line := self.rfile.readline().decode("latin-1").strip():
            name, _, value = line.partition(":")
            headers[name.title()] = value.strip()
        self.headers: Mapping[str, str] = headers  # type: ignore[assignment]
        self.close_connection = headers.get("Connection", "").lower() == "close"
        return True

    def body(self) -> bytes:
        """Read the request's body."""
        return self.rfile.read(int(self.headers.get("Content-Length", "0")))

    def say(
        self,
        status: int,
        body: bytes,
        headers: Mapping[str, str] | None = None,
        length: int | None = None,
        words: str = "",
    ) -> None:
        """Respond in one write: a separate body would wait 40 ms for the delayed acknowledgement of the headers.

        Args:
            status: The HTTP status.
            body: The whole body.
            headers: Additional headers; they may replace the content type.
            length: The Content-Length to send instead of the body's real length.
            words: The reason phrase to send instead of the usual one.
        """
        known = status in HTTPStatus._value2member_map_
        every = {"Content-Type": "application/json", **(headers or {})}
        every["Content-Length"] = str(len(body) if length is None else length)
        lines = [f"HTTP/1.1 {status} {words or (HTTPStatus(status).phrase if known else '')}"]
        lines += [f"{name}: {value}" for name, value in every.items()]
        try:
            self.wfile.write("\r\n".join([*lines, "\r\n"]).encode("latin-1") + body)
        except OSError:  # the client has disconnected
            self.close_connection = True


class _Server(ThreadingHTTPServer):
    request_queue_size = 256
    daemon_threads = True

    def handle_error(self, *details: Any) -> None:
        if not isinstance(sys.exc_info()[1], OSError | ValueError):  # ignore connections closed by either side
            super().handle_error(*details)


class HttpServer:
    """A server that runs until its block ends."""

    def __init__(self, handler: type[Handler]) -> None:
        self._server = _Server(("127.0.0.1", 0), handler)
        self.address = f"127.0.0.1:{self._server.server_port}"
        self.base_url = f"http://{self.address}/v1"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
