"""Reading ``multipart/form-data`` (RFC 7578) piece by piece, whatever pieces the network makes of it.

aiohttp's reader has a body in memory or puts bytes back into the stream; for the latter it warns of its own deprecated function,
which Python turns into an error with ``-W error``. This one only goes forward: it needs bytes, not a stream.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message

LARGEST_HEADERS = 16 * 1024
"""Bytes of one part's headers."""


class MalformedBody(ValueError):
    """The body is not what its content type says."""


@dataclass(frozen=True, slots=True)
class BodyPart:
    """The beginning of a part; its content follows in pieces."""

    name: str
    filename: str | None
    """None for a field that is not a file."""


def boundary_of(content_type: str) -> bytes:
    """The boundary that a Content-Type header names.

    Raises:
        Malformed: It is another type, or has none.

    >>> boundary_of('multipart/form-data; boundary="a b"')
    b'a b'
    """
    header = Message()
    header["Content-Type"] = _plain(content_type)
    boundary = header.get_param("boundary")
    if header.get_content_type() != "multipart/form-data" or not isinstance(boundary, str):
        raise MalformedBody("the Content-Type must be multipart/form-data with a boundary")
    if not 1 <= len(boundary) <= 70 or not boundary.isascii() or not boundary.isprintable():
        raise MalformedBody("a boundary has 1 to 70 printable ASCII characters")
    return boundary.encode()


class FormReader:
    r"""Turns bytes into parts. Give it every piece with :meth:`feed`, then call :meth:`end`.

    >>> reader = FormReader(b"x")
    >>> body = b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\nhello\r\n--x--'
    >>> [event for byte in body for event in reader.feed(bytes([byte]))][:3]
    [BodyPart(name='a', filename=None), b'h', b'e']
    >>> reader.end()
    """

    def __init__(self, boundary: bytes) -> None:
        self._delimiter = b"\r\n--" + boundary
        self._rest = bytearray(b"\r\n")  # the first delimiter may begin the body
        self._state = "preamble"

    def feed(self, data: bytes) -> Iterator[BodyPart | bytes]:
        """The parts that begin in this piece, each followed by pieces of its content.

        Raises:
            Malformed: The body cannot be read.
        """
        self._rest += data
        while self._state != "epilogue":
            if self._state in ("preamble", "content"):
                content, found = self._until_delimiter()
                if content and self._state == "content":
                    yield content
                if not found:
                    return
                self._state = "delimiter"
            elif self._state == "delimiter":
                if not self._after_delimiter():
                    return
            else:
                part = self._headers()
                if part is None:
                    return
                yield part
        self._rest.clear()

    def end(self) -> None:
        """Say that there is no more.

        Raises:
            Malformed: The last delimiter is missing.
        """
        if self._state != "epilogue":
            raise MalformedBody("the body ends before its last boundary")

    def _until_delimiter(self) -> tuple[bytes, bool]:
        """What is known to come before the next delimiter, and whether that was found."""
        place = self._rest.find(self._delimiter)
        if place >= 0:
            return self._take(place, drop=len(self._delimiter)), True
        return self._take(max(0, len(self._rest) - len(self._delimiter) + 1)), False

    def _after_delimiter(self) -> bool:
        """What a delimiter begins; whether enough is there to tell."""
        if self._rest.startswith(b"--"):
            self._state = "epilogue"
            return True
        end = self._rest.find(b"\r\n")
        if (
            bytes(self._rest[: min(end, LARGEST_HEADERS)]).strip(b" \t")
            if end >= 0
            else len(self._rest) > LARGEST_HEADERS
        ):
            raise MalformedBody("a boundary is followed by something other than the end of its line")
        if end < 0:
            return False
        del self._rest[:end]  # its line's end stays: it may be followed at once by the empty line that ends the headers
        self._state = "headers"
        return True

    def _headers(self) -> BodyPart | None:
        """The part that begins; None until its headers are complete."""
        end = self._rest.find(b"\r\n\r\n")
        if (end if end >= 0 else len(self._rest)) > LARGEST_HEADERS:
            raise MalformedBody(f"a part has more than {LARGEST_HEADERS} bytes of headers")
        if end < 0:
            return None
        lines = self._take(end, drop=4).decode(errors="replace").split("\r\n")
        self._state = "content"
        for line in lines:
            name, _, value = line.partition(":")
            if name.strip().lower() == "content-disposition":
                return _part(value.strip())
        raise MalformedBody("a part has no Content-Disposition")

    def _take(self, size: int, *, drop: int = 0) -> bytes:
        taken = bytes(self._rest[:size])
        del self._rest[: size + drop]
        return taken


def _part(disposition: str) -> BodyPart:
    header = Message()
    header["Content-Disposition"] = _plain(disposition)
    name = header.get_param("name", header="Content-Disposition")
    if header.get_content_disposition() != "form-data" or not isinstance(name, str):
        raise MalformedBody("a part's Content-Disposition must be form-data with a name")
    return BodyPart(name, header.get_filename())


def _plain(value: str) -> str:
    """A header's value without the surrogates and line ends that :class:`Message` does not take."""
    return " ".join(value.encode(errors="replace").decode().split())
