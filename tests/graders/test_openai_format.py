import copy
import dataclasses
import typing

import openai.types.graders as shapes
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distilltest.errors import SuiteError
from distilltest.graders.openai_format import METRICS, MultiGrader, StringCheckGrader, from_openai, to_openai
from distilltest.graders.openai_messages import EFFORTS

CHECK = {
    "type": "string_check",
    "name": "c",
    "input": "{{ sample.output_text }}",
    "reference": "{{ item.label }}",
    "operation": "eq",
}
SIMILARITY = {
    "type": "text_similarity",
    "name": "t",
    "input": "{{sample.output_json.name}}",
    "reference": "{{item.name}}",
    "evaluation_metric": "fuzzy_match",
    "pass_threshold": 0.9,
}
SCORE = {
    "type": "score_model",
    "name": "s",
    "model": "gpt-4.1",
    "input": [
        {"role": "system", "content": "Grade.", "type": "message"},
        {"role": "user", "content": [{"type": "input_text", "text": "{{ item.x }}"}, "and {{ sample.output_text }}"]},
        {"role": "assistant", "content": {"type": "output_text", "text": "so"}},
        {"role": "user", "content": [{"type": "input_image", "image_url": "{{ item.url }}", "detail": "low"}]},
        {
            "role": "user",
            "content": {"type": "input_audio", "input_audio": {"data": "{{ item.sound }}", "format": "wav"}},
        },
        {
            "role": "developer",
            "content": {
                "type": "input_text",
                "text": "",
                "prompt_cache_breakpoint": {"mode": "explicit", "ttl": "30m"},
            },
        },
    ],
    "range": [0, 10],
    "sampling_params": {
        "max_completions_tokens": 32768,
        "reasoning_effort": "medium",
        "seed": 1,
        "temperature": 0.5,
        "top_p": 1,
    },
    "pass_threshold": 5.5,
}
LABEL = {
    "type": "label_model",
    "name": "l",
    "model": "gpt-4.1",
    "input": [{"role": "user", "content": "{{ sample.output_text }}"}],
    "labels": ["good", "bad"],
    "passing_labels": ["good"],
}
PYTHON = {
    "type": "python",
    "name": "p",
    "source": "def grade(sample, item):\n    return {{}} or 1.0\n",
    "image_tag": "2025-05-08",
    "pass_threshold": 0.5,
}
MULTI = {
    "type": "multi",
    "name": "m",
    "graders": {"label": CHECK, "similar": SIMILARITY, "python": PYTHON, "score": SCORE, "model": LABEL},
    "calculate_output": "(label + similar + python + score / 10 + model) / 5",
}
ALL = [CHECK, SIMILARITY, SCORE, LABEL, PYTHON, MULTI]
kinds = pytest.mark.parametrize("grader", ALL, ids=lambda grader: grader["type"])


@kinds
def test_a_round_trip_changes_nothing(grader):
    before = copy.deepcopy(grader)
    read = from_openai(grader)
    assert to_openai(read) == before == grader
    assert from_openai(to_openai(read)) == read


@kinds
def test_a_round_trip_keeps_null_and_absent_fields(grader):
    optional = {"name", "image_tag", "sampling_params", "range", "pass_threshold"} & set(grader)
    empty = {key: None if key in optional else value for key, value in grader.items()}
    assert to_openai(from_openai(empty)) == empty
    short = {key: value for key, value in grader.items() if key not in optional}
    assert to_openai(from_openai(short)) == short


@kinds
def test_the_package_of_the_platform_knows_every_field(grader):
    model = {
        "string_check": shapes.StringCheckGrader,
        "text_similarity": shapes.TextSimilarityGrader,
        "score_model": shapes.ScoreModelGrader,
        "label_model": shapes.LabelModelGrader,
        "python": shapes.PythonGrader,
        "multi": shapes.MultiGrader,
    }[grader["type"]]
    ours = {found.name for found in dataclasses.fields(from_openai(grader))} - {"nulls", "pass_threshold"}
    assert {*ours, "type"} == set(model.model_fields)


def test_the_package_of_the_platform_knows_every_choice():
    assert set(typing.get_args(shapes.TextSimilarityGrader.model_fields["evaluation_metric"].annotation)) == set(
        METRICS
    )
    from openai.types.shared import ReasoningEffort

    assert set(typing.get_args(typing.get_args(ReasoningEffort)[0])) == set(EFFORTS)


def test_the_single_grader_of_the_package_s_type_is_read_too():
    grader = {**MULTI, "graders": CHECK, "calculate_output": "c"}
    read = from_openai(grader)
    assert isinstance(read, MultiGrader)
    assert list(read.by_name) == ["c"]
    assert to_openai(read) == grader


