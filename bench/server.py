"""A fast chat server in a separate process: hand-written HTTP/1.1, one fixed answer after a fixed time."""

from __future__ import annotations

import asyncio
import json
import sys

TEXT = "git status"
"""The answer to everything but a judge's question."""


def verdict_line(request: bytes, verdict: str) -> str:
    """The last line of a judge's answer, with the code that the question asks for; empty if the request is not a question."""
    _, found, after = request.partition(b", VERDICT ")
    return f"\nVERDICT {after[:10].decode()}: {verdict}" if found else ""


def chat(text: str) -> bytes:
    """The body of a chat completion."""
    message = {"role": "assistant", "content": text}
    return json.dumps(
        {
            "id": "chatcmpl-bench",
            "object": "chat.completion",
            "created": 1,
            "model": "bench",
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 20, "completion_tokens": 2, "total_tokens": 22},
        }
    ).encode()


def response(text: str) -> bytes:
    """A whole HTTP response with a chat completion."""
    body = chat(text)
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


ANSWER = response(TEXT)


class Connection(asyncio.Protocol):
    """One connection: splits what arrives into requests."""

    latency = 0.05

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.data = b""

    def data_received(self, data: bytes) -> None:
        """Take each complete request."""
        self.data += data
        while (end := self.data.find(b"\r\n\r\n")) >= 0:
            head = self.data[:end].lower()
            length = int(head.split(b"content-length:")[1].split(b"\r\n")[0]) if b"content-length:" in head else 0
            if len(self.data) < end + 4 + length:
                return
            body = self.data[end + 4 : end + 4 + length]
            self.data = self.data[end + 4 + length :]
            self.take(head, body)

    def take(self, head: bytes, body: bytes) -> None:
        """Answer a request; its head is in small letters."""
        raise NotImplementedError


class Chat(Connection):
    """Answers each request after the latency."""

    def take(self, head: bytes, body: bytes) -> None:
        """Answer with the fixed text, or with a judge's verdict."""
        line = verdict_line(body, "Y")
        asyncio.get_running_loop().call_later(self.latency, self.send, response(TEXT + line) if line else ANSWER)

    def send(self, answer: bytes) -> None:
        """Send an answer, unless the client has disconnected."""
        if not self.transport.is_closing():
            self.transport.write(answer)


async def main() -> None:
    """Serve on a free loopback port, and print the port."""
    Chat.latency = float(sys.argv[1])
    server = await asyncio.get_running_loop().create_server(Chat, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
