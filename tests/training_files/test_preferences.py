"""Preference files: every rule with its line and remedy."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from training_files.files import check_preferences, example, pair, sixty, write

from distilltest.errors import TrainingFileError

USER = {"role": "user", "content": "hello"}
SAID = {"role": "assistant", "content": "x"}
PARTS = {"role": "user", "content": [{"type": "text", "text": "x"}]}
CALLS = [{"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}]


def with_input(*messages, **more):
    return pair() | {"input": {"messages": list(messages), **more}}


def one(tmp_path, row):
    found = check_preferences(write(tmp_path / "f.jsonl", [*sixty(pair), row]))
    assert len(found) == 1, found
    assert found[0].line == 61
    return found[0]


def test_a_good_file_has_no_findings(tmp_path):
    rows = [
        *sixty(pair),
        with_input({"role": "system", "content": "Be short."}, USER, tools=[], parallel_tool_calls=True),
        with_input({"role": "developer", "content": "Be short."}, USER),
    ]
    assert check_preferences(write(tmp_path / "f.jsonl", rows)) == []


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (b"", "a blank line"),
        (b"{", "not JSON"),
        (b"7", "the line is a number"),
        (example(), "this is a supervised example"),
        ({"input": {}}, "there is no 'preferred_output', no 'non_preferred_output'"),
        ({}, "there is no 'input'"),
        (pair() | {"input": []}, '"input" is a list'),
        (pair() | {"input": {}}, 'input: "messages" is null'),
        (with_input(), 'input: "messages" is an empty list'),
        (with_input({"role": "x"}), "input: message 1 has the role 'x'"),
        (with_input(USER, SAID, USER), "the messages are user, assistant, user. Preferences are learned from one turn"),
        (with_input(USER, USER), "one turn"),
        (with_input({"role": "system", "content": "x"}), "one turn"),
        (with_input(USER, {"role": "system", "content": "x"}), "one turn"),
        (with_input(PARTS), "text only"),
        (with_input(USER, tools={}), '"tools" is an object'),
        (with_input(USER, parallel_tool_calls="yes"), '"parallel_tool_calls" is true or false'),
        (pair() | {"preferred_output": "x"}, '"preferred_output" is a text'),
        (pair() | {"non_preferred_output": []}, '"non_preferred_output" has 0 messages'),
        (pair() | {"preferred_output": [SAID, SAID]}, '"preferred_output" has 2 messages'),
        (pair() | {"preferred_output": [USER]}, "not the assistant's"),
        (pair() | {"preferred_output": ["x"]}, "not the assistant's"),
        (pair() | {"preferred_output": [{**SAID, "tool_calls": CALLS}]}, "text only"),
        (pair() | {"preferred_output": [{**SAID, "content": PARTS["content"]}]}, "text only"),
        (pair() | {"non_preferred_output": [{**SAID, "content": "\n"}]}, "is empty"),
        (pair("a", "same", "same"), "identical"),
    ],
)
def test_what_a_platform_rejects_is_fatal_and_has_its_line(tmp_path, row, words):
    finding = one(tmp_path, row)
    assert finding.fatal
    assert words in finding.message


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (pair("request number 3"), "the same as line 4"),
        (pair("request number 3", "git log", "git status"), "prefers what line 4 rejects"),
        (pair("new", "git  status", "git status\n"), "differ in white space only"),
        (pair("new", tags="a"), "the field 'tags'"),
        (with_input(USER, mood=1), "does not have 'mood'"),
        (pair() | {"preferred_output": [{**SAID, "weight": 1}]}, 'has a "weight"'),
        (pair("new", "word " * 60_000), "are cut off"),
    ],
)
def test_what_is_only_doubtful_is_a_remark(tmp_path, row, words):
    finding = one(tmp_path, row)
    assert not finding.fatal
    assert words in finding.message


def test_too_few_examples(tmp_path):
    (finding,) = check_preferences(write(tmp_path / "f.jsonl", sixty(pair)[:9]))
    assert finding.fatal
    assert "9 examples" in finding.message


def test_a_file_that_cannot_be_read_is_an_error(tmp_path):
    with pytest.raises(TrainingFileError, match="no such file"):
        check_preferences(tmp_path / "none.jsonl")


VALUES = st.recursive(
    st.none() | st.booleans() | st.sampled_from(["user", "assistant", "x", "", 1]) | st.just(USER) | st.just(SAID),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["messages", "role", "content"]), inner)
    ),
    max_leaves=8,
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.fixed_dictionaries({"input": VALUES, "preferred_output": VALUES, "non_preferred_output": VALUES}) | VALUES)
def test_no_line_crashes_it(tmp_path, row):
    assert check_preferences(write(tmp_path / "f.jsonl", [row, json.dumps(row)[:-1].encode()]))
