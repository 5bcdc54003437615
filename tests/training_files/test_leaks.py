"""Leaks: planted cases are found in every place and with every change, and no others are."""

import json
import random
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pages import page_named
from training_files.files import example, pair, write
from training_files.planted import CHANGES, KINDS, PLACES, conversation, look_alikes

from distilltest.training_files.examples import REQUEST
from distilltest.training_files.overlap import find_overlap

FIXTURES = Path(__file__).parents[2] / "fixtures" / "git_requests"
INSTRUCTION = (
    "Read the following ticket of a customer carefully, decide which department has to handle it and how urgent it is, and "
    "answer with one line of JSON only: "
)


def git(name):
    rows = map(json.loads, (FIXTURES / f"{name}.jsonl").read_text().splitlines())
    return [(row["request"], row["reference"]) for row in rows]


TEST, TRAIN = git("test"), git("train")


def letters(requests, many, seed):
    """Texts about as long as a question of GSM8K, each made of four requests."""
    chance = random.Random(seed)
    found = []
    for _ in range(many):
        said = chance.sample(requests, 4)
        asked = ". ".join(f"{text} in {chance.randint(2, 90)} minutes" for text, _ in said)
        found.append((asked, "\n".join(answer for _, answer in said)))
    return found


def found_in(tmp_path, cases, rows):
    texts = [(str(number), text) for number, (text, _) in enumerate(cases)]
    return find_overlap(write(tmp_path / "train.jsonl", rows), texts)


def examples(pairs):
    return [example(*each) for each in pairs]


def planted_and_found(tmp_path, kind, cases, others, seed):
    """The planted cases, and those of them that were found."""
    chance = random.Random(seed)
    some = [number for number, (text, _) in enumerate(cases) if kind != "numbers changed" or re.search(r"\d", text)]
    rows = examples(others) + [KINDS[kind](chance, *cases[number], others) for number in some]
    found = found_in(tmp_path, cases, rows)
    return some, {int(pair.case_id) for pair in found.pairs if pair.line > len(others)}, found


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=2, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10_000))
def test_a_planted_case_is_found_wherever_it_stands_and_however_it_is_changed(tmp_path, kind, seed):
    some, found, _ = planted_and_found(tmp_path, kind, letters(TEST, 60, seed), letters(TRAIN, 200, seed), seed)
    assert len(found) >= 0.95 * len(some)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "three words changed"])
def test_a_planted_short_request_is_found(tmp_path, kind):
    cases = [(text, answer) for text, answer in TEST if len(text.split()) >= 3]
    cases = random.Random(3).sample(cases, 120) if kind != "numbers changed" else cases
    some, found, _ = planted_and_found(tmp_path, kind, cases, TRAIN, 20261121)
    assert len(found) >= 0.95 * len(some)


@pytest.mark.parametrize("kind", [*PLACES, "Cyrillic look-alikes", "punctuation stripped", "added instruction"])
def test_a_case_that_is_there_as_a_whole_is_leaked_not_only_near(tmp_path, kind):
    some, _, found = planted_and_found(tmp_path, kind, letters(TEST, 60, 1), letters(TRAIN, 200, 1), 1)
    assert {*found.leaked} >= {str(number) for number in some}


def test_a_whole_evaluation_in_earlier_turns_is_leaked(tmp_path):
    rows = [conversation(*case, *asked) for case, asked in zip(TEST, TRAIN, strict=False)]
    found = found_in(tmp_path, TEST, [*rows, *examples(TRAIN[len(TEST) :])])
    assert len(found.leaked) >= 0.95 * len(TEST)
    assert len(found.leaked) + len(found.near) == len(TEST)


def test_requests_that_were_written_apart_are_not_near(tmp_path):
    found = found_in(tmp_path, TEST, examples(TRAIN))
    assert not found.leaked
    assert len(found.near) <= 0.01 * len(TEST)


def test_an_instruction_that_all_share_makes_no_tickets_near(tmp_path):
    cases, others = ([(INSTRUCTION + text, said) for text, said in some] for some in (TEST, TRAIN))
    found = found_in(tmp_path, cases, examples(others))
    assert not found.leaked
    assert len(found.near) <= 0.01 * len(TEST)
    cases, others = ([(INSTRUCTION + text, said) for text, said in letters(some, 100, 1)] for some in (TEST, TRAIN))
    for kind in CHANGES:
        some, there, _ = planted_and_found(tmp_path, kind, cases, others, 2)
        assert len(there) >= 0.95 * len(some), kind


def test_a_prompt_with_a_leak_that_all_lines_begin_with_is_no_common_phrase(tmp_path):
    shots = "\n".join(f"Q: {text}\nA: {answer}" for text, answer in TEST[:5])
    rows = [conversation(("system", f"Answer like this.\n{shots}"), *each) for each in TRAIN[:600]]
    found = found_in(tmp_path, TEST, rows)
    assert {str(number) for number in range(5)} <= {pair.case_id for pair in found.pairs}
    assert {pair.place for pair in found.pairs if int(pair.case_id) < 5} == {"message 1 (system)"}


def test_what_many_say_in_an_earlier_turn_does_not_leak(tmp_path):
    rows = [conversation("Thanks a lot!", "You are welcome.", *each) for each in TRAIN[:100]]
    found = found_in(tmp_path, [("thanks a lot", "")], rows)
    assert not found.leaked
    asked = found_in(tmp_path, [("thanks a lot", "")], [*rows, example("Thanks a lot", "You are welcome.")])
    assert [(p.line, p.kind, p.place) for p in asked.pairs if p.kind != "near"] == [(101, "normalised", REQUEST)]


def test_both_answers_and_the_prompt_of_a_preference_are_compared(tmp_path):
    case = "rank the people who wrote this by how many commits each of them has in the last two years"
    rows = [pair(wanted=f"You could {case}."), pair(unwanted=case), *(pair(text) for text, _ in TRAIN[:50])]
    found = found_in(tmp_path, [(case, "")], rows)
    assert [(p.line, p.place) for p in found.pairs] == [(1, "the preferred answer"), (2, "the rejected answer")]
    assert found.leaked == ("0",)


def test_look_alikes_are_folded_in_short_requests_too(tmp_path):
    for text, _ in TEST[:50]:
        changed = look_alikes(random.Random(1), text)
        assert found_in(tmp_path, [(text, "")], [example(changed)]).leaked == ("0",), changed


def test_every_kind_has_a_name_that_docs_use():
    page = page_named("training-data.md").read_text()
    assert not [kind for kind in (*PLACES, *CHANGES) if kind not in page]


def test_cases_of_many_pages_are_found_by_their_words(tmp_path):
    """A comparison letter by letter would take seconds and hundreds of megabytes for each pair."""
    chance = random.Random(3)
    words = [f"word{n}" for n in range(3000)]
    pages = [" ".join(chance.choices(words, k=2000)) for _ in range(30)]
    changed = [re.sub(r"\w+7\b", "another", page) for page in pages[:10]]
    others = [" ".join(chance.choices(words, k=2000)) for _ in range(10)]
    rows = [example(f"Read this. {text}", "done") for text in [*changed, *pages[10:20], *others]]
    found = found_in(tmp_path, [(page, "done") for page in pages], rows)
    near = {pair.case_id for pair in found.pairs} - set(found.leaked)
    assert near == {str(number) for number in range(10)}
    assert set(found.leaked) == {str(number) for number in range(10, 20)}
