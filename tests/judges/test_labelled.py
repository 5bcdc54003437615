"""Calibrating judges: every grader that asks one, and each criterion separately."""

import asyncio
import json
from dataclasses import replace

import pytest

from distilltest.config import Judge
from distilltest.errors import DatasetError
from distilltest.judges.calibration import VARIED, Calibration, agreement_over, criterion_of
from distilltest.judges.labelled import GRADERS, CalibrationSetup, by_criterion, read
from distilltest.judges.questions import criteria_question, custom_question, label_question, score_question
from distilltest.records import Case, Completion, Model, Usage

JUDGE = Judge("judge", Model("judge", "local", "http://127.0.0.1:1/v1", "judge"), structured=True)
PROMPT = "messages:\n  - {role: user, content: 'Who? {{ item.audience }} {{ item.answer }} {{ item.format }}'}\n"
ROWS = {
    "criteria_match": [
        {"answer": "good", "criteria": "It is good.", "label": "Y"},
        {"answer": "bad", "criteria": "It is good.", "label": "n"},
    ],
    "semantic_similarity": [{"answer": "good", "reference": "good", "label": 5}],
    "factuality": [{"answer": "good", "reference": "good", "label": "C"}],
    "sentiment": [{"answer": "good", "label": "positive"}],
    "label_model": [
        {"answer": "good", "question": "Which?", "label": "good"},
        {"answer": "bad", "question": "Which?", "label": "bad"},
    ],
    "score_model": [
        {"answer": "good", "question": "How much?", "label": 9},
        {"answer": "bad", "question": "How much?", "label": "fail"},
    ],
    "custom_prompt": [
        {"answer": "good", "audience": "all", "label": "good"},
        {"answer": "bad", "audience": "all", "label": "bad"},
    ],
    "preference": [
        {"first": "good", "second": "bad", "label": 1},
        {"first": "bad", "second": "good", "label": "2"},
    ],
}


def cases(rows):
    return [Case(str(i), {"id": i, **row}, place=f"labels.jsonl:{i + 1}") for i, row in enumerate(rows)]


def rows_of(grader, tmp_path, rows=None):
    (tmp_path / "judge.yaml").write_text(PROMPT)
    prompt = "judge.yaml" if grader == "custom_prompt" else None
    return read(cases(rows or ROWS[grader]), CalibrationSetup(grader, prompt, tmp_path, span=(0.0, 10.0)))


def told(request):
    """A judge that knows the good answer to every question."""
    content = request.messages[-1]["content"]
    schema = request.parameters["response_format"]["json_schema"]["schema"]["properties"]["verdict"]
    good = "\ngood\n" in content
    if schema.get("enum", [""])[0] == "1" and "tie" in schema["enum"]:
        verdict = "1" if content.index("\ngood\n") < content.index("\nbad\n") else "2"
    elif "enum" not in schema:
        verdict = 8 if good else 1
    else:
        right = {"Y", "5", "C", "positive", "good"}
        verdict = next(label for label in schema["enum"] if (label in right) is good)
    return json.dumps({"reasons": "because", "verdict": verdict})


async def complete(request):
    return Completion("key", "local", "judge", told(request), "stop", usage=Usage(1, 1))


def test_the_graders_that_ask_a_judge_are_all_here():
    from distilltest.cli import judge

    assert set(ROWS) == set(GRADERS) == set(judge.GRADERS)


@pytest.mark.parametrize("grader", GRADERS)
def test_every_judged_grader_can_be_calibrated(grader, tmp_path):
    rows = rows_of(grader, tmp_path)

    async def ask():
        return [await row.said(JUDGE, complete) for row in rows]

    said = asyncio.run(ask())
    assert [verdict for verdict, _ in said] == [row.people for row in rows]
    pairs = [(row.people, verdict) for row, (verdict, _) in zip(rows, said, strict=True)]
    assert Calibration.of(grader, JUDGE, pairs, rows[0].labels, "labels.jsonl", "2026-01-01").n == len(rows)


@pytest.mark.parametrize(
    ("grader", "row", "words"),
    [
        (
            "score_model",
            {"answer": "x", "question": "?", "label": 11},
            "neither pass nor fail, nor a number from 0 to 10",
        ),
        ("score_model", {"answer": "x", "question": "?", "label": "good"}, "neither pass nor fail"),
        ("preference", {"first": "x", "second": "y", "label": "3"}, "is not one of 1, 2, tie"),
        ("preference", {"first": "x", "label": "1"}, 'no "second"'),
    ],
)
def test_an_invalid_row_is_reported_with_its_line(grader, row, words, tmp_path):
    with pytest.raises(DatasetError, match=words) as error:
        rows_of(grader, tmp_path, [row])
    assert "labels.jsonl:1" in str(error.value)


def test_agreement_belongs_to_one_criterion(tmp_path):
    polite, right = (criterion_of(criteria_question("x", what, root=tmp_path)) for what in ("Polite?", "Right?"))
    assert polite != right
    assert polite == criterion_of(criteria_question("another answer", "Polite?", root=tmp_path))
    assert criterion_of(score_question("?", "x", (0, 1), 0.5, root=tmp_path)) != criterion_of(
        score_question("?", "x", (0, 10), 0.5, root=tmp_path)
    )
    assert criterion_of(label_question("?", "x", ["a", "b"], ["a"], root=tmp_path)) == criterion_of(
        label_question("?", "y", ["b", "a"], ["b"], root=tmp_path)
    )
    (tmp_path / "judge.yaml").write_text(PROMPT)
    children, all_of_us = (
        criterion_of(custom_question("x", ["a", "b"], ["a"], {"audience": who}, prompt="judge.yaml", root=tmp_path))
        for who in ("children", "all")
    )
    assert children != all_of_us


def test_criteria_with_few_rows_are_measured_together(tmp_path):
    many = [{"answer": "good", "criteria": "It is good.", "label": "Y"}] * 12
    own = [{"answer": "good", "criteria": f"It is good {i}.", "label": "Y"} for i in range(5)]
    found = by_criterion(rows_of("criteria_match", tmp_path, [*many, *own]))
    assert sorted(map(len, found.values())) == [5, 12]
    assert found[VARIED] == [12, 13, 14, 15, 16]
    assert VARIED not in by_criterion(rows_of("criteria_match", tmp_path, many[:2]))


def test_a_report_shows_the_lowest_agreement_and_what_was_not_measured():
    good = Calibration.of("g", JUDGE, [("Y", "Y")] * 90 + [("N", "N")] * 10, "YN", "f", "2026-01-01")
    bad = Calibration.of("g", JUDGE, [("Y", "N")] * 9 + [("N", "N")] * 10, "YN", "f", "2026-01-01")
    assert agreement_over({}) == agreement_over({"a": None}) == "not measured with this criterion"
    assert "on 19 labels, the lowest of 3 criteria; not measured with 1 of 3" in agreement_over(
        {"a": good, "b": bad, "c": None}
    )
    assert agreement_over({"a": good}) == agreement_over({"a": good, "b": replace(good)})
