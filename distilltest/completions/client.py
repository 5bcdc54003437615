"""Calls to servers: chat completions over aiohttp, everything else through the openai package.

This is the only module that knows the embedded server; it starts it on the first call.
"""

from __future__ import annotations

import atexit
import threading
import time
from typing import TYPE_CHECKING, Any, Protocol

import orjson

from distilltest.completions.faults import failure_inside, failure_of
from distilltest.completions.masking import masking_http_client
from distilltest.config import Config, Server
from distilltest.data.responses import ErrorInside, Filtered, MalformedResponse, completion_of
from distilltest.data.whole_files import make_folder
from distilltest.errors import BadAnswer, ContentFiltered, NoConnection, ServerUnreachable
from distilltest.process.abandonable import resolver
from distilltest.records import Completion, Request
from distilltest.untrusted.secrets import mask_bytes

if TYPE_CHECKING:
    import aiohttp
    from openai import OpenAI

    from distilltest.demo_models.embedded_server import EmbeddedServer

LARGEST_BODY = 64 * 2**20
"""Maximum bytes of a decompressed response."""
_UNREACHED_FOR = 0.3
"""Seconds before connecting again to a server that was never reached: a hundred concurrent calls look its name up once."""
_embedded: dict[str, EmbeddedServer] = {}
_embedded_lock = threading.Lock()


class ChatClient(Protocol):
    """A source of completions."""

    async def chat(self, request: Request) -> tuple[Completion, bytes]:
        """Make one attempt at one completion; return it with the response's body.

        Raises:
            CallError: The attempt failed.
        """

    async def close(self) -> None:
        """Close connections."""


def resolve_base_url(server: Server, config: Config) -> str:
    """The address to call; starts the embedded server if needed, once per process."""
    if not server.embedded:
        return server.base_url
    folder = config.state_dir / "embedded"
    with _embedded_lock:
        if str(folder) not in _embedded:
            from distilltest.demo_models.embedded_server import EmbeddedServer

            started = EmbeddedServer.start(make_folder(folder))
            atexit.register(started.stop)  # jobs must not delay the end of the process; they continue at the next start
            _embedded[str(folder)] = started
        return _embedded[str(folder)].base_url


def openai_client(server: Server, config: Config) -> OpenAI:
    """The official client, for files, jobs and stored completions."""
    from openai import OpenAI

    return OpenAI(
        base_url=resolve_base_url(server, config),
        api_key=server.api_key or "none",
        timeout=server.timeout,
        max_retries=server.max_retries,
        default_headers={"Authorization": server.authorization or ""} if server.userinfo else None,
        http_client=masking_http_client(),
    )


