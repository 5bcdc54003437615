"""Asking the teacher for every training request, and keeping what it says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from distilltest.engine import Engine
from distilltest.prompt import Prompt
from distilltest.records import CallFailure, Case, Model, Request


@dataclass(frozen=True, slots=True)
class Collected:
    """What came of asking."""

    answers: Mapping[str, str]
    """Case id → the completion's key, in the order of the dataset."""
    sent: int
    failures: tuple[CallFailure, ...]


def collect(
    engine: Engine,
    model: Model,
    prompt: Prompt,
    cases: tuple[Case, ...],
    metadata: Mapping[str, str],
    progress: Callable[[int], None],
) -> Collected:
    """Ask a model for every case with ``store=True``; what is in the store already is not asked again.

    Args:
        engine: Where completions come from.
        model: Whom to ask.
        prompt: What to ask.
        cases: For each of these.
        metadata: Labels that the completions are kept with.
        progress: Told after each answer how many there are.
    """
    requests = [
        Request(
            server=model.server,
            base_url=model.base_url,
            model=model.model,
            messages=prompt.render(case),
            parameters=model.parameters,
            store=True,
            metadata=metadata,
        )
        for case in cases
    ]
    sent_before = engine.counts.sent
    keys: dict[int, str] = {}
    failures = []
    for done, (index, answer) in enumerate(engine.results(requests), start=1):
        if isinstance(answer, CallFailure):
            failures.append(answer)
        else:
            keys[index] = answer.key
        progress(done)
    answers = {cases[index].id: keys[index] for index in sorted(keys)}
    return Collected(answers, engine.counts.sent - sent_before, tuple(failures))