def test_what_is_read_is_frozen():
    read = from_openai(CHECK)
    assert isinstance(read, StringCheckGrader)
    with pytest.raises(dataclasses.FrozenInstanceError):
        read.operation = "ne"
    with pytest.raises(TypeError):
        from_openai(MULTI).graders["label"] = read


def change(grader, path, value):
    changed = copy.deepcopy(grader)
    *way, last = path
    inner = changed
    for step in way:
        inner = inner[step]
    inner[last] = value
    return changed


@pytest.mark.parametrize(
    ("grader", "path", "value", "message"),
    [
        (CHECK, ["type"], "strings", r"\$\.type: 'strings' is none of string_check"),
        (CHECK, ["operation"], "neq", r"\$\.operation: 'neq' is none of eq, ne, like, ilike"),
        (
            CHECK,
            ["inputs"],
            "",
            r"\$\.inputs: is unknown; the fields are type, name, input, reference, operation",
        ),
        (CHECK, ["input"], None, r"\$\.input: None is not a text"),
        (CHECK, ["input"], "{{ samples.x }}", r"\$\.input: \{\{ samples.x \}\} names nothing"),
        (CHECK, ["reference"], "{{ item.x", r"\$\.reference: .* has \"\{\{\" but no"),
        (SIMILARITY, ["evaluation_metric"], "rouge", r"\$\.evaluation_metric: 'rouge' is none of cosine"),
        (SIMILARITY, ["pass_threshold"], True, r"\$\.pass_threshold: True is not a number"),
        (SIMILARITY, ["pass_threshold"], float("nan"), r"\$\.pass_threshold: nan is not a number"),
        (SCORE, ["range"], [1, 0], r"\$\.range: \[1, 0\] is not two numbers, the lower one first"),
        (SCORE, ["range"], [0], r"\$\.range"),
        (SCORE, ["input"], "hello", r"\$\.input: 'hello' is not a list"),
        (
            SCORE,
            ["input", 1, "content", 0, "text"],
            "{{ sample.x }}",
            r"\$\.input\[1\]\.content\[0\]\.text: .* names nothing",
        ),
        (SCORE, ["input", 1, "content", 0, "type"], "text", r"\$\.input\[1\]\.content\[0\]\.type: 'text' is none of"),
        (SCORE, ["input", 0, "role"], "tool", r"\$\.input\[0\]\.role: 'tool' is none of user"),
        (SCORE, ["input", 0], 3, r"\$\.input\[0\]: 3 is not an object"),
        (SCORE, ["sampling_params", "max_tokens"], 1, r"\$\.sampling_params\.max_tokens: is unknown"),
        (SCORE, ["sampling_params", "seed"], 0.5, r"\$\.sampling_params\.seed: 0.5 is not a whole number"),
        (LABEL, ["passing_labels"], ["fine"], r"\$\.passing_labels\[0\]: 'fine' is none of the labels good, bad"),
        (LABEL, ["labels", 0], 1, r"\$\.labels\[0\]: 1 is not a text"),
        (PYTHON, ["source"], 1, r"\$\.source: 1 is not a text"),
        (MULTI, ["graders", "label", "operation"], "neq", r"\$\.graders\.label\.operation"),
        (MULTI, ["graders", "label"], MULTI, r"\$\.graders\.label\.type: 'multi' is none of string_check"),
        (MULTI, ["graders"], [CHECK], r"\$\.graders: .* is not an object"),
        (MULTI, ["calculate_output"], "label +", r"\$\.calculate_output: formula 'label \+', column 8"),
        (
            MULTI,
            ["calculate_output"],
            "lable",
            r"\$\.calculate_output: .* there is no grade 'lable'; the grades are label",
        ),
    ],
)
def test_an_error_names_the_path(grader, path, value, message):
    with pytest.raises(SuiteError, match=message):
        from_openai(change(grader, path, value))


@kinds
def test_a_missing_field_is_an_error(grader):
    for key in set(grader) - {"type", "name", "image_tag", "sampling_params", "range", "pass_threshold"}:
        with pytest.raises(SuiteError, match=rf"\$\.{key}: is missing"):
            from_openai({name: value for name, value in grader.items() if name != key})


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["{{ item.x }}", "python"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5) | st.sampled_from(list(SCORE)), inner)
    ),
    max_leaves=5,
)


@given(st.sampled_from(ALL), st.data())
def test_any_json_is_an_error_or_is_written_back_unchanged(grader, data):
    key = data.draw(st.sampled_from([*grader, "other"]))
    changed = {**grader, key: data.draw(JSON)}
    try:
        read = from_openai(changed)
    except SuiteError:
        return
    assert to_openai(read) == changed


@given(JSON)
def test_nothing_else_crashes_it_either(value):
    with pytest.raises(SuiteError):
        from_openai(value)
