"""Requests are accepted from programs on this machine, and refused from web pages.

Web pages can reach a server on the loopback address. A page in a browser on this machine can send requests to it (cross-site
request forgery), and with a domain name that resolves to 127.0.0.1 it can also read the responses (DNS rebinding). Every such
request has a header that the page cannot change and that gives it away: ``Host``, ``Origin`` or ``Sec-Fetch-Site``.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable

from aiohttp import web

from distilltest.server.errors import ApiError

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_LOOPBACK = re.compile(r"(localhost|127(\.[0-9]{1,3}){3}|\[::1\])(:[0-9]{1,5})?", re.IGNORECASE)
_SAME_PAGE = ("same-origin", "none")
"""``none`` means that the user typed in the address."""


@web.middleware
async def refuse_web_pages(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse a web page's request before it reaches a handler."""
    reason = refusal(request)
    if reason is not None:
        raise ApiError(403, reason, code="forbidden_origin")
    return await handler(request)


async def forbid_other_origins(_: web.Request, response: web.StreamResponse) -> None:
    """Add headers that keep the response from pages of other origins. No CORS header says otherwise."""
    response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
    response.headers["X-Content-Type-Options"] = "nosniff"


def refusal(request: web.Request) -> str | None:
    """Why a request is refused; None if it is accepted."""
    hosts = request.headers.getall("Host", [])
    target = request.url.raw_authority if request.raw_path.startswith(("http:", "https:")) else None
    for host in [*hosts, *([target] if target is not None else [])]:
        if not _LOOPBACK.fullmatch(host):
            return (
                f"Host {_shown(host)} is not a loopback name. This server answers only requests to localhost, 127.0.0.1 or "
                "[::1]: use one of them as the base URL. A proxy in front of the server must set the Host header to one."
            )
    if len(hosts) != 1:
        return "The request needs exactly one Host header."
    for origin in request.headers.getall("Origin", []):
        if origin.lower() not in (f"http://{hosts[0]}".lower(), f"https://{hosts[0]}".lower()):
            return f"Origin {_shown(origin)} is foreign. This server answers programs on this machine, not web pages."
    for site in request.headers.getall("Sec-Fetch-Site", []):
        if site.lower() not in _SAME_PAGE:
            return f"Sec-Fetch-Site is {_shown(site)}. This server answers programs on this machine, not web pages."
    return None


def _shown(value: str) -> str:
    return repr(value[:100])
