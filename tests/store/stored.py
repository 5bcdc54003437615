"""Functions that fill a store with completions, runs and outcomes."""

from __future__ import annotations

import orjson

from distilltest.records import Completion, Grade, Outcome, Request
from distilltest.store import Store

GIT = "suites/test_git.py::test_writes_the_expected_command"
TERMS = "suites/test_terms.py::test_defines"


def asked(text: str, model: str = "teacher-1", **more: object) -> Request:
    return Request("s", "http://x/v1", model, ({"role": "user", "content": text},), **more)


def answered(request: Request, text: str = "git status", created: float = 1000.0, **more: object) -> Completion:
    return Completion(
        key=request.key, server="s", model=request.model, text=text, finish_reason="stop", created=created, **more
    )


def keep(store: Store, text: str, answer: str = "git status", created: float = 1000.0, **more: object) -> str:
    """Save one completion; return its key."""
    request = asked(text, **more)
    content = {"choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": answer}}]}
    store.save_all([(request, answered(request, answer, created), orjson.dumps(content))])
    return request.key


def grade(store: Store, run: str, evaluation: str, rows: list[tuple[str, str, str, bool]], trial: int = 0) -> None:
    """Save outcomes: (case, role, completion's key, passed)."""
    store.start_run(run, started=1.0, command="pytest")
    outcomes = [Outcome(case, role, trial, passed, float(passed), key) for case, role, key, passed in rows]
    grades = {
        (case, role, trial): (Grade("exact_match", float(passed), passed, "as wanted" if passed else "another text"),)
        for case, role, _, passed in rows
    }
    store.save_outcomes(run, evaluation, outcomes, grades)
    store.save_evaluation(run, evaluation, {"id": evaluation})
