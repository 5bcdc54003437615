"""Asking a model for every request, chunk after chunk, and keeping what it says.

The engine asks for nothing twice and keeps every answer before it is used, so a collection that was interrupted, killed or
refused goes on where it was when the same requests are asked again.
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
"""Requests that are in memory at a time, and as many that are being fetched meanwhile."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, and the case that it is for."""

    case: Case
    request: Request


@dataclass
class Collected:
    """What came of asking, counted while it comes."""

    answers: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    """Kind of call failure → how many."""
    sentences: dict[str, str] = field(default_factory=dict)
    """Kind of call failure → what the first of them said."""

    @property
    def failed(self) -> int:
        """Requests that got no answer."""
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
    """The requests for cases, one after the other.

    Args:
        cases: What to ask about.
        model: Whom to ask.
        prompt: What to ask; None asks with a case's own messages, or with its text as the user message.
        labels: What the completions are kept with.
        sampling: In which ways; once where it is None.

    Raises:
        PromptError: The prompt names a field that a case does not have.
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
    """Why it is not known what to ask."""
    name = next((name for name in TEXT_FIELDS if name in case.item), None)
    if name is None:
        return (
            f"it has {', '.join(map(repr, case.item))}, and without a prompt it is not known what to ask. Give the request in "
            f'a field "messages" or {", ".join(TEXT_FIELDS)}, or name a prompt that takes other fields: --prompt FILE.'
        )
    if case.item[name] in (None, "") or isinstance(case.item[name], str):
        return f"{name!r} is empty. Fill it or take the row out."
    return f"{name!r} is no text. Write it in quotes, or name a prompt that takes it as it is: --prompt FILE."


def collect(
    engine: Engine,
    store: Store,
    requests: Iterable[Asked],
    collected: Collected,
    progress: Callable[[int], None],
) -> Iterator[tuple[Asked, Completion]]:
    """Ask for everything; what is in the store already is not asked again, but gets the labels too.

    Args:
        engine: Where completions come from.
        store: Where the engine keeps them.
        requests: What to ask. They are read while others are being answered, and never all in memory.
        collected: Counts what comes.
        progress: Told after each answer how many there are, failures too.

    Yields:
        Each request that has an answer with it, in the order of the requests, a chunk at a time.

    Raises:
        StoreError: An answer arrived and could not be made durable.
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
    """What was asked before under other labels, or under none, is found by these as well."""
    labels = some[0].request.metadata
    keys = [answer.key for answer in answers.values() if answer.from_store]
    if labels and keys:
        store.add_labels(keys, labels)


def count(store: Store, requests: Iterable[Asked]) -> tuple[int, int]:
    """How many answers there will be, and how many calls that takes; reads everything, so mistakes show before it costs.

    Raises:
        DistilltestError: A request cannot be made; the message says why.
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
