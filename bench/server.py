"""A fast chat server in a process of its own: HTTP/1.1 by hand, one fixed answer after a fixed time."""

from __future__ import annotations

import asyncio
import json
import sys

TEXT = "git status\nVERDICT: Y"
"""What it answers to everything: an answer, and a judge's verdict."""
BODY = json.dumps(
    {
        "id": "chatcmpl-bench",
        "object": "chat.completion",
        "created": 1,
        "model": "bench",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": TEXT}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 20, "completion_tokens": 2, "total_tokens": 22},
    }
).encode()
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(BODY), BODY)


class Chat(asyncio.Protocol):
    """One connection."""

    latency = 0.05

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where to answer."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.data = b""

    def data_received(self, data: bytes) -> None:
        """Answer each whole request after the latency."""
        self.data += data
        while (end := self.data.find(b"\r\n\r\n")) >= 0:
            head = self.data[:end].lower()
            length = int(head.split(b"content-length:")[1].split(b"\r\n")[0]) if b"content-length:" in head else 0
            if len(self.data) < end + 4 + length:
                return
            self.data = self.data[end + 4 + length :]
            asyncio.get_running_loop().call_later(self.latency, self.answer)

    def answer(self) -> None:
        """Send the answer, unless the client has gone."""
        if not self.transport.is_closing():
            self.transport.write(ANSWER)


async def main() -> None:
    """Serve on a free loopback port, which is printed."""
    Chat.latency = float(sys.argv[1])
    server = await asyncio.get_running_loop().create_server(Chat, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