class AiohttpChatClient:
    """Chat completions over aiohttp. The engine handles retries, limits and the budget.

    It does not follow redirects, which would send the key and the prompts elsewhere, and ignores proxies of the environment.
    """

    def __init__(self, server: Server, base_url: str) -> None:
        import aiohttp
        from yarl import URL

        self._server = server
        self._urls = {e: URL(f"{base_url}/{e}") for e in ("chat/completions", "embeddings")}  # parsed once
        headers = {"Content-Type": "application/json"}
        if server.authorization:
            headers["Authorization"] = server.authorization
        self._connected = False
        self._unreached: tuple[float, str] | None = None
        """Time and message of a failed connection, if none succeeded before."""
        self._session = aiohttp.ClientSession(
            connector=self._connector(),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=server.timeout, connect=server.connect_timeout),
            headers=headers,
        )

    async def chat(self, request: Request) -> tuple[Completion, bytes]:
        """POST the request and read the answer."""
        import aiohttp

        started = time.perf_counter()
        if self._unreached is not None and not self._connected and started - self._unreached[0] < _UNREACHED_FOR:
            raise self._no_connection(request, self._unreached[1])
        url = self._urls[request.endpoint]
        try:
            async with self._session.post(url, data=request.encoded, allow_redirects=False) as response:
                body = mask_bytes(await self._body(request, response))  # before anything reads or stores it
                if response.status >= 300:
                    raise failure_of(self._server, request, response.status, response.headers, body)
        except aiohttp.ConnectionTimeoutError:
            raise self._note(request, f"no connection within {self._server.connect_timeout:g} s") from None
        except TimeoutError:
            raise ServerUnreachable(
                f"{self._where(request)}: no answer within {self._server.timeout:g} s. "
                f'Raise "timeout" of server {self._server.name!r}, or lower its max_concurrency.'
            ) from None
        except aiohttp.ClientPayloadError as error:
            raise BadAnswer(f"{self._where(request)}: the answer is incomplete or damaged ({error}).") from None
        except aiohttp.ClientResponseError as error:
            raise BadAnswer(f"{self._where(request)}: the response is not valid HTTP ({error.message:.200}).") from None
        except (aiohttp.ClientConnectorError, aiohttp.InvalidURL) as error:
            raise self._note(request, _connection_words(error)) from None
        except aiohttp.ClientError as error:
            raise ServerUnreachable(
                f"{self._where(request)}: {_connection_words(error)}. Is the server running there?"
            ) from None
        return self._completion(request, body, time.perf_counter() - started), body

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()

    def _connector(self) -> aiohttp.TCPConnector:
        """A connection pool that notes the first successful connection."""
        import aiohttp

        client = self

        class Connector(aiohttp.TCPConnector):
            async def _create_connection(self, *args: Any, **options: Any) -> Any:
                made = await super()._create_connection(*args, **options)
                client._connected = True
                return made

        # No limit here: the server queue limits the calls in flight, and waiting here would count against the timeout.
        return Connector(limit=0, ttl_dns_cache=300, resolver=resolver())

    def _note(self, request: Request, words: str) -> NoConnection:
        self._unreached = (time.perf_counter(), words)
        return self._no_connection(request, words)

    def _no_connection(self, request: Request, words: str) -> NoConnection:
        remedy = (
            f"It answered before; is server {self._server.name!r} still running?"
            if self._connected
            else f"Check the base_url of server {self._server.name!r}, and that it is running."
        )
        return NoConnection(f"{self._where(request)}: {words}. {remedy}", first_contact=not self._connected)

    async def _body(self, request: Request, response: aiohttp.ClientResponse) -> bytes:
        """Read the body, up to ``LARGEST_BODY``."""
        length = response.content_length
        if length is not None and length <= LARGEST_BODY and "Content-Encoding" not in response.headers:
            return await response.read()
        chunks, size = [], 0
        async for chunk in response.content.iter_any():
            chunks.append(chunk)
            size += len(chunk)
            if size > LARGEST_BODY:
                response.close()
                raise BadAnswer(f"{self._where(request)}: the response is longer than {LARGEST_BODY // 2**20} MiB.")
        return b"".join(chunks)

    def _where(self, request: Request) -> str:
        return f"{request.model} at {self._urls[request.endpoint]}"

    def _completion(self, request: Request, body: bytes, latency: float) -> Completion:
        try:
            return completion_of(request, orjson.loads(body), latency=latency, created=time.time())
        except orjson.JSONDecodeError:
            why = "it is not complete JSON"
        except ErrorInside as inside:
            raise failure_inside(self._server, request, inside.error) from None
        except Filtered as filtered:
            raise ContentFiltered(
                f"{self._where(request)}: a content filter withheld the answer or cut it off: {filtered}. "
                "It is not graded. Change the case, or remove it from the dataset."
            ) from None
        except MalformedResponse as malformed:
            why = str(malformed)
        what = "an embedding" if request.endpoint == "embeddings" else "a chat completion"
        shown = body[:200].decode(errors="replace")
        raise BadAnswer(f"{self._where(request)}: the response is not {what}, {why}: {shown!r}.") from None


def _connection_words(error: Any) -> str:
    return str(error).strip().rstrip(".") or type(error).__name__
