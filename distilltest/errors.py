"""The errors that distilltest raises on purpose, as one tree.

::

    DistilltestError                 the plugin and the command line print it without a traceback
    ├── ConfigError                  distilltest.yaml, an option or an environment variable is wrong
    ├── DatasetError                 a dataset file is missing, broken or empty, or lacks a field that a grader needs
    ├── PromptError                  a prompt file is broken or uses a field that a case does not have
    ├── SuiteError                   a test function, a grader call or a rule cannot work as written
    ├── StoreError                   the store cannot be opened, read or written
    ├── CallError                    a request failed after all retries
    │   ├── ServerUnreachable        the connection was lost, or the answer did not arrive in time
    │   │   └── NoConnection         no connection: unknown host name, refused port, failed TLS handshake
    │   ├── AuthenticationFailed     401, or an error code for a missing or invalid key
    │   ├── QuotaSpent               402, or an error code for a spent quota or an inactive account
    │   ├── ModelNotFound            an error code for an unknown model
    │   ├── NotFound                 404 without such a code: the model, the address or this one call
    │   ├── Forbidden                403: the request is not allowed (moderation, region, permissions)
    │   ├── PromptTooLong            413, or an error code for a prompt over the context length
    │   ├── ContentFiltered          a content filter rejected the prompt or withheld the answer
    │   ├── RequestRejected          any other 4xx, or an error in place of an answer: the request is wrong
    │   ├── RateLimited              429 until the retries ran out
    │   ├── BadAnswer                2xx, but not a chat completion: truncated JSON, no choices, no content
    │   ├── ServerFailed             5xx until the retries ran out
    │   ├── NotSent                  earlier calls of the model all failed, so this one was not sent
    │   ├── Unexpected               a bug in distilltest affected one call; the others go on
    │   ├── BudgetSpent              the budget is spent
    │   └── NotInStore               --offline, and the store has no completion for the request
    ├── AnswerError                  a test function cannot use an answer: a failed grade
    ├── GraderFailed                 a grader cannot grade an answer: the case has no grade (neither 0 nor 1)
    │   └── JudgeFailed              a judge gave no usable answer
    ├── EndpointMissing              the server does not offer this endpoint (404, 405, 501 on files, jobs, ...)
    ├── TrainingFileError            a training file breaks the rules of the format
    ├── PromotionsError              promotions.yaml is broken, was edited, or has no such entry
    ├── BadLines                     a file of completions has lines that cannot be imported
    └── JobFailed                    a fine-tuning job ended without a model

A message names the subject, the value and the remedy. It is printed as it is.
"""

from __future__ import annotations

import os
import traceback
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Literal

from distilltest.untrusted.secrets import mask

DEBUG = "DISTILLTEST_DEBUG"
"""Environment variable: with ``1``, internal errors show their traceback."""
_PACKAGE = Path(__file__).parent
_LONGEST = 2000
"""Maximum length of one line of a message, in characters."""


class DistilltestError(Exception):
    """The base of every error that a user can fix.

    Secrets in the message are masked, and long lines are shortened.
    """

    def __init__(self, message: str = "") -> None:
        super().__init__(brief_lines(mask(message)))


class ConfigError(DistilltestError):
    """The configuration, an option or an environment variable is wrong."""


class DatasetError(DistilltestError):
    """A dataset file is missing, broken or empty, or a case lacks a field that a grader needs."""


class PromptError(DistilltestError):
    """A prompt file is broken, or uses a field that a case does not have."""


class SuiteError(DistilltestError):
    """A test function, a grader call or a rule cannot work as written."""


class StoreError(DistilltestError):
    """The store cannot be opened, read or written."""


