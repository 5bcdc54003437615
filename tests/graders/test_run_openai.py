import pytest

from distilltest.errors import SuiteError
from distilltest.graders.openai_format import from_openai
from distilltest.graders.run_openai import run_openai
from distilltest.graders.sample import sample_of
from distilltest.records import Completion

SAMPLE = sample_of(Completion("k", "s", "m", '{"name": "Jon Doe", "email": "j@example.org"}', "stop"))
ITEM = {"name": "John Doe", "email": "j@example.org"}
NAME = {
    "type": "text_similarity",
    "name": "name_grader",
    "input": "{{sample.output_json.name}}",
    "reference": "{{item.name}}",
    "evaluation_metric": "fuzzy_match",
    "pass_threshold": 0.95,
}
EMAIL = {
    "type": "string_check",
    "input": "{{sample.output_json.email}}",
    "reference": "{{item.email}}",
    "operation": "eq",
}
PYTHON = {
    "type": "python",
    "name": "p",
    "source": "def grade(sample, item):\n    return sample['output_json']['name'] != ''\n",
}
MULTI = {
    "type": "multi",
    "graders": {"name": NAME, "email": EMAIL, "p": PYTHON},
    "calculate_output": "(name + email + p) / 3",
}


def test_each_grader_grades_under_its_name():
    assert run_openai(from_openai(EMAIL), SAMPLE, ITEM).name == "string_check"
    grade = run_openai(from_openai(NAME), SAMPLE, ITEM)
    assert (grade.name, grade.passed) == ("name_grader", False)
    assert grade.score == pytest.approx(0.9333, abs=1e-4)
    assert run_openai(from_openai(PYTHON), SAMPLE, ITEM).score == 1.0


def test_a_multi_combines_them():
    assert run_openai(from_openai(MULTI), SAMPLE, ITEM).score == pytest.approx((0.9333 + 1 + 1) / 3, abs=1e-4)


def test_a_field_that_the_answer_lacks_scores_zero_and_one_that_the_item_lacks_is_an_error():
    poor = sample_of(Completion("k", "s", "m", "Sorry.", "stop"))
    grade = run_openai(from_openai(MULTI), poor, ITEM)
    assert (grade.score, grade.reason) == (0.0, "0 = (name + email + p) / 3 with name = 0, email = 0, p = 0")
    with pytest.raises(SuiteError, match=r"item\.email"):
        run_openai(from_openai(EMAIL), SAMPLE, {})


def test_a_model_is_not_asked():
    score = {"type": "score_model", "name": "judge", "model": "gpt-4.1", "input": []}
    with pytest.raises(SuiteError, match=r"judge: a score_model grader asks gpt-4\.1"):
        run_openai(from_openai(score), SAMPLE, ITEM)
    with pytest.raises(SuiteError, match="cosine compares embeddings"):
        run_openai(from_openai({**NAME, "evaluation_metric": "cosine"}), SAMPLE, ITEM)
