"""An incremental parser for ``multipart/form-data`` (RFC 7578). It accepts input in chunks of any size.

aiohttp's reader either holds the whole body in memory or puts bytes back into the stream. The latter raises a deprecation
warning, which is an error with ``-W error``. This parser only moves forward and needs no stream.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message

LARGEST_HEADERS = 16 * 1024
"""The size limit of one part's headers, in bytes."""


class MalformedBody(ValueError):
    """The body is not valid for its content type."""


@dataclass(frozen=True, slots=True)
class BodyPart:
    """The start of a part; its content follows in chunks."""

    name: str
    filename: str | None
    """None for a field that is not a file."""


def boundary_of(content_type: str) -> bytes:
    """The boundary in a Content-Type header.

    Raises:
        MalformedBody: The type is not multipart/form-data, or has no boundary.

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
    r"""Splits bytes into parts. Pass each chunk to :meth:`feed`, then call :meth:`end`.

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
        """Yield the parts that start in this chunk, each followed by chunks of its content.

        Raises:
            MalformedBody: The body is invalid.
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
        """Signal the end of the body.

        Raises:
            MalformedBody: The last delimiter is missing.
        """
        if self._state != "epilogue":
            raise MalformedBody("the body ends before its last boundary")

    def _until_delimiter(self) -> tuple[bytes, bool]:
        """The content that precedes the next delimiter, as far as known, and whether the delimiter was found."""
        place = self._rest.find(self._delimiter)
        if place >= 0:
            return self._take(place, drop=len(self._delimiter)), True
        return self._take(max(0, len(self._rest) - len(self._delimiter) + 1)), False

    def _after_delimiter(self) -> bool:
        """Set the state that follows a delimiter; return False if more input is needed."""
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
        del self._rest[:end]  # keep the line end: an empty line may follow at once and end the headers
        self._state = "headers"
        return True

    def _headers(self) -> BodyPart | None:
        """The part that starts here; None until its headers are complete."""
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
    """A header's value without surrogates and line ends, which :class:`Message` does not accept."""
    return " ".join(value.encode(errors="replace").decode().split())
