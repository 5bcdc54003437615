"""A chat server in a separate process that counts requests: hand-written HTTP/1.1, random answers, and faults by model.

The model's name selects the fault: ``refused`` always returns 400, ``half`` returns half a JSON, ``flaky`` fails once for every
twentieth request; all others answer. ``GET /stats`` returns the counts, ``GET /reset`` resets them.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import sys
import zlib
from collections import Counter
from typing import ClassVar

from bench.server import Connection, chat, verdict_line

ANSWERS = (("git status", "Y"), ("git log", "N"))
"""Picked at random, with a judge's verdict, so that a second answer to a request may contradict the first."""


class Counting(Connection):
    """Counts each request, and answers it after the latency."""

    received: ClassVar[Counter[bytes]] = Counter()
    """Body → number of requests."""
    faults = 0
    """The number of failures after which the client has to send the request again."""

    def take(self, head: bytes, body: bytes) -> None:
        """Count a request and answer it, or tell the counts."""
        if head.startswith(b"get "):
            self.send(200, self.stats(anew=head.startswith(b"get /reset")))
        else:
            self.received[body] += 1
            asyncio.get_running_loop().call_later(self.latency, self.send, *self.answer(body))

    def answer(self, body: bytes) -> tuple[int, bytes]:
        """The status and body of the response."""
        model = json.loads(body)["model"]
        if model == "refused":
            return 400, json.dumps(
                {"error": {"message": "no such parameter", "type": "invalid_request_error"}}
            ).encode()
        if model == "half":
            return 200, chat("x")[:80]
        if model == "flaky" and self.received[body] == 1 and zlib.crc32(body) % 20 == 0:
            Counting.faults += 1
            return 500, b"{}"
        text, verdict = random.choice(ANSWERS)
        return 200, chat(text + verdict_line(body, verdict))

    def stats(self, *, anew: bool) -> bytes:
        """Return the counts, and optionally reset them."""
        counts = {"received": self.received.total(), "distinct": len(self.received), "faults": self.faults}
        if anew:
            self.received.clear()
            Counting.faults = 0
        return json.dumps(counts).encode()

    def send(self, status: int, body: bytes) -> None:
        """Send a response, unless the client has disconnected."""
        if not self.transport.is_closing():
            head = b"HTTP/1.1 %d X\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
            self.transport.write(head % (status, len(body)) + body)


async def main() -> None:
    """Serve on a free loopback port, and print the port."""
    Counting.latency = float(sys.argv[1])
    server = await asyncio.get_running_loop().create_server(Counting, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    asyncio.get_running_loop().add_reader(sys.stdin, server.close)  # stop when the parent process ends
    await server.serve_forever()


if __name__ == "__main__":
    with contextlib.suppress(asyncio.CancelledError):
        asyncio.run(main())
