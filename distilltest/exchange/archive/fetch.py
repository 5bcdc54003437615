"""Fetch objects from a server: a few requests at once, within its rate limits, with retries."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

from distilltest.completions.faults import retry_after
from distilltest.data.whole_files import replacing, unwritable
from distilltest.errors import AuthenticationFailed, DistilltestError, RateLimited, ServerUnreachable
from distilltest.exchange.archive.pages import Page, parse, split
from distilltest.process.abandonable import resolver
from distilltest.untrusted.edges import shown_line
from distilltest.untrusted.secrets import mask_bytes, remember

if TYPE_CHECKING:
    import aiohttp

T = TypeVar("T")

LONGEST_WAIT = 600.0
"""The longest wait in seconds that a server may ask for; beyond it, the command ends."""
_ATTEMPTS = 6
"""Attempts for a request whose failure may be temporary."""
_RATE_LIMITED_ATTEMPTS = 30
_PIECE = 1 << 20
_EXTRA_HEADERS = {"OPENAI_ORG_ID": "OpenAI-Organization", "OPENAI_PROJECT_ID": "OpenAI-Project"}
"""Environment variables that the official client sends too."""


class NotFetched(Exception):
    """The server did not return an object; the archive continues without it."""

    def __init__(self, path: str, status: int | None, message: str, *, final: bool) -> None:
        super().__init__(message)
        self.path = path
        """The request's path, relative to the server's address."""
        self.status = status
        """The HTTP status; None if the answer could not be used."""
        self.message = message
        self.final = final
        """Whether the server refused; otherwise it failed, and another run may succeed."""


class Fetcher:
    """Sends all requests to one server."""

    def __init__(
        self,
        base_url: str,
        api_key: str | None,
        *,
        concurrency: int,
        per_minute: int | None = None,
        timeout: float = 60.0,
        key_help: str = "Check the key.",
        first_wait: float = 0.5,
    ) -> None:
        """Prepare without connecting. Use it as an async context manager.

        Args:
            base_url: The server's address, including ``/v1``.
            api_key: Sent as a bearer token, unless it is None.
            concurrency: Requests in flight at once.
            per_minute: The maximum of requests per minute.
            timeout: Seconds without a byte after which an attempt fails.
            key_help: What to do if the key is refused.
            first_wait: Seconds before the first retry; doubled each time, up to 8.
        """
        self._base_url = base_url
        self._key = api_key
        remember(api_key)
        self._slots = asyncio.Semaphore(concurrency)
        self._concurrency = concurrency
        self._pace = 60.0 / per_minute if per_minute else 0.0
        self._next_start = 0.0
        self._timeout = timeout
        self._key_help = key_help
        self._first_wait = first_wait
        self._answered = False
        self._probed: tuple[str, Page | NotFetched] | None = None
        self.requests = 0
        """Requests sent, including retries."""

    async def __aenter__(self) -> Self:
        import aiohttp

        headers = {"Accept": "application/json"}
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        headers |= {name: os.environ[variable] for variable, name in _EXTRA_HEADERS.items() if os.environ.get(variable)}
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=self._concurrency, resolver=resolver()),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=self._timeout, sock_read=self._timeout),
            headers=headers,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def probe(self, path: str) -> None:
        """Fetch a list ahead of time, to check that the server can be reached and accepts the key.

        Raises:
            DistilltestError: The server cannot be reached, or refuses the key.
        """
        try:
            self._probed = (path, await self.page(path))
        except NotFetched as refusal:
            self._probed = (path, refusal)

    async def page(self, path: str, **query: str | int | None) -> Page:
        """Fetch one page of a list.

        Raises:
            NotFetched: The server refused or failed.
            DistilltestError: No request can succeed.
        """
        if self._probed is not None and self._probed[0] == path:
            answer, self._probed = self._probed[1], None
            if isinstance(answer, NotFetched):
                raise answer
            return answer
        body = await self._ask(path, query, _read)
        try:
            return split(body)
        except ValueError as error:
            message = f"the answer is not a list ({error}): {self._shown(body)}"
            raise NotFetched(path, None, message, final=False) from None

    async def json(self, path: str) -> bytes:
        """Fetch one object, as the server sent it.

        Raises:
            NotFetched: The server refused or failed.
            DistilltestError: No request can succeed.
        """
        body = await self._ask(path, {}, _read)
        try:
            if isinstance(parse(body), dict):
                return body
        except ValueError:
            pass
        raise NotFetched(path, None, f"the answer is not a JSON object: {self._shown(body)}", final=False)

    async def download(self, path: str, target: Path) -> None:
        """Download a file's content in pieces, and replace the target atomically.

        Raises:
            NotFetched: The server refused or failed.
            DistilltestError: No request can succeed.
        """

        async def save(response: aiohttp.ClientResponse) -> None:
            try:
                with replacing(target) as file:
                    async for piece in response.content.iter_chunked(_PIECE):
                        file.write(piece)
            except OSError as error:
                if isinstance(error, ConnectionError | TimeoutError):
                    raise
                raise unwritable(target, error) from None

        await self._ask(path, {}, save, elsewhere=True)

    async def _ask(
        self,
        path: str,
        query: dict[str, str | int | None],
        use: Callable[[aiohttp.ClientResponse], Awaitable[T]],
        *,
        elsewhere: bool = False,
    ) -> T:
        """Send a request until it succeeds, is refused, or has failed too often.

        Args:
            path: Relative to the server's address.
            query: The query parameters; None leaves one out.
            use: Reads the response.
            elsewhere: Follow redirects, because storage may be on another server; the key is not sent there.
        """
        attempt = 0
        while True:
            attempt += 1
            try:
                async with self._slots:
                    await self._wait_for_turn()
                    return await self._send(path, query, use, elsewhere)
            except _Again as failure:
                limit = _RATE_LIMITED_ATTEMPTS if failure.status == 429 else _ATTEMPTS if self._answered else 2
                if attempt >= limit:
                    if failure.status is None and not failure.broke_off:
                        raise ServerUnreachable(
                            f"{self._base_url} is not reachable: {failure.message}. Check the address and the "
                            "connection. What has arrived is kept: the same command goes on from there."
                        ) from None
                    raise NotFetched(path, failure.status, failure.message, final=False) from None
                await self._pause(failure, attempt)

    async def _send(
        self,
        path: str,
        query: dict[str, str | int | None],
        use: Callable[[aiohttp.ClientResponse], Awaitable[T]],
        elsewhere: bool,
    ) -> T:
        import aiohttp
        from yarl import URL

        url = URL(f"{self._base_url}/{path}", encoded=True).update_query(
            {name: value for name, value in query.items() if value is not None}
        )
        self.requests += 1
        try:
            async with self._session.get(url, allow_redirects=elsewhere, max_redirects=5) as response:
                self._answered = True
                if response.status < 300:
                    return await use(response)
                self._raise_for_status(path, response.status, response.headers, await response.content.read(_PIECE))
        except aiohttp.ClientPayloadError as error:
            raise _Again(None, f"the answer broke off: {error}", broke_off=True) from None
        except aiohttp.TooManyRedirects:
            raise NotFetched(path, 302, "the server redirects in a circle", final=True) from None
        except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError) as error:
            raise DistilltestError(f"{self._base_url} is not an address of a server: {error}.") from None
        except (aiohttp.ClientError, ConnectionError, TimeoutError) as error:
            message = str(error).strip() or f"no answer within {self._timeout:g} s"
            raise _Again(None, self._clean(message)) from None
        raise AssertionError("unreachable")

    def _raise_for_status(self, path: str, status: int, headers: Any, body: bytes) -> None:
        message, code = self._error(body)
        if status < 400:
            message = f"it redirects to {headers.get('Location', 'nowhere')!r:.200}."
        if status == 401 and "missing scopes" not in message.lower():
            raise AuthenticationFailed(
                f"{self._base_url}: HTTP 401: {message} {self._key_help} What has arrived is kept.", status=401
            )
        if (status in (408, 409, 429) or status >= 500) and status != 501 and code != "insufficient_quota":
            raise _Again(status, message, retry_after(headers))
        raise NotFetched(path, status, message, final=True)

    async def _wait_for_turn(self) -> None:
        """Wait for the pace of requests_per_minute, and for a pause that the server asked for."""
        loop = asyncio.get_running_loop()
        while (wait := self._next_start - loop.time()) > 0:  # noqa: ASYNC110 - a time is waited for, not an event
            await asyncio.sleep(wait)  # meanwhile another request may have been told to wait longer
        self._next_start = loop.time() + self._pace

    async def _pause(self, failure: _Again, attempt: int) -> None:
        if failure.retry_after is not None and failure.retry_after > LONGEST_WAIT:
            raise RateLimited(
                f"{self._base_url} asks to wait {failure.retry_after:,.0f} s: {failure.message} What has arrived is kept: "
                "the same command goes on from there.",
                status=failure.status,
            )
        delay = min(8.0, self._first_wait * 2.0 ** (attempt - 1))
        if failure.retry_after is not None:
            delay = max(failure.retry_after, 0.05)
        if failure.status == 429:  # the limit applies to the whole server, not to this request alone
            loop = asyncio.get_running_loop()
            self._next_start = max(self._next_start, loop.time() + delay)
        await asyncio.sleep(delay)

    def _error(self, body: bytes) -> tuple[str, str | None]:
        """The message and the code of an error response."""
        try:
            error = parse(body)["error"]
            text, code = (error.get("message"), error.get("code")) if isinstance(error, dict) else (error, None)
        except (ValueError, KeyError, TypeError):
            text, code = None, None
        text = self._clean(str(text))[:1000] if text else self._shown(body)
        return (text if text.endswith((".", "!", "?")) else f"{text}."), code if isinstance(code, str) else None

    def _shown(self, body: bytes) -> str:
        return self._clean(repr(body[:200].decode(errors="replace").strip())) if body.strip() else "(no words)"

    def _clean(self, text: str) -> str:
        """Put a text on one line, without the key, which a server may repeat, and without control characters."""
        return shown_line(" ".join(text.split()))


async def _read(response: aiohttp.ClientResponse) -> bytes:
    return mask_bytes(await response.read())


class _Again(Exception):
    """A failure that may be temporary."""

    def __init__(
        self, status: int | None, message: str, retry_after: float | None = None, *, broke_off: bool = False
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.retry_after = retry_after
        self.broke_off = broke_off
