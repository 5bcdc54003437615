"""Import the completions that a server stored, page by page; an interrupted import resumes after its last page."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from distilltest.errors import AuthenticationFailed, DistilltestError, EndpointMissing
from distilltest.exchange.completion_lines import BadLine
from distilltest.exchange.import_file import Imported
from distilltest.exchange.incoming import Answered, ImportContext, check_messages, from_server
from distilltest.records import fingerprint
from distilltest.store import Store, state_keys

if TYPE_CHECKING:
    from openai import OpenAI
    from openai.types.chat import ChatCompletion

PAGE = 100
"""Completions that are fetched, and added, at once."""
_AT_ONCE = 8
"""Requests for messages in flight; each completion needs one."""


@contextmanager
def server_errors(server: str) -> Iterator[None]:
    """Translate the official client's errors about stored completions into ours.

    Raises:
        EndpointMissing: The server does not store completions.
        AuthenticationFailed: The key is wrong, or may not read them.
        DistilltestError: The server refused, or cannot be reached.
    """
    import openai

    try:
        yield
    except openai.APIStatusError as error:
        status = error.status_code
        if status in (404, 405, 501):
            raise EndpointMissing(
                f"Server {server!r} has no stored completions (HTTP {status} on chat/completions). "
                "Export them where they are, and give the file: distilltest completions import FILE."
            ) from None
        if status in (401, 403):
            raise AuthenticationFailed(
                f"Server {server!r} refused: HTTP {status}: {error.message} Check its key, and that it may read stored "
                "completions.",
                status=status,
            ) from None
        raise DistilltestError(
            f"Server {server!r} refused: HTTP {status}: {error.message} What had arrived is kept; run the command again."
        ) from None
    except openai.APIConnectionError as error:
        raise DistilltestError(
            f"Server {server!r} is not reachable: {error} Run the same command again: it resumes after the last page."
        ) from None
    except (openai.APIError, ValueError) as error:  # for example, not JSON
        raise DistilltestError(f"Server {server!r} did not answer with a list of stored completions: {error}") from None


def import_from_server(
    client: OpenAI,
    store: Store,
    place: ImportContext,
    *,
    model: str | None = None,
    metadata: Mapping[str, str] | None = None,
    from_start: bool = False,
    progress: Callable[[int], None] = lambda _: None,
) -> Imported:
    """Add every stored completion of a server that the store does not have.

    Each page and its place in the server's list are one transaction, so a killed import resumes there and adds nothing twice.

    Args:
        client: A client of the server.
        store: The store to add to.
        place: The context that all completions share.
        model: Only completions of this model.
        metadata: Only completions with these labels.
        from_start: Read all pages again, including those of earlier imports.
        progress: Called after each page with the number of completions read.

    Raises:
        DistilltestError: The server has no such endpoint, refused, or cannot be reached.
    """
    from openai import omit

    labels = dict(metadata or {})
    state = state_keys.IMPORT.of(fingerprint(place.server.base_url, model, labels)[:32])
    result = Imported()
    with server_errors(place.server.name), ThreadPoolExecutor(_AT_ONCE) as pool:
        after = None if from_start else _known_place(client, (store.get_state(state) or {}).get("after"))
        while True:
            try:
                page = client.chat.completions.list(
                    after=after or omit, limit=PAGE, model=model or omit, metadata=labels or omit, order="asc"
                )
            except AttributeError:  # raised by the openai package for an HTML page
                raise ValueError("it is not JSON") from None
            data = _checked(page.data)
            if not data:
                return result
            answered = list(pool.map(lambda each: _with_messages(client, each), data))
            with store.adding() as adding:
                for each, found in zip(data, answered, strict=True):
                    try:
                        if isinstance(found, BadLine):
                            raise found
                        result.count(found.keep(adding, place), found.empty, f"{place.server.name}: {each.id}")
                    except BadLine as bad:
                        result.complain(f"{place.server.name}: {each.id}", str(bad))
                after = data[-1].id
                adding.set_state(state, {"after": after})
            progress(result.added + result.known + result.bad)
            if not page.has_more:
                return result


def _known_place(client: OpenAI, after: str | None) -> str | None:
    """The completion to resume after, if the server still has it."""
    import openai

    if after is None:
        return None
    try:
        client.chat.completions.retrieve(after)
    except openai.NotFoundError:
        return None
    return after


def _checked(data: Any) -> list[ChatCompletion]:
    if data is None:
        return []
    if not isinstance(data, list) or not all(isinstance(getattr(each, "id", None), str) for each in data):
        raise ValueError(f"{data!r:.60}")
    return data


def _with_messages(client: OpenAI, completion: ChatCompletion) -> Answered | BadLine:
    messages = [
        _message(message.model_dump(exclude_unset=True))
        for message in client.chat.completions.messages.list(completion.id, limit=PAGE, order="asc")
    ]
    try:
        return from_server(completion.model_dump(exclude_unset=True), check_messages(messages))
    except BadLine as bad:
        return bad


def _message(told: dict[str, Any]) -> dict[str, Any]:
    """A message as it was sent: without its id and the fields that the server adds."""
    parts = told.pop("content_parts", None)
    if parts and not told.get("content"):
        told["content"] = parts
    kept = {name: value for name, value in told.items() if name != "id" and (value is not None or name == "content")}
    if kept.get("annotations") == []:
        del kept["annotations"]
    return kept