class CallError(DistilltestError):
    """A request failed after all retries. It is recorded as a call failure, never as a grade.

    Each subclass declares how it is handled; ``faults.py`` maps responses to subclasses.
    """

    kind = "call failed"
    """The name of this kind of failure in reports, in two or three words."""
    permanent = False
    """True if the same request would fail again."""
    retried = False
    """True if the request is retried, up to the server's ``max_retries``."""
    closes: Literal["server", "model"] | None = None
    """What one such failure closes. Waiting calls to it get the same error and are not sent."""
    in_a_row: int | None = None
    """Consecutive failures that close the model; None if a failure says nothing about other requests.
    Errors that are not retried count only for a model that has not answered yet in this session."""

    def __init__(self, message: str, *, status: int | None = None, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.status = status
        """The HTTP status, None without a response."""
        self.retry_after = retry_after
        """Seconds to wait, from ``Retry-After``."""


_IN_A_ROW = 20
"""Too many to be chance (at a failure rate of one half, 20 in a row happen once in a million), and few enough that a
misspelled model name costs a moment."""
_REJECTED_IN_A_ROW = 100
"""Rejections are cheap, and often concern single cases (say, the longest ones), so the limit is higher."""


class ServerUnreachable(CallError):
    """The connection was lost, or there was no answer within the timeout."""

    kind = "server not reachable"
    retried = True
    in_a_row = _IN_A_ROW


class NoConnection(ServerUnreachable):
    """No connection could be made."""

    closes = "server"

    def __init__(self, message: str, *, first_contact: bool = False) -> None:
        super().__init__(message)
        self.first_contact = first_contact
        """True if this session has never connected to the server: the address may be wrong. Otherwise the server may be away for
        a moment."""


class AuthenticationFailed(CallError):
    """The key is missing or invalid."""

    kind = "not authorised"
    closes = "server"


class QuotaSpent(CallError):
    """The account has no credit left, or has reached its spending limit. Waiting does not help."""

    kind = "quota spent"
    closes = "server"


class ModelNotFound(CallError):
    """The server does not have this model."""

    kind = "no such model"
    closes = "model"


class NotFound(CallError):
    """404 without a code: the model, the address or a part of this call is missing."""

    kind = "not found"
    in_a_row = _IN_A_ROW


class Forbidden(CallError):
    """403: the server does not allow this request."""

    kind = "not allowed"
    permanent = True
    in_a_row = _REJECTED_IN_A_ROW


class PromptTooLong(CallError):
    """The prompt and the tokens reserved for the answer exceed the model's context length."""

    kind = "prompt too long"
    permanent = True


class ContentFiltered(CallError):
    """A content filter rejected the prompt or withheld the answer."""

    kind = "content filter"
    permanent = True


class RateLimited(CallError):
    """429 until the retries ran out."""

    kind = "rate limited"
    retried = True
    in_a_row = _IN_A_ROW


class BadAnswer(CallError):
    """The server responded with 2xx, but the response contains no answer."""

    kind = "unusable answer"
    retried = True
    in_a_row = _IN_A_ROW


class RequestRejected(CallError):
    """The server rejected the request itself (any other 4xx, or an error in place of an answer)."""

    kind = "request rejected"
    permanent = True
    in_a_row = _REJECTED_IN_A_ROW


class ServerFailed(CallError):
    """5xx until the retries ran out."""

    kind = "server error"
    retried = True
    in_a_row = _IN_A_ROW


class NotSent(CallError):
    """Earlier calls of this model all failed, so this one was not sent."""

    kind = "not sent"


class Unexpected(CallError):
    """A bug in distilltest: an unexpected exception while a call was made or its answer processed."""

    kind = "internal error"


class BudgetSpent(CallError):
    """The configured budget is spent, so the request was not sent."""

    kind = "over budget"


class NotInStore(CallError):
    """``--offline`` allows stored completions only, and the store has none for this request."""

    kind = "not in the store"


def is_permanent(kind: str) -> bool:
    """Whether a failure of this kind would happen again if you repeat the request.

    A judge's failure has the kind of its call, ``judge: content filter``, and counts like it.

    >>> is_permanent("prompt too long"), is_permanent("judge: prompt too long"), is_permanent("server error")
    (True, True, False)
    """
    return kind.rpartition(": ")[2] in _permanent_kinds()


@cache
def _permanent_kinds() -> frozenset[str]:
    found, to_see = {NO_SCORE}, [CallError]
    while to_see:
        error = to_see.pop()
        to_see += error.__subclasses__()
        found |= {error.kind} if error.permanent else set()
    return frozenset(found)


def asking_again(failures: Mapping[str, int]) -> str:
    """What to do about failed calls, in one sentence.

    Args:
        failures: Kind of failure → count.

    >>> asking_again({"server error": 2})
    'Run the same command again: only these are asked.'
    >>> asking_again({"server error": 2, "prompt too long": 1})
    'Run the same command again: only these are asked. 1 of them would fail again: change it, leave it out, or change the model.'
    >>> asking_again({"prompt too long": 3})
    'They would fail again: change them, leave them out, or change the model.'
    """
    for_good = sum(count for kind, count in failures.items() if is_permanent(kind))
    run = "Run the same command again: only these are asked."
    if not for_good:
        return run
    them = "it" if for_good == 1 else "them"
    remedy = f"would fail again: change {them}, leave {them} out, or change the model."
    if for_good < sum(failures.values()):
        return f"{run} {for_good} of them {remedy}"
    return f"{'It' if for_good == 1 else 'They'} {remedy}"


class AnswerError(DistilltestError):
    """A test function cannot use an answer (``completion.json()``). In its body this becomes a failed grade with this reason."""

    def __init__(self, message: str, *, grader: str) -> None:
        super().__init__(message)
        self.grader = grader
        """The name of the failed grade."""


class GraderFailed(DistilltestError):
    """A grader cannot grade an answer, for a reason other than the answer: the case has no grade (neither 0 nor 1).

    Raise it in your own grader, for example when its database is not available. The evaluation goes on, and is incomplete if the
    missing grade matters.
    """

    def __init__(self, message: str, *, kind: str = "grader failed") -> None:
        super().__init__(message)
        self.kind = kind
        """The name of this kind of failure in reports, in two or three words."""


NO_SCORE = "no score from a formula"
"""The kind of failure if a formula gives no score in [0, 1] for an answer."""


class JudgeFailed(GraderFailed):
    """A judge gave no verdict."""

    def __init__(self, message: str, *, kind: str) -> None:
        super().__init__(message, kind=kind)


class EndpointMissing(DistilltestError):
    """The server does not offer this endpoint; the message names an alternative."""


class TrainingFileError(DistilltestError):
    """A training file breaks the rules of its format."""


class PromotionsError(DistilltestError):
    """promotions.yaml is broken, was edited, or has no such entry."""


class BadLines(DistilltestError):
    """A file of completions has lines that cannot be imported; nothing was imported."""


class JobFailed(DistilltestError):
    """A fine-tuning job failed or was cancelled."""


def unexpected(error: BaseException) -> str:
    """The message for an unexpected exception: what it is, where it was raised and how to report it.

    With ``DISTILLTEST_DEBUG=1`` it ends with the traceback.
    """
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if _PACKAGE in Path(frame.filename).parents]
    where = f" ({own[-1].filename}:{own[-1].lineno})" if own else ""
    shown = traceback.format_exception_only(error)[-1].strip()
    text = (
        f"Internal error: {shown}{where}. This is a bug in distilltest; everything stored before is safe. "
        f"Please report it with the traceback; {DEBUG}=1 shows it."
    )
    return f"{text}\n{''.join(traceback.format_exception(error))}" if os.environ.get(DEBUG) else text


def brief(text: str, width: int = 300) -> str:
    """Shorten a text for a message: its beginning and its end.

    >>> brief("a long text that few people read to its end", 20)
    'a long te…to its end'
    """
    half = (width - 1) // 2
    return text if len(text) <= width else f"{text[:half]}…{text[len(text) - (width - 1 - half) :]}"


def brief_lines(text: str) -> str:
    """Shorten the lines of a message, because a value of a broken file may have any length."""
    return text if len(text) <= _LONGEST else "\n".join(brief(line, _LONGEST) for line in text.split("\n"))


def at(path: Path | str, line: int | None = None) -> str:
    """Format a place as editors understand it.

    >>> at("suites/cases.jsonl", 7)
    'suites/cases.jsonl:7'
    """
    return f"{path}:{line}" if line else f"{path}"
