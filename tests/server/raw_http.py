"""Sends raw HTTP to the embedded server: any headers, and bodies in any chunks."""

import socket
from dataclasses import dataclass, field

BOUNDARY = "boundary-7"


@dataclass(frozen=True)
class Reply:
    status: int
    headers: dict[str, str] = field(repr=False)
    body: bytes


def port_of(server):
    return int(server.base_url.rsplit(":", 1)[1].split("/")[0])


def connect(server):
    return socket.create_connection(("127.0.0.1", port_of(server)), 30)


def request(method, target, headers=(), body=b"", *, version="1.1", host="127.0.0.1"):
    """The bytes of a request. Headers are pairs, so that one can occur twice. The connection closes after the response."""
    given = [*([("Host", host)] if host is not None else []), ("Connection", "close"), *headers]
    if body or method in ("POST", "PUT"):
        given.append(("Content-Length", str(len(body))))
    head = "".join(
        [f"{method} {target} HTTP/{version}\r\n", *(f"{name}: {value}\r\n" for name, value in given), "\r\n"]
    )
    return head.encode() + body


def read_reply(connection):
    data = b""
    while piece := connection.recv(65536):
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    first, *rest = head.decode().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in rest)
    return Reply(int(first.split()[1]), headers, body)


def send(server, *pieces):
    """Send the pieces of a request, each in its own packet if the system allows, and read the reply."""
    with connect(server) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in pieces:
            connection.sendall(piece)
        return read_reply(connection)


def form(content, *, name="train.jsonl", purpose="fine-tune"):
    """A form with a file, in the format that clients send."""
    return (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="purpose"\r\n\r\n{purpose}\r\n'
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    ).encode() + (content + f"\r\n--{BOUNDARY}--\r\n".encode())


UPLOADED = [("Content-Type", f"multipart/form-data; boundary={BOUNDARY}")]


def upload(body):
    return request("POST", "/v1/files", UPLOADED, body)
