"""Translate a server's errors about files and jobs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from distilltest.errors import DistilltestError, EndpointMissing

if TYPE_CHECKING:
    from openai import APIStatusError

_ELSEWHERE = "Tune with it on a server or trainer of your own, and evaluate the result with --candidate MODEL."
_AGAIN = "Run the same command again: it goes on where it was."


@contextmanager
def endpoint_errors(server: str, ready_file: Path | None = None, *, asked: str | None = None) -> Iterator[None]:
    """Translate the official client's errors into ours.

    Args:
        server: The server's name in distilltest.yaml.
        ready_file: A training file that stays usable after the error.
        asked: The id of the requested job or file.

    Raises:
        EndpointMissing: The server has no such endpoint, or takes no new jobs.
        DistilltestError: The server refused, cannot be reached, or does not speak the API.
    """
    import openai

    kept = f" The training file is ready: {ready_file}." if ready_file else ""
    try:
        yield
    except openai.APIStatusError as error:
        raise _explain(error, server, kept, asked) from None
    except openai.APIConnectionError as error:
        reason = f"{error.__cause__ or error}".rstrip(".")
        raise DistilltestError(f"Server {server!r} is not reachable: {reason}. {_AGAIN}{kept}") from None
    except openai.APIResponseValidationError as error:
        raise DistilltestError(f"Server {server!r} does not speak the API: {error}.{kept}") from None
    except ValueError as error:
        if not hasattr(error, "doc"):  # set by JSON decoding errors
            raise
        raise _no_json(server) from None
    except AttributeError as error:
        if not str(error).startswith("'str' object"):
            raise
        raise _no_json(server) from None  # the client expects a page and got a string


def _no_json(server: str) -> DistilltestError:
    return DistilltestError(
        f"Server {server!r} answered with text that is not JSON, or incomplete: perhaps a web page. "
        "Check its base_url, which ends with /v1."
    )


def _explain(error: APIStatusError, server: str, kept: str, asked: str | None) -> DistilltestError:
    status, words = error.status_code, _words(error)
    if status == 401:
        return DistilltestError(
            f"Server {server!r} does not accept the key (HTTP 401): {words} Check the environment variable that "
            f"api_key of {server!r} names in distilltest.yaml.{kept}"
        )
    if status == 403 and "training_not_available" in (str(error.code), words):
        return EndpointMissing(
            f"Server {server!r} takes no new fine-tuning jobs (HTTP 403, training_not_available): {words}{kept} {_ELSEWHERE}"
        )
    if status == 404 and asked is not None and asked in words and "/fine_tuning/" not in words:
        return DistilltestError(f"Server {server!r} has no {asked}. `distilltest finetune list` shows the jobs it has.")
    of_a_model = error.code == "model_not_found" or (status == 404 and "model" in words.casefold())
    if status in (405, 501) or (status == 404 and not of_a_model and not words.startswith("No such")):
        return EndpointMissing(f"Server {server!r} has no fine-tuning (HTTP {status}).{kept} {_ELSEWHERE}")
    return DistilltestError(f"Server {server!r} refused: HTTP {status}: {words}{kept}")


def _words(error: APIStatusError) -> str:
    """The server's own message."""
    body = error.body
    text = body.get("message") if isinstance(body, dict) else None
    if not isinstance(text, str) or not text:
        text = error.message
    text = " ".join(text.split())[:500]
    return text if text.endswith((".", "!", "?")) else f"{text}."


def no_page(answer: object, server: str) -> None:
    """Refuse an answer that is text (such as a web page), or a job without the required fields.

    Raises:
        DistilltestError: It is text, or has no id, status or time.
    """
    if isinstance(answer, str):
        raise _no_json(server)
    job = {name: getattr(answer, name, None) for name in ("id", "status", "created_at")}
    if hasattr(answer, "training_file") and not (
        isinstance(job["id"], str) and isinstance(job["status"], str) and isinstance(job["created_at"], int)
    ):
        raise DistilltestError(
            f"Server {server!r} does not speak the API: it sent no fine-tuning job with id, status and created_at."
        )
