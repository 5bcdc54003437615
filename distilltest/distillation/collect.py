"""Collect a model's answers to many requests, chunk by chunk.

The engine sends no request twice and stores every answer before it is used. After an interruption, collecting the same requests
again continues where it stopped.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice

from distilltest.completions.engine import Engine
from distilltest.data.prompt import Prompt
from distilltest.distillation.sampling import Sampling
from distilltest.errors import DatasetError
from distilltest.records import CallFailure, Case, Completion, Model, Request
from distilltest.store import Store
from distilltest.training_files.inputs import TEXT_FIELDS, messages_of

CHUNK = 500
"""The requests of a chunk; the next chunk is prefetched, so twice as many are in memory."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request and its case."""

    case: Case
    request: Request


@dataclass
class Collected:
    """Counts answers and failures while they arrive."""

    answers: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    """Kind of call failure → the number of failures."""
    sentences: dict[str, str] = field(default_factory=dict)
    """Kind of call failure → the message of the first one."""

    @property
    def failed(self) -> int:
        """The number of requests without an answer."""
        return self.failures.total()

    def add(self, failure: CallFailure) -> None:
        """Count a failure."""
        self.failures[failure.kind] += 1
        self.sentences.setdefault(failure.kind, failure.message)


def asked(
    cases: Iterable[Case],
    model: Model,
    prompt: Prompt | None,
    labels: Mapping[str, str],
    sampling: Sampling | None = None,
) -> Iterator[Asked]:
    """Make the requests for cases.

    Args:
        cases: The cases.
        model: The model to send them to.
        prompt: The prompt; None sends the messages of a case, or its text as the user message.
        labels: The labels of the completions in the store.
        sampling: How often and with which parameters each case is sent; once if None.

    Raises:
        PromptError: The prompt uses a field that a case does not have.
        DatasetError: There is no prompt, and a case has neither messages nor a text.
    """
    sampling = sampling or Sampling()
    for case in cases:
        messages = prompt.render(case) if prompt else messages_of(case)
        if messages is None:
            raise DatasetError(f"{case.place}: {_why_nothing(case)}")
        for request in sampling.requests(model, messages, labels):
            yield Asked(case, request)


def _why_nothing(case: Case) -> str:
    """Why a case cannot be sent without a prompt."""
    name = next((name for name in TEXT_FIELDS if name in case.item), None)
    if name is None:
        return (
            f"it has {', '.join(map(repr, case.item))}, but no text to send. Give the request in "
            f'a field "messages" or {", ".join(TEXT_FIELDS)}, or name a prompt that uses other fields: --prompt FILE.'
        )
    if case.item[name] in (None, "") or isinstance(case.item[name], str):
        return f"{name!r} is empty. Fill it or take the row out."
    return f"{name!r} is not a text. Write it in quotes, or name a prompt that uses it: --prompt FILE."


def collect(
    engine: Engine,
    store: Store,
    requests: Iterable[Asked],
    collected: Collected,
    progress: Callable[[int], None],
) -> Iterator[tuple[Asked, Completion]]:
    """Send requests; those whose answer is in the store are not sent, but their completions get the labels.

    Args:
        engine: The engine that sends requests.
        store: The store of the engine.
        requests: The requests; they are read chunk by chunk.
        collected: Counts answers and failures.
        progress: Called after each answer or failure with their number.

    Yields:
        Each answered request with its answer, in the order of the requests.

    Raises:
        StoreError: An answer could not be stored.
    """
    source = iter(requests)
    done = 0
    some = list(islice(source, CHUNK))
    engine.prefetch(each.request for each in some)
    while some:
        following = list(islice(source, CHUNK))
        engine.prefetch(each.request for each in following)
        answers: dict[int, Completion] = {}
        for index, answer in engine.results([each.request for each in some]):
            done += 1
            if isinstance(answer, CallFailure):
                collected.add(answer)
            else:
                answers[index] = answer
            progress(done)
        _label(store, some, answers)
        collected.answers += len(answers)
        for index in sorted(answers):
            yield some[index], answers[index]
        some = following


def _label(store: Store, some: list[Asked], answers: Mapping[int, Completion]) -> None:
    """Add the labels to completions that were in the store before."""
    labels = some[0].request.metadata
    keys = [answer.key for answer in answers.values() if answer.from_store]
    if labels and keys:
        store.add_labels(keys, labels)


def count(store: Store, requests: Iterable[Asked]) -> tuple[int, int]:
    """Count the answers and the calls that they need. All requests are made, so mistakes show before anything is sent.

    Raises:
        DistilltestError: A request cannot be made.
    """
    total = 0
    calls = set[bytes]()
    source = iter(requests)
    while some := list(islice(source, CHUNK)):
        total += len(some)
        keys = [each.request.key for each in some]
        there = store.known_keys(keys)
        calls |= {bytes.fromhex(key)[:12] for key in keys if key not in there}
    return total, len(calls)
