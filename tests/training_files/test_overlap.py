"""Overlap: each kind is found with its line and its case, and nothing else is."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from training_files.files import example, pair, sixty, write

from distilltest.records import Case
from distilltest.training_files.overlap import Pair, case_texts, find_overlap, in_words
from distilltest.training_files.text_search.folding import folded

LONG = "please show me the last five commits of the branch main with their authors and dates on one line"
WORDS = "show list delete branch commit the a my last five main remote tag stash of with file changes".split()


def test_each_kind_is_found_with_line_case_and_similarity(tmp_path):
    rows = [
        *sixty(),
        example("Undo my last commit!"),
        example("undo my last commit"),
        example(LONG.replace("main", "dev")),
    ]
    cases = [("u", "undo my last commit"), ("l", LONG), ("n", "delete the remote called origin")]
    found = find_overlap(write(tmp_path / "f.jsonl", rows), cases)
    assert (found.examples, found.cases) == (63, 3)
    assert found.counts == {"exact": 1, "normalised": 0, "inside": 0, "near": 1}
    assert found.pairs == (
        Pair(62, "u", 1.0, "exact"),
        Pair(61, "u", 1.0, "normalised"),
        Pair(63, "l", 18 / 19, "near"),
    )
    assert found.leaked == ("u",)
    assert found.lines("exact", "normalised") == (61, 62)


def test_preference_files_and_broken_lines_are_read_too(tmp_path):
    rows = [b"{x", b"", pair("undo it"), {"messages": 3}, {"input": {}}, b"\xff"]
    found = find_overlap(write(tmp_path / "f.jsonl", rows), [("u", "Undo it.")])
    assert [(p.line, p.kind) for p in found.pairs] == [(3, "normalised")]
    assert found.examples == 1


def test_requests_of_signs_only_match_word_for_word_and_empty_ones_never(tmp_path):
    rows = [example("???"), example(""), example("!!!")]
    found = find_overlap(write(tmp_path / "f.jsonl", rows), [("a", "???"), ("b", ""), ("c", "...")])
    assert [(p.line, p.case_id, p.kind) for p in found.pairs] == [(1, "a", "exact")]


def test_unicode_forms_and_scripts_without_spaces_are_folded(tmp_path):
    decomposed = "cafe\u0301 ouvert"
    rows = [example("CAFÉ ouvert"), example("最新のコミットを五つ表示してください"), example("ｓｈｏｗ　ｉｔ")]
    cases = [("c", decomposed), ("j", "最新のコミットを三つ表示してください"), ("f", "show it")]
    found = find_overlap(write(tmp_path / "f.jsonl", rows), cases)
    assert {(p.case_id, p.kind) for p in found.pairs} == {("c", "normalised"), ("j", "near"), ("f", "normalised")}


def test_near_pairs_can_be_left_out_and_the_threshold_is_checked(tmp_path):
    path = write(tmp_path / "f.jsonl", [example(LONG.replace("main", "dev"))])
    assert find_overlap(path, [("l", LONG)], threshold=None).pairs == ()
    assert find_overlap(path, [("l", LONG)], threshold=0.96).pairs == ()
    with pytest.raises(ValueError, match="a similarity between"):
        find_overlap(path, [], threshold=0.2)


def test_nothing_in_common_and_nothing_to_compare(tmp_path):
    path = write(tmp_path / "f.jsonl", sixty())
    found = find_overlap(path, [("n", "something else entirely")])
    assert in_words(found, "test.jsonl") == ["overlap: none of the 1 cases of test.jsonl is among the 60 examples."]
    assert find_overlap(path, []).pairs == ()
    (tmp_path / "empty").write_bytes(b"")
    assert find_overlap(tmp_path / "empty", [("n", "x")]).examples == 0


def test_every_line_that_leaks_is_named(tmp_path):
    rows = [example("undo it", f"answer {n}") for n in range(2500)]
    found = find_overlap(write(tmp_path / "f.jsonl", rows), [("a", "undo it"), ("b", "Undo it")])
    assert found.lines("exact") == tuple(range(1, 2501))
    assert found.counts == {"exact": 1, "normalised": 1, "inside": 0, "near": 0}
    assert "Take the 2,500 lines with requests of the evaluation out" in "\n".join(in_words(found, "t"))


def test_a_templated_dataset_ends_in_time_and_finds_the_closest(tmp_path):
    template = "Translate the following English sentence into idiomatic French and keep its register and tone: {} {}"
    rows = [example(template.format(f"sentence{n}", "alpha")) for n in range(600)]
    cases = [(str(n), template.format(f"sentence{n}", "alpha")) for n in range(0, 1200, 2)]
    found = find_overlap(write(tmp_path / "f.jsonl", rows), cases)
    assert found.counts["exact"] == 300


def test_what_a_case_asks():
    messages = [{"role": "system", "content": "x"}, {"role": "user", "content": "hello"}]
    assert case_texts(Case("a", {"id": "a", "messages": messages})) == ["hello"]
    assert case_texts(Case("a", {"id": "a", "q": "x", "context": "y", "n": 3, "reference": "z"})) == ["x", "y"]


@settings(max_examples=150, deadline=None)
@given(st.text())
def test_folding_is_done_once_and_for_all(text):
    assert folded(folded(text)) == folded(text)
    assert folded(text.swapcase().upper()) == folded(text.upper()) or not text.isascii()
    assert folded(f" ({text})!") == folded(text)


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), max_size=5))
def test_a_request_always_overlaps_with_itself(tmp_path, texts):
    path = write(tmp_path / "f.jsonl", [example(text) for text in texts])
    found = find_overlap(path, [(str(n), text) for n, text in enumerate(texts)])
    assert {pair.case_id for pair in found.pairs} >= {str(n) for n, text in enumerate(texts) if text.strip()}
