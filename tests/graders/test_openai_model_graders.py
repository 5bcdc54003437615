"""OpenAI's model graders: they ask the model that they name, with OpenAI's templates and ranges."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
from graders.benches import bench, completion, config, grades, judge
from hypothesis import given
from hypothesis import strategies as st

from distilltest.errors import ConfigError, GraderFailed, SuiteError, is_permanent
from distilltest.promotion.freshness import _other_judges
from distilltest.pytest_plugin.fixtures.deterministic import OpenaiGrader, RecordedGrader, TextSimilarity
from distilltest.records import Grade

SCORE = {
    "type": "score_model",
    "name": "quality",
    "model": "gpt-4.1",
    "input": [{"role": "user", "content": "Rate {{ sample.output_text }}"}],
    "range": [0, 10],
}
LABEL = {
    "type": "label_model",
    "name": "tone",
    "model": "gpt-4.1",
    "input": [{"role": "developer", "content": "Which?"}, {"role": "user", "content": "{{ sample.output_text }}"}],
    "labels": ["plain", "rude"],
    "passing_labels": ["plain"],
}
CHECK = {
    "type": "string_check",
    "input": "{{ sample.output_text }}",
    "reference": "{{ item.reference }}",
    "operation": "eq",
}
COSINE = {
    "type": "text_similarity",
    "name": "near",
    "input": "{{ sample.output_text }}",
    "reference": "{{ item.reference }}",
    "evaluation_metric": "cosine",
    "pass_threshold": 0.9,
}


def multi(formula, **parts):
    return {"type": "multi", "name": "all", "graders": parts, "calculate_output": formula}


def run(grader, answer="abc", place=None, **item):
    (grade,) = grades(
        lambda openai_grader: openai_grader(grader), answer, item, place or bench(), openai_grader=OpenaiGrader()
    )
    return grade


def test_a_formula_computes_with_the_number_in_its_own_range():
    eight = bench(lambda request: 8)
    grade = run(multi("q / 10", q=SCORE), place=eight)
    assert grade.score == pytest.approx(0.8)
    assert grade.reason.endswith("with q = 8")
    assert run(SCORE, place=eight).score == pytest.approx(0.8)
    hundred = {**SCORE, "range": [0, 100]}
    both = multi("0.5 * q / 100 + 0.5 * c", q=hundred, c=CHECK)
    assert run(both, place=bench(lambda request: 64), reference="abc").score == pytest.approx(0.82)


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6), st.floats(0, 1))
def test_the_share_of_any_range_is_the_score(low, width, share):
    high = low + width
    said = min(high, max(low, low + share * width))
    ranged = {**SCORE, "range": [low, high]}
    alone = run(ranged, place=bench(lambda request: said)).score
    combined = run(multi(f"(q - {low!r}) / {high - low!r}", q=ranged), place=bench(lambda request: said)).score
    assert alone == pytest.approx(combined, abs=1e-9)


@pytest.mark.parametrize("formula", ["q", "1 / (q - 8)", "log(q - 8)", "q / 10 + 1"])
def test_a_value_that_gives_no_score_ends_the_case_and_not_the_evaluation(formula):
    with pytest.raises(GraderFailed) as caught:
        run(multi(formula, q=SCORE), place=bench(lambda request: 8))
    assert caught.value.kind == "no score from a formula"
    with pytest.raises(GraderFailed):
        run(multi("1 / c", c=CHECK), reference="other")


@pytest.mark.parametrize("answer", ["{{ item.format }}", "{{", "{{ item.texts[0] }} }}", "a {{ sample.output_text }}"])
@pytest.mark.parametrize("grader", [SCORE, LABEL])
def test_braces_in_an_answer_reach_the_judge_unchanged(grader, answer):
    place = bench(lambda request: 8 if grader is SCORE else "plain")
    run(grader, answer, place)
    (request,) = place.engine.requests
    assert answer in [m["content"].removeprefix("Rate ") for m in request.messages]
    assert "verdict" in request.messages[-1]["content"]


def test_the_model_and_its_parameters_are_those_of_the_grader():
    place = bench(lambda request: 8, config(judge(temperature=0)))
    sampling = {"temperature": 0.5, "top_p": 0.9, "seed": 7, "reasoning_effort": "low", "max_completions_tokens": 99}
    run({**SCORE, "sampling_params": sampling}, place=place)
    run(SCORE, place=place)
    first, second = place.engine.requests
    assert {**first.parameters, "response_format": None} == {
        "temperature": 0.5,
        "top_p": 0.9,
        "seed": 7,
        "reasoning_effort": "low",
        "max_completion_tokens": 99,
        "response_format": None,
    }
    assert (first.model, second.model, second.parameters["temperature"]) == ("gpt-4.1", "gpt-4.1", 0)
    assert [(use.judge, use.model) for use in place.uses()] == [("judge", "gpt-4.1")] * 2


def test_a_judge_of_the_models_name_takes_its_place():
    named = judge("gpt-4.1", "its-successor")
    place = bench(lambda request: "plain", config(judge(), named))
    run(LABEL, place=place)
    assert [request.model for request in place.engine.requests] == ["its-successor"]
    same = judge("strict", "gpt-4.1", temperature=1)
    place = bench(lambda request: "plain", config(judge(), same))
    run(LABEL, place=place)
    assert place.engine.requests[0].parameters["temperature"] == 1


def test_a_model_without_a_price_is_not_asked_on_a_budget():
    place = bench(lambda request: 8, config(budget_usd=1.0))
    with pytest.raises(ConfigError, match=r"no price for 'gpt-4\.1'"):
        run(SCORE, place=place)
    assert place.engine.requests == []


def test_cosine_works_alone_and_in_a_formula():
    grade = run(COSINE, "aa", reference="aaaa")
    assert (grade.name, grade.passed) == ("near", True)
    assert not run(COSINE, "aa", reference="bbbb").passed
    assert run(multi("n * c", n=COSINE, c=CHECK), "aa", reference="aa").score == pytest.approx(1.0)


def test_a_field_that_the_answer_lacks_scores_zero_without_a_call():
    place = bench()
    lacking = {**SCORE, "input": [{"role": "user", "content": "{{ sample.output_json.x }}"}]}
    assert run(lacking, "no JSON", place).score == 0.0
    assert run(multi("q / 10", q=lacking), "no JSON", place).score == 0.0
    assert place.engine.requests == []


def similar(*arguments, answer="bb", item=None, **options):
    place = bench()
    (grade,) = grades(
        lambda text_similarity: text_similarity(answer, *arguments, "cosine", **options),
        answer,
        item,
        place,
        text_similarity=TextSimilarity(),
    )
    return grade, [request.messages[0]["content"] for request in place.engine.requests]


def test_cosine_honours_alternatives_and_folding():
    assert similar("aa")[0].score < 0.1
    assert similar("aa", alternatives=["ab", "b"])[0].score > 0.99
    assert similar("aa", item={"reference": "aa", "alternatives": ["bbb"]})[0].score > 0.99
    _, embedded = similar("AA", answer="```\nBB\n```", code_fence=True, ignore_case=True)
    assert embedded == ["bb", "aa"]


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"alternatives": "abc"}, "alternatives is a list"),
        ({"pass_threshold": 2}, "pass_threshold is 2"),
    ],
)
def test_cosine_refuses_wrong_options_like_the_other_metrics_before_it_asks(options, error):
    with pytest.raises(SuiteError, match=error):
        similar("aa", **options)
    grade, asked = similar("aa", fold=True)
    assert "unexpected keyword argument 'fold'" in grade.reason
    assert asked == []


@pytest.mark.parametrize("grader", [RecordedGrader("exact_match"), RecordedGrader("string_check"), TextSimilarity()])
def test_a_text_of_alternatives_is_not_read_as_letters(grader):
    with pytest.raises(SuiteError, match="alternatives"):
        grades(lambda given: given("a", "b", alternatives="abc"), given=grader)


def test_a_score_that_is_off_by_rounding_is_the_bound():
    def body(own):
        from distilltest.evaluations.grading import record

        record(Grade("own", own, True))

    (grade,) = grades(body, own=1.0000000000000002)
    assert grade.score == 1.0
    (grade,) = grades(body, own=-1e-12)
    assert grade.score == 0.0
    for wrong in (1.01, -0.1, float("nan")):
        with pytest.raises(SuiteError, match="a score is in"):
            grades(body, own=wrong)
    assert completion("x").text == "x"


def test_the_judge_of_an_imported_grader_does_not_make_evidence_stale():
    place = bench(lambda request: 8)
    run(SCORE, place=place)
    (use,) = place.uses()
    assert list(_other_judges(SimpleNamespace(judges=[use]), config())) == []
    changed = list(_other_judges(SimpleNamespace(judges=[use]), config(judges={})))
    assert changed == ["the judge 'judge' is no longer configured"]
    own = replace(use, prompt="distilltest:judges/prompts/score_model.yaml", prompt_fingerprint="another")
    assert len(list(_other_judges(SimpleNamespace(judges=[own]), config()))) == 2  # its model, and its prompt


def test_a_formula_without_a_score_would_have_none_when_asked_again():
    assert is_permanent("no score from a formula")
