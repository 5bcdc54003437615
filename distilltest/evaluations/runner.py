"""Running an evaluation: fetch and grade the answers, compare the roles, decide."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple, Protocol

from distilltest.completions.engine import Engine
from distilltest.config import Config
from distilltest.errors import GraderFailed
from distilltest.evaluations.conclusion import result_of, table_of
from distilltest.evaluations.confusion import Confusion
from distilltest.evaluations.grading import BoundBody, GradingCall
from distilltest.evaluations.health import Health
from distilltest.evaluations.judge_context import EvaluationJudgeContext
from distilltest.evaluations.outcomes import Outcomes
from distilltest.evaluations.plan import Plan, PlannedRequest
from distilltest.evaluations.results import EvaluationResult
from distilltest.evaluations.source import demands_agreement
from distilltest.evaluations.worth import worth
from distilltest.gate import decide
from distilltest.records import NO_PREFERENCES, CallFailure, Case, Completion, Grade, Outcome
from distilltest.store import Store

if TYPE_CHECKING:
    from distilltest.evaluations.labels import Labels


class ProgressListener(Protocol):
    """Receives the progress of an evaluation."""

    def __call__(self, done: int, total: int, failed: int, waiting: int) -> None:
        """``done`` of ``total`` completions are graded, ``failed`` calls failed, and ``waiting`` answers wait for a judge."""


class GradedAnswer(NamedTuple):
    """An answer with its grades."""

    case: Case
    role: str
    trial: int
    answer: Completion | CallFailure
    grades: tuple[Grade, ...] = ()
    failure: GraderFailed | None = None
    """The error of a grader that could not grade the answer."""


class Waiting(NamedTuple):
    """An answer that still waits for a judge."""

    slot: PlannedRequest
    answer: Completion
    grades: Future[tuple[Grade, ...]]


@dataclass
class Runner:
    """Runs the evaluations of one session."""

    config: Config
    store: Store
    engine: Engine
    run_id: str
    progress: ProgressListener
    ahead: dict[str, list[PlannedRequest]] = field(default_factory=dict)
    waiting: deque[Waiting] = field(default_factory=deque)
    """Oldest first."""

    def prefetch(self, plan: Plan) -> None:
        """Start to fetch the first chunk of an evaluation while another one is graded."""
        # An evaluation that requires agreement checks its judges before it sends anything.
        if plan.id not in self.ahead and not demands_agreement(plan.evaluation.body):
            self.ahead[plan.id] = slots = plan.slots(plan.chunks()[0])
            self.engine.prefetch([request for *_, request in slots])

    def evaluate(self, plan: Plan, body: BoundBody, then: Callable[[], None] = lambda: None) -> EvaluationResult:
        """Fetch, grade, compare and decide; with interim analyses, stop as soon as one decides.

        Args:
            plan: The evaluation.
            body: The test function, bound to the item's fixtures.
            then: Called once when all requests of this plan are under way, to prefetch the next evaluation.

        Raises:
            DistilltestError: The suite or its data are wrong. Call failures are outcomes, not errors.
        """
        started = time.perf_counter()
        outcomes = Outcomes([case.id for case in plan.dataset.cases], list(plan.models))
        failed = 0
        confusion = Confusion()
        health = Health(body.name, [case.id for case in plan.dataset.cases])
        for role in plan.models:
            health.expect(role)
        context = EvaluationJudgeContext(self.config, self.engine, self.store, plan)
        if demands_agreement(plan.evaluation.body):
            from distilltest.evaluations.rehearsal import rehearse

            rehearse(plan, body, context, self.engine)
        chunks = plan.chunks()
        for number, chunk in enumerate(chunks):
            following = chunks[number + 1] if number + 1 < len(chunks) else None
            analysis = plan.analyses.cases.index(chunk.stop) if chunk.stop in plan.analyses.cases else None
            # Requests after an interim analysis are sent only if it does not stop the evaluation.
            slots = self._fetch(plan, chunk, None if analysis is not None else following)
            if following is None:
                then()
            answers = self._grade(slots, body, context, settle=analysis is not None)
            graded = self._keep(plan, answers, health, confusion, len(outcomes), failed)
            failed += sum(outcome.failure is not None for outcome in graded)
            outcomes.extend(graded)
            if analysis is None:
                continue
            health.check()
            cases = plan.cases[: chunk.stop]
            table = table_of(plan, self.config, cases, outcomes, health, body)
            verdict = decide(plan.gate, table, alpha=plan.analyses.level(analysis))
            reason = plan.analyses.stop(plan.gate, verdict, analysis)
            if reason is not None:
                break
        notes = [*confusion.notes(), *plan.notes, *_note_on_analyses(plan, analysis or 0, reason)]
        if plan.labels is not None:
            from distilltest.evaluations.labels import note_on

            notes.append(note_on(plan.labels, plan.models, outcomes))
        if reason is not None:
            verdict = replace(verdict, sentence=f"{verdict.sentence} (stopped early: {reason})")
            then()
        return result_of(
            plan,
            table,
            verdict,
            outcomes,
            store=self.store,
            run_id=self.run_id,
            level=plan.analyses.level(analysis or 0),
            judges=context.uses(),
            health=health,
            notes=tuple(notes),
            seconds=time.perf_counter() - started,
        )

    def _fetch(self, plan: Plan, chunk: range, following: range | None) -> list[PlannedRequest]:
        """Start to fetch a chunk, and the next one, which arrives while this one is graded."""
        slots = self.ahead.pop(plan.id, None)
        if slots is None:
            slots = plan.slots(chunk)
            self.engine.prefetch([slot.request for slot in slots])
        if following is not None:
            self.ahead[plan.id] = upcoming = plan.slots(following)
            self.engine.prefetch([slot.request for slot in upcoming])
        return slots

    def _keep(
        self,
        plan: Plan,
        answers: Iterator[GradedAnswer | None],
        health: Health,
        confusion: Confusion,
        done: int,
        failed: int,
    ) -> list[Outcome]:
        """Save the outcomes of one chunk; ``done`` and ``failed`` count the outcomes before it."""
        chunk: list[Outcome] = []
        grades: dict[tuple[str, str, int], tuple[Grade, ...]] = {}
        for each in answers:
            if each is not None:
                chunk.append(_outcome(each, plan.labels))
                plan.demand_a_grade(chunk[-1])
                grades[each.case.id, each.role, each.trial] = each.grades
                failed += chunk[-1].failure is not None
                if isinstance(each.answer, Completion):
                    health.add(each.case, each.role, each.answer, each.grades)
                    confusion.add(each.role, each.grades)
            self.progress(done + len(chunk), plan.calls, failed, len(self.waiting))
        self.store.save_outcomes(self.run_id, plan.id, chunk, grades)
        return chunk

    def _grade(
        self, slots: list[PlannedRequest], body: BoundBody, context: EvaluationJudgeContext, settle: bool
    ) -> Iterator[GradedAnswer | None]:
        """Grade answers as they arrive. Yields None for an answer that waits for a judge, and the answer once it is graded.

        Answers that still wait at the end of the chunk are yielded with the next chunk, so that the judges are never idle.
        Before an interim analysis (``settle``), all of them are awaited.
        """
        __tracebackhide__ = True
        due, whole = len(self.waiting), False
        try:
            for index, answer in self.engine.results([slot.request for slot in slots]):
                slot = slots[index]
                if isinstance(answer, CallFailure):
                    yield GradedAnswer(slot.case, slot.role, slot.trial, answer)
                    continue
                call = GradingCall(slot.case, answer, slot.role, slot.trial, context)
                if body.is_async:
                    self.waiting.append(Waiting(slot, answer, self.engine.submit(body.arun(call))))
                else:
                    try:
                        pending = body.run(call).pending
                    except GraderFailed as failure:
                        yield GradedAnswer(slot.case, slot.role, slot.trial, answer, failure=failure)
                        continue
                    if not pending:
                        yield GradedAnswer(slot.case, slot.role, slot.trial, answer, body.finish(call))
                        continue
                    self.waiting.append(Waiting(slot, answer, self.engine.submit(body.settle(call))))
                yield None
                while self.waiting and self.waiting[0].grades.done():
                    due -= 1
                    yield _settled(self.waiting.popleft())
            while self.waiting and (settle or due > 0):
                due -= 1
                yield _settled(self.waiting.popleft())
            whole = True
        finally:
            if not whole:
                for each in self.waiting:
                    each.grades.cancel()
                self.waiting.clear()


def _settled(waiting: Waiting) -> GradedAnswer:
    """The answer with its judges' grades."""
    (case, role, trial, _), answer, grades = waiting
    try:
        return GradedAnswer(case, role, trial, answer, grades.result())
    except GraderFailed as failure:
        return GradedAnswer(case, role, trial, answer, failure=failure)


