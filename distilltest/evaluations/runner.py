"""Running an evaluation: fetch, grade, compare, decide."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from typing import NamedTuple, Protocol

from distilltest.comparison import ResultsTable
from distilltest.config import Config
from distilltest.engine import Engine
from distilltest.errors import JudgeFailed
from distilltest.evaluations.bench import JudgeBench
from distilltest.evaluations.changes import find_changes
from distilltest.evaluations.plan import CHUNK, Plan, Slot
from distilltest.gate import decide
from distilltest.grading import BoundBody, Call
from distilltest.records import CallFailure, Case, Completion, Grade, Model, Outcome, mean
from distilltest.results import EvaluationResult, JudgeUse
from distilltest.store import Store


class Progress(Protocol):
    """Who is told how far an evaluation is."""

    def __call__(self, done: int, total: int, failed: int) -> None:
        """So many completions of all are graded; so many calls failed."""


class Graded(NamedTuple):
    """One answer with what came of it."""

    case: Case
    role: str
    trial: int
    answer: Completion | CallFailure
    grades: tuple[Grade, ...] = ()
    failure: JudgeFailed | None = None
    """Why there are no grades although there is an answer."""


@dataclass
class Runner:
    """Runs evaluations of one session: engine, store, and where results go."""

    config: Config
    store: Store
    engine: Engine
    run_id: str
    progress: Progress
    ahead: dict[str, list[Slot]] = field(default_factory=dict)

    def prefetch(self, plan: Plan) -> None:
        """Begin to fetch an evaluation's first chunk while another one is being graded."""
        if plan.id not in self.ahead:
            self.ahead[plan.id] = slots = plan.slots()
            self.engine.prefetch([request for *_, request in slots])

    def evaluate(self, plan: Plan, body: BoundBody, then: Callable[[], None] = lambda: None) -> EvaluationResult:
        """Fetch, grade, compare, decide.

        Args:
            plan: The evaluation.
            body: Its body, bound to the item's fixtures.
            then: Called once when all of this plan's requests are under way: the moment to prefetch the next evaluation.

        Raises:
            DistilltestError: The suite or its data are wrong. Call failures are no error here: they are outcomes.
            Exception: Whatever the body raised.
        """
        started = time.perf_counter()
        outcomes: list[Outcome] = []
        failed = 0
        bench = JudgeBench(self.config, self.engine, self.store, plan)
        for graded in self._chunks(plan, body, bench, then):
            chunk = []
            grades: dict[tuple[str, str, int], tuple[Grade, ...]] = {}
            for each in graded:
                chunk.append(_outcome(each))
                grades[each.case.id, each.role, each.trial] = each.grades
                failed += chunk[-1].failure is not None
                self.progress(len(outcomes) + len(chunk), plan.calls, failed)
            chunk.sort(key=_position(plan))
            self.store.save_outcomes(self.run_id, plan.id, chunk, grades)
            outcomes += chunk
        return self._decide(plan, tuple(outcomes), bench.uses(), started)

    def _chunks(
        self, plan: Plan, body: BoundBody, bench: JudgeBench, then: Callable[[], None]
    ) -> Iterator[Iterator[Graded]]:
        """Chunk after chunk, each fetched while the one before it is graded."""
        slots = self.ahead.pop(plan.id, None) or plan.slots()
        for start in range(0, len(plan.cases), CHUNK):
            upcoming = plan.slots(start + CHUNK)
            self.engine.prefetch([request for *_, request in slots])
            self.engine.prefetch([request for *_, request in upcoming])
            if not upcoming:
                then()
            yield self._grade(slots, body, bench)
            slots = upcoming

    def _grade(self, slots: list[Slot], body: BoundBody, bench: JudgeBench) -> Iterator[Graded]:
        """Grade answers as they arrive; what waits for judges is on its way while further answers come in."""
        __tracebackhide__ = True
        waiting: list[tuple[Slot, Completion, Future[tuple[Grade, ...]]]] = []
        try:
            for index, answer in self.engine.results([slot.request for slot in slots]):
                slot = slots[index]
                if isinstance(answer, CallFailure):
                    yield Graded(slot.case, slot.role, slot.trial, answer)
                    continue
                call = Call(slot.case, answer, slot.role, slot.trial, bench)
                if body.is_async:
                    waiting.append((slot, answer, self.engine.submit(body.arun(call))))
                elif body.run(call).pending:
                    waiting.append((slot, answer, self.engine.submit(body.settle(call))))
                else:
                    yield Graded(slot.case, slot.role, slot.trial, answer, body.finish(call))
            for slot, answer, future in waiting:
                try:
                    yield Graded(slot.case, slot.role, slot.trial, answer, future.result())
                except JudgeFailed as failure:
                    yield Graded(slot.case, slot.role, slot.trial, answer, failure=failure)
        finally:
            for *_, future in waiting:
                future.cancel()

    def _decide(
        self, plan: Plan, outcomes: tuple[Outcome, ...], judges: tuple[JudgeUse, ...], started: float
    ) -> EvaluationResult:
        declared = plan.evaluation
        table = ResultsTable.from_outcomes(
            case_ids=[case.id for case in plan.cases],
            roles=list(plan.models),
            outcomes=outcomes,
            metric=declared.metric,
            trials=declared.trials,
            narrowed=plan.narrowed,
        )
        usd: dict[str, float | None] = {
            role: self._cost(plan.models[role], [o for o in outcomes if o.role == role]) for role in plan.models
        }
        table = replace(
            table,
            clusters=tuple(case.cluster for case in plan.cases),
            tags=tuple(case.tags for case in plan.cases),
            usd=usd,
            latencies={role: _latencies(plan, role, outcomes) for role in plan.models},
        )
        verdict = decide(declared.gate, table, alpha=self.config.alpha)
        return EvaluationResult(
            id=plan.id,
            dataset=plan.dataset.name,
            dataset_fingerprint=plan.dataset.fingerprint,
            cases=len(plan.dataset.cases),
            evaluated=len(plan.cases),
            prompts={role: prompt.name for role, prompt in plan.prompts.items()},
            prompt_fingerprints={role: prompt.fingerprint for role, prompt in plan.prompts.items()},
            models=plan.models,
            metric=declared.metric,
            trials=declared.trials,
            alpha=self.config.alpha,
            verdict=verdict,
            outcomes=outcomes,
            changes=find_changes(plan, outcomes, self.store, self.run_id),
            tags={case.id: case.tags for case in plan.cases if case.tags},
            usd=usd,
            judges=judges,
            seconds=time.perf_counter() - started,
        )

    def _cost(self, model: Model, outcomes: list[Outcome]) -> float | None:
        price = self.config.prices.get(model.model)
        if price is None or price.input is None or price.output is None:
            return None
        cached = price.input if price.cached_input is None else price.cached_input
        return (
            sum(
                (o.prompt_tokens - o.cached_tokens) * price.input
                + o.cached_tokens * cached
                + o.completion_tokens * price.output
                for o in outcomes
            )
            / 1e6
        )


