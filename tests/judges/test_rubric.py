"""Several weighted criteria in one call of a judge."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distilltest.errors import SuiteError
from distilltest.judges.answer import Unusable, read
from distilltest.judges.questions import rubric_question

ROOT = Path()
ASKED = rubric_question("an answer", {"It names a cause.": 2, "It is polite.": 1, "It is short.": 1}, 0.75, root=ROOT)


def said(verdict, structured=True, asked=ASKED):
    text = json.dumps({"reasons": "r", "verdict": verdict}) if structured else f"r\nVERDICT {asked.code}: {verdict}"
    return read(text, asked, structured)


def test_the_score_is_the_weight_of_the_criteria_that_are_met():
    assert said({"1": "Y", "2": "N", "3": "Y"}).score == 0.75
    assert said({"1": "N", "2": "N", "3": "N"}).score == 0.0
    assert said("1 Y, 2 N, 3 Y", structured=False).score == 0.75
    assert said("**1: y; 2: n; 3: Y.**", structured=False).verdict == "1 Y, 2 N, 3 Y"


@pytest.mark.parametrize(
    "verdict",
    [
        {"1": "Y"},
        {"1": "Y", "2": "N", "3": "maybe"},
        {"1": "Y", "2": "N", "3": "Y", "4": "Y"},
        "YNY",
        0.75,
        [],
        None,
        {"a": "Y"},
    ],
)
def test_every_criterion_must_be_judged(verdict):
    with pytest.raises(Unusable):
        said(verdict)


@pytest.mark.parametrize("verdict", ["1 Y, 2 N", "1 Y, 1 N, 2 Y, 3 Y", "Y N Y", "all", "1 Y, 2 N, 3 X"])
def test_every_criterion_must_be_judged_once_on_a_last_line(verdict):
    with pytest.raises(Unusable):
        said(verdict, structured=False)


def test_the_judge_is_shown_numbered_criteria_and_their_form():
    system, user = ASKED.messages(structured=True)
    assert "1. It names a cause.\n2. It is polite.\n3. It is short." in user["content"]
    assert '{"1": "Y", ...}' in system["content"]
    verdict = ASKED.response_format()["json_schema"]["schema"]["properties"]["verdict"]
    assert (verdict["required"], verdict["additionalProperties"]) == (["1", "2", "3"], False)


@pytest.mark.parametrize(
    ("criteria", "threshold"),
    [
        ({}, 1.0),
        ([], 1.0),
        ("one", 1.0),
        ({"a": 0}, 1.0),
        ({"a": -1}, 1.0),
        ({"a": True}, 1.0),
        ({" ": 1}, 1.0),
        ({"a": 1}, 2),
    ],
)
def test_an_invalid_rubric_is_refused(criteria, threshold):
    with pytest.raises(SuiteError, match="rubric: criteria="):
        rubric_question("a", criteria, threshold, root=ROOT)


@given(st.lists(st.tuples(st.floats(0.01, 100), st.booleans()), min_size=1, max_size=12), st.booleans())
def test_one_more_criterion_met_never_hurts(judged, structured):
    asked = rubric_question("a", {f"criterion {n}": weight for n, (weight, _) in enumerate(judged)}, root=ROOT)

    def score(met):
        words = {str(n): "Y" if one else "N" for n, one in enumerate(met, 1)}
        verdict = words if structured else ", ".join(f"{n} {word}" for n, word in words.items())
        return said(verdict, structured, asked).score

    met = [one for _, one in judged]
    before = score(met)
    assert 0 <= before <= 1
    assert (before == 1) == all(met)
    for place in range(len(met)):
        assert score([*met[:place], True, *met[place + 1 :]]) >= before
