"""Talking to servers: our own POST for chat completions, the openai package for everything rare.

The only module that knows the embedded server: it starts it when something is first asked of it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

import orjson

from distilltest.answers import completion_of
from distilltest.config import Config, Server
from distilltest.errors import (
    AuthenticationFailed,
    BadAnswer,
    CallError,
    ModelNotFound,
    RateLimited,
    RequestRejected,
    ServerFailed,
    ServerUnreachable,
)
from distilltest.records import Completion, Request

if TYPE_CHECKING:
    from openai import OpenAI

    from distilltest.embedded.server import EmbeddedServer

_embedded: dict[str, EmbeddedServer] = {}
_embedded_lock = threading.Lock()


class ChatClient(Protocol):
    """A source of completions."""

    async def chat(self, request: Request) -> tuple[Completion, bytes]:
        """One attempt at one completion, and the response's body as it came.

        Raises:
            CallError: There is none.
        """

    async def close(self) -> None:
        """Let go of connections."""


def resolve_base_url(server: Server, config: Config) -> str:
    """The address to call; starts the embedded server, once a process, when it is that one."""
    if not server.embedded:
        return server.base_url
    folder = config.state_dir / "embedded"
    with _embedded_lock:
        if str(folder) not in _embedded:
            from distilltest.embedded.server import EmbeddedServer

            _embedded[str(folder)] = EmbeddedServer.start(folder)
        return _embedded[str(folder)].base_url


def openai_client(server: Server, config: Config) -> OpenAI:
    """The official client for files, jobs and stored completions."""
    from openai import OpenAI

    return OpenAI(
        base_url=resolve_base_url(server, config),
        api_key=server.api_key or "none",
        timeout=server.timeout,
        max_retries=server.max_retries,
    )


class AiohttpChatClient:
    """Chat completions over aiohttp. Retries, limits and the budget are the engine's business."""

    def __init__(self, server: Server, base_url: str) -> None:
        import aiohttp
        from yarl import URL

        self._server = server
        self._urls = {e: URL(f"{base_url}/{e}") for e in ("chat/completions", "embeddings")}  # parsed once
        headers = {"Content-Type": "application/json"}
        if server.api_key:
            headers["Authorization"] = f"Bearer {server.api_key}"
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=server.max_concurrency, ttl_dns_cache=300),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=server.timeout),
            headers=headers,
        )

    async def chat(self, request: Request) -> tuple[Completion, bytes]:
        """POST the request, read the answer."""
        import aiohttp

        started = time.perf_counter()
        try:
            async with self._session.post(self._urls[request.endpoint], data=request.encoded) as response:
                body = await response.read()
                if response.status >= 400:
                    raise_for_status(self._server, request, response.status, response.headers, body)
        except TimeoutError:
            raise ServerUnreachable(
                f"{self._where(request)}: no answer within {self._server.timeout:g} s. "
                f'Raise "timeout" of server {self._server.name!r}, or lower its max_concurrency.'
            ) from None
        except aiohttp.ClientPayloadError as error:
            raise BadAnswer(f"{self._where(request)}: the answer broke off ({error}).") from None
        except aiohttp.ClientError as error:
            raise ServerUnreachable(
                f"{self._where(request)}: {_connection_words(error)}. Is the server running there?"
            ) from None
        latency = time.perf_counter() - started
        return self._completion(request, body, latency), body

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()

    def _where(self, request: Request) -> str:
        return f"{request.model} at {self._urls[request.endpoint]}"

    def _completion(self, request: Request, body: bytes, latency: float) -> Completion:
        try:
            return completion_of(request, orjson.loads(body), latency=latency, created=time.time())
        except (orjson.JSONDecodeError, KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
            what, lacks = (
                ("embedding", "a vector")
                if request.endpoint == "embeddings"
                else ("chat completion", "choices with a message")
            )
            why = "it is not whole JSON" if isinstance(error, orjson.JSONDecodeError) else f"it has no {lacks}"
            shown = body[:200].decode(errors="replace")
            raise BadAnswer(f"{self._where(request)}: the answer is no {what}, {why}: {shown!r}.") from None


def raise_for_status(
    server: Server, request: Request, status: int, headers: Mapping[str, str], body: bytes
) -> NoReturn:
    """Turn an error response into our tree of errors."""
    words = _error_message(body)
    where = f"{request.model} on server {server.name!r}: HTTP {status}: {words}"
    kind: type[CallError]
    if status in (401, 403):
        variable = server.api_key_variable
        remedy = (
            f"Check the key in {variable}." if variable else f'Give server {server.name!r} an api_key: "${{NAME}}".'
        )
        kind, text = AuthenticationFailed, f"{where} {remedy}"
    elif status == 404:
        kind, text = ModelNotFound, f"{where} Check the model's name in distilltest.yaml or on the command line."
    elif status == 429:
        kind, text = RateLimited, f"{where} Lower max_concurrency or requests_per_minute of the server, or try later."
    elif status >= 500 or status in (408, 409):
        kind, text = ServerFailed, f"{where} Try again later: only what is missing is asked."
    else:
        kind, text = RequestRejected, f"{where} Mend the prompt or the model's parameters."
    raise kind(text, status=status, retry_after=_retry_after(headers))


def _error_message(body: bytes) -> str:
    try:
        content = orjson.loads(body)
        text = content["error"]["message"] if isinstance(content["error"], dict) else content["error"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        text = body[:200].decode(errors="replace").strip() or "(no words)"
    text = str(text)
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait: ``retry-after-ms``, or ``Retry-After`` in seconds or as a date."""
    lower = {name.lower(): value for name, value in headers.items()}
    try:
        if "retry-after-ms" in lower:
            return max(0.0, float(lower["retry-after-ms"]) / 1000)
        return max(0.0, float(lower["retry-after"]))
    except KeyError:
        return None
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(lower["retry-after"]).timestamp() - time.time())
    except (KeyError, ValueError, TypeError):
        return None


def _connection_words(error: Any) -> str:
    return str(error).strip() or type(error).__name__
