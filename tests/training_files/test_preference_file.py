"""Preference files: clear preferences only, and all others counted."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from training_files.files import check_preferences

from distilltest.errors import DatasetError, TrainingFileError
from distilltest.training_files.preference_file import (
    PreferencePair,
    ScoredAnswer,
    by_pass,
    by_score,
    from_table,
    write_preferences,
)
from distilltest.training_files.whole_file import LeftOut

ASK = ({"role": "user", "content": "show the log"},)
SYSTEM = {"role": "system", "content": "Be short."}


def table(folder, name, rows):
    path = folder / name
    path.write_text("".join(json.dumps(row) + "\n" for row in rows) if name.endswith("jsonl") else rows)
    return path


def written(path):
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    return [
        (row["input"]["messages"], row["preferred_output"][0]["content"], row["non_preferred_output"][0]["content"])
        for row in rows
    ]


def test_of_two_graded_answers_the_one_that_passed_is_preferred():
    left_out = LeftOut()
    good, bad, lost = ScoredAnswer("git log", passed=True), ScoredAnswer("git status", passed=False), ScoredAnswer("x")
    pairs = [(ASK, good, bad), (ASK, bad, good), (ASK, good, good), (ASK, bad, bad), (ASK, lost, good)]
    assert list(by_pass(pairs, left_out)) == [PreferencePair(ASK, "git log", "git status")]
    assert left_out.counts == {
        "inconsistent: the rejected role passed, the chosen one failed": 1,
        "a tie: both passed": 1,
        "a tie: both failed": 1,
        "not graded": 1,
    }


def test_of_ranked_samples_the_best_is_preferred_to_the_worst():
    samples = [
        ScoredAnswer("b", score=0.5),
        ScoredAnswer("a", score=0.9),
        ScoredAnswer("c", score=0.1),
        ScoredAnswer("d"),
    ]
    left_out = LeftOut()
    assert list(by_score([(ASK, samples)], left_out)) == [PreferencePair(ASK, "a", "c")]
    assert left_out.counts == {"not graded": 1}
    assert [p.rejected for p in by_score([(ASK, samples)], left_out, neighbours=True)] == ["b", "c"]


def test_ties_single_answers_and_small_gaps_are_counted():
    left_out = LeftOut()
    same, close = (
        [ScoredAnswer("a", score=1), ScoredAnswer("b", score=1)],
        [ScoredAnswer("a", score=0.5), ScoredAnswer("b", score=0.4)],
    )
    samples = [(ASK, same), (ASK, same[:1]), (ASK, close), (ASK, [])]
    assert not list(by_score(samples, left_out, least_gap=0.2))
    assert left_out.counts == {"a tie": 1, "only one answer": 2, "a tie: scores differ by less than 0.2": 1}


def test_what_is_written_passes_the_checks_and_the_rest_is_counted(tmp_path):
    good = [PreferencePair(({"role": "user", "content": f"request {n}"},), "yes", "no") for n in range(60)]
    doubtful = [
        good[3],
        PreferencePair(ASK, "same ", "same"),
        PreferencePair(ASK, " ", "x"),
        PreferencePair(ASK, "a", "b"),
        PreferencePair(ASK, "b", "a"),
        PreferencePair(ASK, "a", "b"),
        PreferencePair((*ASK, {"role": "assistant", "content": "x"}, *ASK), "a", "b"),
        PreferencePair(({"role": "user", "content": [{"type": "image_url"}]},), "a", "b"),
    ]
    done = write_preferences(tmp_path / "new" / "f.jsonl", [*doubtful[3:4], *good, *doubtful])
    assert done.examples == 60
    assert done.left_out == {
        "the same pair twice": 3,
        "identical answers": 1,
        "an empty answer": 1,
        "more than one turn or no text": 2,
        "inconsistent: another pair says the opposite": 2,
    }
    assert check_preferences(done.path) == []
    assert list(tmp_path.glob("new/.*")) == []


def test_nothing_clear_is_an_error_and_no_file(tmp_path):
    path = tmp_path / "f.jsonl"
    path.write_text("as before")
    with pytest.raises(TrainingFileError, match=r"\(1 identical answers\). Nothing was written"):
        write_preferences(path, [PreferencePair(ASK, "a", "a")])
    assert path.read_text() == "as before"


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("f.jsonl", [{"q": "hello", "good": "yes", "bad": "no"}, {"q": "x", "good": "", "bad": "no", "z": 1}]),
        ("f.csv", "q,good,bad,z\nhello,yes,no,\nx,,no,1\n"),
        ("f.json", json.dumps([{"q": "hello", "good": "yes", "bad": "no"}, {"q": "x", "good": None, "bad": "no"}])),
    ],
)
def test_a_table_with_named_columns(tmp_path, name, rows):
    left_out = LeftOut()
    columns = {"instruction": "q", "chosen": "good", "rejected": "bad"}
    found = from_table(table(tmp_path, name, rows), left_out, **columns, system="Be short.")
    done = write_preferences(tmp_path / "out.jsonl", found, left_out)
    assert written(done.path) == [([SYSTEM, {"role": "user", "content": "hello"}], "yes", "no")]
    assert done.left_out == {"an empty field": 1}


def test_columns_may_hold_messages(tmp_path):
    said = [{"role": "user", "content": "hello"}, {"role": "assistant", "content": [{"type": "text", "text": "yes"}]}]
    row = {"instruction": said[:1], "chosen": said, "rejected": "no"}
    (found,) = from_table(table(tmp_path, "f.jsonl", [row]), LeftOut())
    assert found == PreferencePair(({"role": "user", "content": "hello"},), "yes", "no")


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (
            {"prompt": "x"},
            ":2: there is no column 'instruction'; there are 'prompt'. Name the right one with --instruction",
        ),
        ({}, "there are none"),
        ([1], ":2: the row is a list"),
        ({"instruction": 7, "chosen": "a", "rejected": "b"}, ":2: 'instruction' is a number"),
        ({"instruction": "x", "chosen": {"a": 1}, "rejected": "b"}, ":2: 'chosen' is an object"),
        ({"instruction": "x", "chosen": ["a"], "rejected": "b"}, "an entry that is not a message"),
    ],
)
def test_a_wrong_row_is_named_with_its_line(tmp_path, row, words):
    path = table(tmp_path, "f.jsonl", [{"instruction": "x", "chosen": "a", "rejected": "b"}, row])
    with pytest.raises(DatasetError) as caught:
        list(from_table(path, LeftOut()))
    assert words in str(caught.value)


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.tuples(*[st.sampled_from("abc ")] * 3), max_size=12))
def test_all_pairs_are_written_or_counted_and_nothing_contradicts(tmp_path, rows):
    pairs = [PreferencePair(({"role": "user", "content": q},), good, bad) for q, good, bad in rows]
    path = tmp_path / "f.jsonl"
    try:
        done = write_preferences(path, pairs)
    except TrainingFileError:
        return
    assert done.examples + sum(done.left_out.values()) == len(rows)
    found = {(m[0]["content"], good, bad) for m, good, bad in written(path)}
    assert not any((q, bad, good) in found for q, good, bad in found)
    assert all(finding.line == 0 for finding in check_preferences(path))
