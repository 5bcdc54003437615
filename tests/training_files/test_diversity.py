"""Diversity: near duplicates, tags and lengths, in sentences with recommendations."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from training_files.files import example, pair, write

from distilltest.training_files.diversity import in_words, measure
from distilltest.training_files.text_search.folding import folded

SUBJECTS = (
    "branch commit tag stash remote file index log merge rebase submodule worktree hook alias config patch".split()
)
VERBS = "create delete rename list show move".split()


def test_a_varied_file_has_no_near_duplicates(tmp_path):
    path = write(tmp_path / "f.jsonl", [example(f"{verb} the {a}") for verb in VERBS for a in SUBJECTS])
    found = measure(path)
    assert (found.examples, found.sampled, found.near_duplicates) == (96, 96, 0)
    assert "none of the 96 examples" in in_words(found)[0]


def test_near_duplicates_are_counted_and_named_once_a_pair(tmp_path):
    request = "show me the last five commits of the branch main with their authors and dates on one line"
    rows = [example("undo it"), example(request), example(request.replace("main", "dev")), example("stash it all away")]
    found = measure(write(tmp_path / "f.jsonl", rows))
    assert found.near_duplicates == 2
    assert [(line, other) for line, other, _ in found.pairs] == [(2, 3)]
    assert "2 of the 4 examples (50%)" in in_words(found)[0]
    assert "such as lines 2 and 3" in in_words(found)[0]
    assert "keep one of each" in in_words(found)[0]


@pytest.mark.parametrize("duplicates", [0, 900, 1800])
def test_a_sample_estimates_the_share_of_the_whole_file(tmp_path, duplicates):
    rows = [example(f"a{n // 2} b{n // 2} c{n // 2} d") for n in range(duplicates)]
    rows += [example(f"e{n} f{n} g{n} h") for n in range(1800 - duplicates)]
    found = measure(write(tmp_path / "f.jsonl", rows), sample=300)
    assert found.sampled == 300
    assert found.near_duplicate_share == pytest.approx(duplicates / 1800, abs=0.1)
    assert "300 examples drawn" in in_words(found)[0]


def test_lengths_and_the_line_that_is_much_too_long(tmp_path):
    rows = [example(f"a{n} b c d", "x y") for n in range(40)]
    rows[6] = example("q r", "word " * 500)
    said = in_words(measure(write(tmp_path / "f.jsonl", rows)))
    assert said[1] == "requests: 2 to 4 words, half of them 4 to 4."
    assert said[2].startswith("answers: 2 to 500 words, half of them 2 to 2. Read line 7")


def test_tags_without_examples_and_thin_ones_are_named(tmp_path):
    rows = [example(f"a{n}", tags=["log", "all"]) for n in range(6)]
    rows += [example("b", tags="stash, all"), example("c", metadata={"tag": "branch"}), example("d")]
    evaluation = [["log"], ["stash"], ["branch"], ["remote"], ["remote"]]
    found = measure(write(tmp_path / "f.jsonl", rows), evaluation_tags=evaluation)
    assert found.tags == {"branch": (1, 1), "log": (1, 6), "remote": (2, 0), "stash": (1, 1)}
    assert in_words(found)[-4:] == [
        "tags: 3 of the evaluation's 4 tags have examples.",
        "  Nothing is learned about remote (2 cases): collect requests of this kind.",
        "  Fewer than 5 examples: branch (1), stash (1). Collect more of these kinds.",
        "  1 examples have no tag and are not counted.",
    ]


def test_tags_can_come_from_the_dataset_of_the_requests(tmp_path):
    path = write(tmp_path / "f.jsonl", [example("Show the log!"), pair("other")])
    tags = {folded("show the log"): ("log",)}
    assert measure(path, evaluation_tags=[["log"]], tags_by_request=tags).tags == {"log": (1, 1)}
    assert "no example has tags" in in_words(measure(path, evaluation_tags=[["log"]]))[-1]


def test_files_with_nothing_in_them_say_so(tmp_path):
    path = write(tmp_path / "f.jsonl", [b"", b"{x"])
    assert in_words(measure(path)) == ["diversity: the file has no examples."]
    single = measure(write(path, [example("one")]))
    assert (single.near_duplicates, single.sampled) == (0, 1)
    assert len(in_words(single)) == 3


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.lists(
        st.tuples(st.text(max_size=20), st.text(max_size=9), st.none() | st.text() | st.lists(st.text())), max_size=6
    )
)
def test_no_file_crashes_it(tmp_path, rows):
    written = write(tmp_path / "f.jsonl", [example(request, answer, tags=tags) for request, answer, tags in rows])
    assert in_words(measure(written, evaluation_tags=[["a"]]))
