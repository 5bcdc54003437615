"""Server errors: one table from (status, code, message) to the kind of failure and its remedy."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

import orjson

from distilltest.config import Server
from distilltest.errors import (
    AuthenticationFailed,
    CallError,
    ContentFiltered,
    Forbidden,
    ModelNotFound,
    NotFound,
    PromptTooLong,
    QuotaSpent,
    RateLimited,
    RequestRejected,
    ServerFailed,
)
from distilltest.records import Request

LONGEST_WORDS = 500
"""Maximum characters of a server's own message in ours."""
_TRY_AGAIN = "Try again later: only missing completions are requested."
_MEND = "Correct the prompt or the model's parameters."


class Fault(NamedTuple):
    """One row of the table; empty fields match nothing."""

    kind: type[CallError]
    statuses: frozenset[int] = frozenset()
    codes: frozenset[str] = frozenset()
    """Values of ``error.code`` and ``error.type``, in lower case."""
    words: tuple[str, ...] = ()
    """Parts of a message with status 400, in lower case, for servers that send no code."""
    remedy: str = ""

    def fits(self, status: int | None, codes: frozenset[str], message: str) -> bool:
        """Whether the status, the code or the message matches."""
        return (
            status in self.statuses
            or not self.codes.isdisjoint(codes)
            or (status == 400 and any(words in message for words in self.words))
        )


def _set(names: str) -> frozenset[str]:
    return frozenset(names.split())


FAULTS = (
    # The first match wins. Known codes come before statuses.
    Fault(
        QuotaSpent,
        frozenset({402}),
        _set(
            "insufficient_quota billing_hard_limit_reached billing_not_active insufficient_balance insufficient_credits "
            "payment_required credit_balance_exhausted"
        ),
        remedy="Add credit, or raise the spending limit in the account that the key belongs to; waiting does not help. "
        "Then run again: only missing completions are requested.",
    ),
    Fault(
        ModelNotFound,
        frozenset(),
        _set("model_not_found deploymentnotfound model_decommissioned model_not_available unknown_model"),
        remedy="Check the model's name in distilltest.yaml or on the command line.",
    ),
    Fault(
        AuthenticationFailed,
        frozenset({401}),
        _set("invalid_api_key invalid_authentication authentication_error account_deactivated"),
    ),
    Fault(
        ContentFiltered,
        frozenset(),
        _set("content_filter content_policy_violation responsibleaipolicyviolation moderation_blocked"),
        remedy="This case will be filtered again. Change it, or remove it from the dataset.",
    ),
    Fault(
        PromptTooLong,
        frozenset({413}),
        _set("context_length_exceeded exceed_context_size_error string_above_max_length request_too_large"),
        ("maximum context length", "context length exceeded", "context window", "prompt is too long"),
        remedy="Shorten the case or the prompt, or ask for fewer tokens.",
    ),
    Fault(
        RateLimited,
        frozenset({429}),
        _set("rate_limit_exceeded rate_limit_error"),
        remedy="Lower max_concurrency or requests_per_minute of the server, or try later.",
    ),
    Fault(
        ServerFailed,
        frozenset({408, 409, 425}) | frozenset(range(500, 600)),
        _set(
            "server_error internal_server_error internal_error overloaded_error engine_overloaded service_unavailable timeout"
        ),
        remedy=_TRY_AGAIN,
    ),
    Fault(
        Forbidden,
        frozenset({403}),
        remedy="The server refuses this request. If it refuses all, check the permissions of the key.",
    ),
    Fault(
        NotFound,
        frozenset({404, 405}),
        remedy="If all calls fail like this, check the model's name and the server's base_url (most end with /v1).",
    ),
)
REJECTED = Fault(RequestRejected, remedy=_MEND)
"""Any other error."""
ENDED = Fault(ServerFailed, remedy=_TRY_AGAIN)
"""The finish reason ``error`` without an error object."""
REDIRECTED = Fault(
    NotFound,
    remedy="Redirects are not followed, because they would send the key and the prompt elsewhere. Correct the server's base_url.",
)


