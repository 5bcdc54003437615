"""Everything that distilltest raises on purpose, as one tree.

::

    DistilltestError                 the edges (plugin, CLI) catch this once and print it without a traceback
    ├── ConfigError                  distilltest.yaml, an option or an environment variable is wrong
    ├── DatasetError                 a dataset file is missing, broken, empty or lacks what a grader needs
    ├── PromptError                  a prompt file is broken or names a field that a case does not have
    ├── SuiteError                   a test function or a rule is written in a way that cannot work
    ├── StoreError                   the store cannot be opened, read or written
    ├── CallError                    a request got no completion
    │   ├── ServerUnreachable        the connection was lost, or there was no answer in time
    │   │   └── NoConnection         no connection could be made: an unknown name, a refused port, a failed TLS handshake
    │   ├── AuthenticationFailed     401, or the code of a key that is missing or invalid
    │   ├── QuotaSpent               402, or the code of a spent quota or an inactive account
    │   ├── ModelNotFound            the code of a model that the server does not have
    │   ├── NotFound                 404 without such a code: the model, the address, or this one call
    │   ├── Forbidden                403: this request is not allowed (moderation, region, permissions)
    │   ├── PromptTooLong            413, or the code of a prompt over the context length
    │   ├── ContentFiltered          a content filter rejected the prompt or withheld the answer
    │   ├── RequestRejected          any other 4xx, or another error in place of an answer: the request itself is wrong
    │   ├── RateLimited              429 until the retries ran out
    │   ├── BadAnswer                2xx, but not a chat completion: half a JSON, no choices, no content
    │   ├── ServerFailed             5xx until the retries ran out
    │   ├── NotSent                  calls before it all failed, so this one was not sent
    │   ├── Unexpected               a bug of ours in one call; the others go on
    │   ├── BudgetSpent              the money that may be spent is spent
    │   └── NotInStore               --offline, and the store has no such completion
    ├── AnswerError                  an answer is not what a test function took it for: in a body, a failed grade
    ├── GraderFailed                 a grader can say nothing of an answer: the case is without a grade, never 0 and never 1
    │   └── JudgeFailed              a judge gave no answer that can be used
    ├── EndpointMissing              the server does not offer this endpoint (404, 405, 501 on files, jobs, ...)
    ├── TrainingFileError            a training file breaks the rules of the format
    ├── PromotionsError              promotions.yaml is broken, was edited, or has no such entry
    ├── BadLines                     a file of completions has lines that cannot be imported
    └── JobFailed                    a fine-tuning job ended without a model

A message names the subject, the value and the remedy. It is complete: the edges add nothing to it.
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
"""The environment variable that shows tracebacks to whoever looks for a bug."""
_PACKAGE = Path(__file__).parent
_LONGEST = 2000
"""Characters of a line of a message."""


class DistilltestError(Exception):
    """The base of every error that a user can mend.

    Whatever a value of a file puts into the message, each line of it stays one that can be read, and no secret is in it.
    """

    def __init__(self, message: str = "") -> None:
        super().__init__(brief_lines(mask(message)))


class ConfigError(DistilltestError):
    """The configuration, an option or an environment variable is wrong."""


class DatasetError(DistilltestError):
    """A dataset file is missing, broken or empty, or a case lacks what a grader needs."""


class PromptError(DistilltestError):
    """A prompt file is broken, or names a field that a case does not have."""


class SuiteError(DistilltestError):
    """A test function, a grader call or a rule is written in a way that cannot work."""


class StoreError(DistilltestError):
    """The store cannot be opened, read or written."""


class CallError(DistilltestError):
    """A request got no completion after all retries. Recorded as a call failure, never as a grade.

    Each kind states here how it is treated; ``faults.py`` says which response is which kind.
    """

    kind = "call failed"
    """What a report calls this kind of failure, in two or three words."""
    permanent = False
    """Whether the same request would fail again, so that asking again is no remedy."""
    retried = False
    """Whether the same request is sent again, up to the server's ``max_retries``."""
    closes: Literal["server", "model"] | None = None
    """What one such failure closes: calls that wait are told the same and are not sent."""
    in_a_row: int | None = None
    """So many failures in a row without a success close the model; None: such a failure is the request's own and proves nothing
    about others. Kinds that are not retried count only for a model that has never answered in this session."""

    def __init__(self, message: str, *, status: int | None = None, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.status = status
        """The HTTP status, None where there was no answer."""
        self.retry_after = retry_after
        """Seconds that the server asked us to wait, from ``Retry-After``."""


_IN_A_ROW = 20
"""Enough that chance cannot explain it (if half of all calls failed, 20 in a row would happen once in a million), few enough that
a misspelled model costs a moment and not a night."""
_REJECTED_IN_A_ROW = 100
"""Rejections are cheap and often lie in the cases (the longest ones first, say), so more of them are waited for."""


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
        """Whether there has been no connection to this server in the session: an address that is wrong rather than a server
        that is away for a moment."""


class AuthenticationFailed(CallError):
    """The key is missing or invalid."""

    kind = "not authorised"
    closes = "server"


class QuotaSpent(CallError):
    """The account has no credit left, or a limit of spending is reached: waiting does not help."""

    kind = "quota spent"
    closes = "server"


class ModelNotFound(CallError):
    """The server does not have this model."""

    kind = "no such model"
    closes = "model"


class NotFound(CallError):
    """404 that does not say what is missing: the model, the address, or something of this one call."""

    kind = "not found"
    in_a_row = _IN_A_ROW


class Forbidden(CallError):
    """403: the server does not answer this request."""

    kind = "not allowed"
    permanent = True
    in_a_row = _REJECTED_IN_A_ROW


class PromptTooLong(CallError):
    """The prompt, with the answer's room, is over the model's context length."""

    kind = "prompt too long"
    permanent = True


class ContentFiltered(CallError):
    """A content filter rejected the prompt or withheld the answer."""

    kind = "content filter"
    permanent = True


class RateLimited(CallError):
    """429, again and again until the retries ran out."""

    kind = "rate limited"
    retried = True
    in_a_row = _IN_A_ROW


class BadAnswer(CallError):
    """The server said 2xx, but what it sent holds no answer."""

    kind = "unusable answer"
    retried = True
    in_a_row = _IN_A_ROW


class RequestRejected(CallError):
    """The server rejected the request itself (any other 4xx, or an error in place of an answer)."""

    kind = "request rejected"
    permanent = True
    in_a_row = _REJECTED_IN_A_ROW


class ServerFailed(CallError):
    """5xx, again and again until the retries ran out."""

    kind = "server error"
    retried = True
    in_a_row = _IN_A_ROW


class NotSent(CallError):
    """The calls of this model before it all failed, so this one was not sent."""

    kind = "not sent"


class Unexpected(CallError):
    """An exception that should not have happened while one call was made or its answer taken in."""

    kind = "internal error"


class BudgetSpent(CallError):
    """The configured budget is spent, so the request was not sent."""

    kind = "over budget"


class NotInStore(CallError):
    """Only stored completions were allowed, and this one is not in the store."""

    kind = "not in the store"


def is_permanent(kind: str) -> bool:
    """Whether a failure of this kind comes back when the same request is asked again.

    A judge's failure is named after that of its call, ``judge: content filter``, and counts as that one does.

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
    """What to do about calls that failed, in a sentence: those that would fail again are not worth another run.

    Args:
        failures: Kind of failure → how many.

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
    """An answer is not what a test function took it for (``completion.json()``). In a body it is a failed grade, and says why."""

    def __init__(self, message: str, *, grader: str) -> None:
        super().__init__(message)
        self.grader = grader
        """What the failed grade is called."""


class GraderFailed(DistilltestError):
    """A grader can say nothing of an answer, and the answer is not to blame: the case is without a grade, never 0 and never 1.

    Raise it in a grader of your own whose database is away, say. The evaluation goes on, and is incomplete where that matters.
    """

    def __init__(self, message: str, *, kind: str = "grader failed") -> None:
        super().__init__(message)
        self.kind = kind
        """What a report calls this kind of failure, in two or three words."""


NO_SCORE = "no score from a formula"
"""The kind of failure of a formula that gives no score in [0, 1] for the values of an answer."""


class JudgeFailed(GraderFailed):
    """A judge gave no verdict."""

    def __init__(self, message: str, *, kind: str) -> None:
        super().__init__(message, kind=kind)


class EndpointMissing(DistilltestError):
    """The server does not offer this endpoint; the message says what serves instead."""


class TrainingFileError(DistilltestError):
    """A training file breaks the rules of its format."""


class PromotionsError(DistilltestError):
    """promotions.yaml is broken, was edited, or has no such entry."""


class BadLines(DistilltestError):
    """A file of completions has lines that cannot be imported, so nothing of it was."""


class JobFailed(DistilltestError):
    """A fine-tuning job failed or was cancelled."""


def unexpected(error: BaseException) -> str:
    """What to say of an exception that is none of ours: what it was, where, and how to report it; never a traceback.

    With ``DISTILLTEST_DEBUG=1`` the traceback is there too.
    """
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if _PACKAGE in Path(frame.filename).parents]
    where = f" ({own[-1].filename}:{own[-1].lineno})" if own else ""
    said = traceback.format_exception_only(error)[-1].strip()
    text = (
        f"Internal error: {said}{where}. This is a bug in distilltest; whatever was stored before is safe. "
        f"Please report it with the traceback that the same command shows with {DEBUG}=1."
    )
    return f"{text}\n{''.join(traceback.format_exception(error))}" if os.environ.get(DEBUG) else text


def brief(text: str, width: int = 300) -> str:
    """A text that fits into a message: its beginning and its end.

    >>> brief("a long text that nobody reads to its end", 20)
    'a long te…to its end'
    """
    half = (width - 1) // 2
    return text if len(text) <= width else f"{text[:half]}…{text[len(text) - (width - 1 - half) :]}"


def brief_lines(text: str) -> str:
    """A message whose lines are not longer than somebody reads: in a broken file, any value may be of any length."""
    return text if len(text) <= _LONGEST else "\n".join(brief(line, _LONGEST) for line in text.split("\n"))


def at(path: Path | str, line: int | None = None) -> str:
    """Name a place the way editors understand it.

    >>> at("suites/cases.jsonl", 7)
    'suites/cases.jsonl:7'
    """
    return f"{path}:{line}" if line else f"{path}"