def _outcome(graded: GradedAnswer, labels: Labels | None) -> Outcome:
    case, role, trial, answer, grades, failure = graded
    found = None if failure else worth(grades)
    if isinstance(answer, CallFailure):
        return Outcome(
            case.id, role, trial, None, None, answer.key, failure=answer.kind, failure_message=answer.message
        )
    return Outcome(
        case_id=case.id,
        role=role,
        trial=trial,
        passed=found[0] if found else None,
        score=found[1] if found else None,
        completion_key="" if answer.id else answer.key,
        completion_id=answer.id,
        failure=failure.kind if failure else None,
        failure_message=str(failure) if failure else "",
        cut_off=answer.finish_reason == "length",
        refused=bool(answer.refusal),
        # Imported answers, and those of older versions, have zero tokens where the server sent no usage.
        usage_known=answer.usage.known and answer.usage.prompt_tokens + answer.usage.completion_tokens > 0,
        prompt_tokens=answer.usage.prompt_tokens,
        completion_tokens=answer.usage.completion_tokens,
        cached_tokens=answer.usage.cached_tokens,
        latency=answer.latency,
        human=None if labels is None else labels.of(case, answer.text),
        unlabelled=labels is not None and labels.is_new(case, answer.text),
        preferences={grade.against: grade.score for grade in grades if grade.against} or NO_PREFERENCES,
    )


def _note_on_analyses(plan: Plan, analysis: int, reason: str | None) -> list[str]:
    """A sentence about the interim analyses, and the calls that stopping early saved."""
    if not plan.analyses.last:
        return []
    asked, total = plan.analyses.cases[analysis], len(plan.cases)
    bound = plan.analyses.level(analysis)
    level = (
        f"each rule was held to a level of {bound:.4f} there"
        if bound >= 0.0001
        else "each rule was held to a level below 0.0001 there"
    )
    if reason is None:
        return [f"Interim analyses: {analysis + 1}, the last of all {total} cases; {level}. No call was saved."]
    saved = (total - asked) * len(plan.models) * plan.evaluation.trials
    where = f"interim analysis {analysis + 1} of {plan.analyses.last + 1}, after {asked} of {total} cases"
    return [f"Stopped at {where}: {saved:,} calls were saved; {level}."]
