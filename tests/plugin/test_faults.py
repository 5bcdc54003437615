"""Faults of the server as the user sees them: the verdict, the exit code and the error."""

from typing import Any, NamedTuple

import pytest
from plugin.answering_server import chat_answer

from distilltest.exit_codes import INCOMPLETE

CASES = 60


def answer(number, **changes):
    whole = chat_answer("candidate", f"answer {number}")
    whole["choices"][0].update(changes.pop("choice", {}))
    whole["choices"][0]["message"].update(changes.pop("message", {}))
    return {**whole, **changes}


class Row(NamedTuple):
    """What one case of the candidate gets, and what the user sees."""

    reply: Any
    """Number of the case → status, body."""
    words: tuple[str, ...]
    promoted: bool
    """False: incomplete, because asking again may bring the answer."""


EVEN_IF = ("promote: *1 of 60 cases has no answer of the candidate; even if the candidate fails it*",)
"""What fails for good is decided by the worst case."""

ROWS = {
    "content filter": Row(
        lambda n: (200, answer(n, choice={"finish_reason": "content_filter"})),
        EVEN_IF,
        True,
    ),
    "error in the choice": Row(
        lambda n: (200, answer(n, choice={"error": {"message": "moderated", "code": 403}})), EVEN_IF, True
    ),
    "null content": Row(lambda n: (200, answer(n, message={"content": None})), ("*unusable answer*",), False),
    "403 of a case": Row(lambda n: (403, {"error": {"message": "flagged"}}), EVEN_IF, True),
    "404 of a case": Row(lambda n: (404, {"error": {"message": "gone"}}), ("*not found*",), False),
    "text parts": Row(
        lambda n: (
            200,
            answer(n, message={"content": [{"type": "text", "text": "answer "}, {"type": "text", "text": str(n)}]}),
        ),
        ("promote*",),
        True,
    ),
    "odd usage": Row(
        lambda n: (200, answer(n, usage={"prompt_tokens": "ten"})),
        ("*candidate: the server sent no usage with 1 of 60 answers*",),
        True,
    ),
    "cut off": Row(lambda n: (200, answer(n, choice={"finish_reason": "length"})), ("promote*",), True),
}


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_a_fault_in_one_case_is_never_a_wrong_answer(project, row):
    project.cases(CASES)
    project.suite(gate='[better_than("base")]')
    usual = project.server.answer({"model": "candidate", "messages": [{"content": "number 7"}]})
    assert usual[0] == 200
    project.server.calls.clear()
    project.server.special["candidate"] = lambda model, n: (
        row.reply(n) if n == 7 else (200, chat_answer(model, f"answer {n}"))
    )
    result = project.run()
    assert result.ret == (0 if row.promoted else INCOMPLETE)
    result.stdout.fnmatch_lines(list(row.words))
    assert "Traceback" not in result.stdout.str() + result.stderr.str()


@pytest.mark.parametrize(
    ("status", "error", "words"),
    [
        (
            429,
            {"message": "You exceeded your current quota", "code": "insufficient_quota"},
            ["*quota spent*", "*Add credit*"],
        ),
        (401, {"message": "bad key", "code": "invalid_api_key"}, ["*not authorised*", "*HTTP 401: bad key.*"]),
    ],
    ids=["quota", "key"],
)
def test_a_closed_server_ends_the_run_at_once_with_the_right_advice(project, status, error, words):
    project.at_once(4)
    text = (project.root / "distilltest.yaml").read_text()
    project.write("distilltest.yaml", text.replace("retries: 1", "retries: 5"))
    project.server.special |= dict.fromkeys(("base", "teacher", "candidate"), lambda _m, _n: (status, {"error": error}))
    result = project.run()
    assert result.ret == INCOMPLETE
    result.stdout.fnmatch_lines(words)
    assert "max_concurrency" not in result.stdout.str()
    assert project.server.calls.total() <= 4


def test_a_candidate_that_always_answers_400_is_given_up_and_the_rest_is_said_to_be_unsent(project):
    project.cases(300)
    project.server.special["candidate"] = lambda _m, _n: (400, {"error": {"message": "Unsupported parameter: 'x'"}})
    result = project.run()
    assert result.ret == INCOMPLETE
    sent = sum(count for (model, _), count in project.server.calls.items() if model == "candidate")
    assert 100 <= sent < 300
    result.stdout.fnmatch_lines(["*not sent*"])
