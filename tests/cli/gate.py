"""A proxy that lets a number of requests through to a server, holds the next one, and knows what was answered."""

import http.client
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit


class Gate:
    """Stands before a server; ``close_at`` says at which request it closes, ``open`` opens it for good."""

    def __init__(self, behind):
        self.answered = Counter()
        """(method, path with its query, body without the random boundary of a form) → how often it was answered."""
        self.reached = threading.Event()
        self._opened = threading.Event()
        self._path, self._left = "", 0
        self._lock = threading.Lock()
        place = urlsplit(behind)
        gate = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                if gate._holds(self.path):
                    gate.reached.set()
                    gate._opened.wait()
                    self.close_connection = True
                    return
                connection = http.client.HTTPConnection(place.hostname, place.port)
                try:
                    named = {name: value for name, value in self.headers.items() if name.lower() != "host"}
                    connection.request(self.command, self.path, body, named)
                    answer = connection.getresponse()
                    content = answer.read()
                finally:
                    connection.close()
                self.send_response(answer.status)
                self.send_header("Content-Type", answer.getheader("Content-Type", "application/json"))
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)
                if answer.status < 300:
                    boundary = self.headers.get("Content-Type", "").partition("boundary=")[2].encode()
                    with gate._lock:
                        gate.answered[self.command, self.path, body.replace(boundary, b"") if boundary else body] += 1

            do_GET = do_POST = handle_any  # noqa: N815

            def log_message(self, *_):
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 64

            def handle_error(self, *_):  # the client has gone
                pass

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}{place.path}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def close_at(self, part, number):
        """Hold the request of this number, and all that come later, among those whose path has this part."""
        self._path, self._left = part, number

    def _holds(self, path):
        with self._lock:
            if self._opened.is_set() or not self._path:
                return False
            self._left -= self._path in path
            return self._left <= 0

    def open(self):
        """Break off what is held, and let everything through."""
        self._opened.set()

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self.open()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
