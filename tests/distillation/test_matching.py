"""With ``keep: matching``, only answers that match the reference become examples."""

import pytest

from distilltest.distillation.matching import keep_matching
from distilltest.errors import DatasetError
from distilltest.records import Case, Completion
from distilltest.training_files.whole_file import LeftOut


def said(text):
    return Completion(key=text, server="s", model="m", trial=0, text=text, finish_reason="stop")


def case(reference, *alternatives):
    return Case("a", {}, reference=reference, alternatives=alternatives, place="train.jsonl:3")


def test_right_answers_and_alternatives_are_kept_and_the_rest_is_counted():
    left_out = LeftOut()
    answers = [
        (case("git status"), said(" git status\n")),
        (case("git switch docs", "git checkout docs"), said("git checkout docs")),
        (case("git status"), said("git log")),
    ]
    assert [answer.text for _, answer in keep_matching(answers, left_out)] == [" git status\n", "git checkout docs"]
    assert left_out.counts == {"not the reference": 1}


def test_a_request_without_a_reference_is_named():
    with pytest.raises(DatasetError, match=r"train.jsonl:3: case 'a' has no reference"):
        list(keep_matching([(case(None), said("git status"))], LeftOut()))