def _outcome(graded: Graded) -> Outcome:
    case, role, trial, answer, grades, failure = graded
    if isinstance(answer, CallFailure):
        return Outcome(
            case.id, role, trial, None, None, answer.key, failure=answer.kind, failure_message=answer.message
        )
    return Outcome(
        case_id=case.id,
        role=role,
        trial=trial,
        passed=None if failure else all(grade.passed for grade in grades),
        score=None if failure else mean([grade.score for grade in grades]),
        completion_key=answer.key,
        failure=failure.kind if failure else None,
        failure_message=str(failure) if failure else "",
        prompt_tokens=answer.usage.prompt_tokens,
        completion_tokens=answer.usage.completion_tokens,
        cached_tokens=answer.usage.cached_tokens,
        latency=answer.latency,
        preferences={grade.against: grade.score for grade in grades if grade.against},
    )


def _latencies(plan: Plan, role: str, outcomes: tuple[Outcome, ...]) -> tuple[float | None, ...]:
    """The mean latency of each case's trials, None where a call failed."""
    found: dict[str, list[float]] = {}
    for outcome in outcomes:
        if outcome.role == role and outcome.latency:
            found.setdefault(outcome.case_id, []).append(outcome.latency)
    return tuple(mean(found[case.id]) if case.id in found else None for case in plan.cases)


def _position(plan: Plan) -> Callable[[Outcome], tuple[int, int, int]]:
    """Sort by case, role and trial: the order in which answers arrive must not show."""
    cases = {case.id: index for index, case in enumerate(plan.cases)}
    roles = {role: index for index, role in enumerate(plan.models)}
    return lambda outcome: (cases[outcome.case_id], roles[outcome.role], outcome.trial)
