import json
import platform
import unicodedata
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distilltest.errors import SuiteError
from distilltest.graders import text_similarity
from distilltest.graders.similarity.porter import stem
from distilltest.graders.similarity.rouge import rouge_words
from distilltest.graders.similarity.tokens import tokens
from distilltest.graders.text_similarity import Metric, _measure

TABLE = json.loads(Path(__file__).with_name("reference_values.json").read_text(encoding="utf-8"))
METRICS = get_args(Metric)


@pytest.mark.parametrize("metric", METRICS)
def test_the_scores_are_those_of_the_reference_libraries(metric):
    measure = _measure(metric)
    ours = [measure(pair["answer"], pair["reference"]) for pair in TABLE["pairs"]]
    assert ours == pytest.approx([pair["scores"][metric] for pair in TABLE["pairs"]], abs=1e-9)
    for pair, score in zip(TABLE["pairs"], ours, strict=True):
        try:
            assert text_similarity(pair["answer"], pair["reference"], metric).score == score
        except SuiteError:  # what ROUGE cannot read
            assert metric.startswith("rouge")
            assert not pair["reference"].isascii()


def test_words_end_as_in_the_reference_library():
    ranges = [
        range(int(first, 16), int(last, 16) + 1)
        for first, _, last in (r.partition("-") for r in TABLE["words"].split())
    ]
    words = {code for span in ranges for code in span}
    # Another Python has another Unicode: a character that it does not know, or knows better, is not compared.
    known = [code for code in range(0x20000) if unicodedata.category(chr(code)) not in ("Cn", "Cs")]
    ours = {code for code in known if len(tokens(f"a{chr(code)}b")) == 1}
    assert len(ours) > 60_000
    assert len(ours ^ words) <= (
        0 if platform.python_version_tuple()[:2] == tuple(TABLE["python"].split(".")[:2]) else 6_000
    )


def test_marks_that_combine_with_a_letter_do_not_cut_a_word():
    grade = text_similarity("यह छोटा वाक्य है", "वह लंबी पंक्ति था", "gleu")
    assert grade.score == 0.0
    assert tokens("नमस्ते दुनिया") == ["नमस्ते", "दुनिया"]


@pytest.mark.parametrize("text", ["你好世界", "Привет, мир", "नमस्ते", "你好世界 OK"])
@pytest.mark.parametrize("metric", [metric for metric in METRICS if metric.startswith("rouge")])
def test_rouge_says_that_it_cannot_read_a_script(text, metric):
    with pytest.raises(SuiteError, match="ROUGE knows the letters a to z"):
        text_similarity(text, text, metric)
    with pytest.raises(SuiteError, match="ROUGE knows"):
        text_similarity("ok", "ok", metric, alternatives=[text])
    assert text_similarity(text, "Say hello, Zoë", metric).score == 0.0


@given(
    st.text(st.sampled_from("abz09 你хé½ा.\u200d\x1c²"), max_size=12),
    st.sampled_from([m for m in METRICS if m[:5] == "rouge"]),
)
def test_a_text_is_never_unlike_itself_without_a_word(text, metric):
    try:
        score = text_similarity(text, text, metric).score
    except SuiteError:
        return
    assert score == 1.0 or len(rouge_words(text)) < int(metric[-1] if metric[-1].isdigit() else 1)


def test_the_table_is_worth_comparing_with():
    assert len(TABLE["pairs"]) == 60
    assert set(TABLE["libraries"]) == {"nltk", "regex", "rouge-score", "rapidfuzz"}
    for metric in METRICS:
        assert len({round(pair["scores"][metric], 6) for pair in TABLE["pairs"]}) >= 8, metric


def test_the_stems_are_those_of_the_reference_library():
    assert {word: stem(word) for word in TABLE["stems"]} == TABLE["stems"]


def test_the_threshold_decides():
    assert text_similarity("the cat sat", "the cat ran", "rouge_2").passed
    grade = text_similarity("the cat sat", "the cat ran", "rouge_2", pass_threshold=0.51)
    assert (grade.name, grade.score, grade.passed) == ("text_similarity", 0.5, False)
    assert grade.reason == "rouge_2 0.500 of 'the cat sat' against 'the cat ran'"


def test_the_best_alternative_counts():
    grade = text_similarity("the cat", "a dog", "rouge_1", alternatives=["the dog", "the cat"])
    assert (grade.score, grade.reason) == (1.0, "rouge_1 1.000 of 'the cat' against 'the cat'")


def test_the_options_fold_both_sides():
    assert text_similarity("GIT STATUS", "git status", "gleu").score == 0.0
    assert (
        text_similarity("```\nGIT  STATUS\n```", "git status", "gleu", ignore_case=True, code_fence=True).score == 1.0
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"metric": "cosine"}, "cosine compares embeddings, which need a server; use one of fuzzy_match"),
        ({"metric": "rouge"}, "there is no metric 'rouge'; use one of fuzzy_match, bleu"),
        ({"metric": "rouge_6"}, "there is no metric 'rouge_6'"),
        ({"pass_threshold": 50}, "pass_threshold is 50; it must be a number in"),
        ({"alternatives": "b"}, "alternatives is a list of texts"),
    ],
)
def test_wrong_use_is_an_error(options, message):
    with pytest.raises(SuiteError, match=message):
        text_similarity("a", "b", **options)


@given(st.text() | st.text(alphabet="ab ."), st.text() | st.text(alphabet="ab ."), st.sampled_from(METRICS))
def test_every_score_is_in_0_to_1(answer, reference, metric):
    assert 0 <= _measure(metric)(answer, reference) <= 1


WORDS = st.lists(st.text(alphabet="abc", min_size=1, max_size=3), min_size=5, max_size=12).map(" ".join)


@given(WORDS, st.sampled_from(sorted({*METRICS} - {"meteor"})))
def test_a_text_of_words_is_as_similar_to_itself_as_can_be(text, metric):
    assert text_similarity(text, text, metric).score == pytest.approx(1.0)


@given(st.text())
def test_no_word_crashes_the_stemmer(word):
    assert len(stem(word)) <= len(word.lower()) + 1