def fault_of(status: int | None, error: Any) -> Fault:
    """Find the row of the table for an error.

    Args:
        status: The HTTP status; None for an error inside a response with a status of success.
        error: The JSON value of ``error``, or the whole body without one.
    """
    codes = _codes(error)
    if status is not None and 300 <= status < 400:
        return REDIRECTED
    if status is None:  # a numeric code is an HTTP status
        status = next(
            (int(code) for code in sorted(codes) if code.isascii() and code.isdigit() and len(code) == 3), None
        )
    message = _words(error).lower()
    if status == 404 and isinstance(error, dict) and error.get("param") == "model":
        codes |= {"model_not_found"}
    return next((fault for fault in FAULTS if fault.fits(status, codes, message)), REJECTED)


def failure_of(server: Server, request: Request, status: int, headers: Mapping[str, str], body: bytes) -> CallError:
    """The CallError for a response with an error status.

    Args:
        server: The server.
        request: The request.
        status: 300 or more.
        headers: The response's.
        body: The response's, in any format.
    """
    error = _error(body)
    fault = fault_of(status, error)
    words = _words(error)
    if fault is REDIRECTED:
        location = next((value for name, value in headers.items() if name.lower() == "location"), "nowhere")
        words = f"it redirects to {location.rpartition('@')[2]:.200}"
    where = f"{request.model} on server {server.name!r}: HTTP {status}"
    return fault.kind(_sentence(where, words, fault, server), status=status, retry_after=retry_after(headers))


def failure_inside(server: Server, request: Request, error: Any) -> CallError:
    """The CallError for an error inside a response with status 2xx.

    A known code decides. Any other error counts as specific to the request: the server has processed it, would bill it again,
    and gives no sign that a retry would succeed.
    """
    fault = ENDED if error is None else fault_of(None, error)
    words = _words(error) if error else 'its finish_reason is "error"'
    where = f"{request.model} on server {server.name!r}: an error in place of the answer"
    return fault.kind(_sentence(where, words, fault, server))


def _sentence(where: str, words: str, fault: Fault, server: Server) -> str:
    remedy = fault.remedy
    if fault.kind is AuthenticationFailed:
        variable = server.api_key_variable
        remedy = (
            f"Check the key in {variable}." if variable else f'Give server {server.name!r} an api_key: "${{NAME}}".'
        )
    end = "" if words.endswith((".", "!", "?")) else "."
    return f"{where}: {words}{end} {remedy}"


def _error(body: bytes) -> Any:
    """The JSON value of ``error`` in a body; the body as text if it is not JSON."""
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError:
        return body[:LONGEST_WORDS].decode(errors="replace")
    if isinstance(content, list) and len(content) == 1:  # Gemini's endpoint
        content = content[0]
    return content["error"] if isinstance(content, dict) and content.get("error") else content


def _words(error: Any) -> str:
    """The server's own message."""
    words = error
    for name in ("message", "detail", "error"):
        if isinstance(error, dict) and error.get(name):
            words = error[name]
            break
    if not isinstance(words, str):
        try:
            words = orjson.dumps(words).decode() if words else ""
        except TypeError:  # nested too deep
            words = ""
    words = " ".join(words.split())
    return (words if len(words) <= LONGEST_WORDS else f"{words[:LONGEST_WORDS]} …") or "(no message)"


def _codes(error: Any) -> frozenset[str]:
    """The codes of an error in lower case: its code and type, and the inner codes of Azure and LiteLLM."""
    found = []
    while isinstance(error, dict):
        found += [error.get("code"), error.get("type")]
        further = error.get("provider_specific_fields")
        error = error.get("innererror") or (further if isinstance(further, dict) else None)
        if len(found) > 8:
            break
    return frozenset(str(code).lower() for code in found if isinstance(code, str | int) and not isinstance(code, bool))


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait, from ``retry-after-ms`` or ``Retry-After`` (seconds or a date); None if neither is usable."""
    lower = {name.lower(): value for name, value in headers.items()}
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            seconds = float(lower[name]) * unit
        except (KeyError, ValueError):
            continue
        if math.isfinite(seconds):
            return max(0.0, seconds)
    try:
        return max(0.0, parsedate_to_datetime(lower["retry-after"]).timestamp() - time.time())
    except (KeyError, ValueError, TypeError, IndexError, OverflowError, OSError):
        return None
