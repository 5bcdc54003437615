"""Supervised files: every rule with its line and remedy."""

import codecs
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from training_files.files import check_supervised, example, sixty, write

from distilltest.errors import TrainingFileError
from distilltest.training_files import file_rules
from distilltest.training_files.supervised import supervised_findings
from distilltest.training_files.tokens import Counter

USER = {"role": "user", "content": "hello"}
CALL = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
TOOL = {"type": "function", "function": {"name": "look"}}


def answer(**more):
    return {"role": "assistant", "content": "git status", **more}


def of(*messages, **more):
    return {"messages": list(messages), **more}


def one(tmp_path, row):
    """The finding on line 61, after sixty good lines."""
    found = check_supervised(write(tmp_path / "f.jsonl", [*sixty(), row]))
    assert len(found) == 1, found
    assert found[0].line == 61
    return found[0]


def test_a_good_file_has_no_findings(tmp_path):
    rows = [
        *sixty(),
        of(
            {"role": "system", "content": "Be short."},
            USER,
            answer(weight=0),
            {**USER, "name": "ann"},
            answer(weight=1),
        ),
        of(USER, {"role": "assistant", "content": None, "tool_calls": [CALL]}, tools=[TOOL]),
        of(
            USER,
            {"role": "assistant", "tool_calls": [CALL]},
            {"role": "tool", "tool_call_id": "c1", "content": "x"},
            answer(),
            tools=[TOOL],
            parallel_tool_calls=False,
        ),
        of(
            {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "image_url", "image_url": {}}]},
            answer(),
        ),
    ]
    path = write(tmp_path / "f.jsonl", rows)
    assert check_supervised(path) == []
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert check_supervised(path) == []


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (b"", "a blank line. Take it out."),
        (b" \t", "a blank line"),
        (b'{"messages": [', "not JSON"),
        (b"null", "the line is null"),
        (b"[1]", "the line is a list"),
        (b'{"messages": NaN}', "not JSON"),
        ("größer".encode("latin-1"), "not UTF-8: byte 0xf6 at column 3 ('ö' in Windows-1252 or Latin-1, perhaps)"),
        (b"[" * 2000, "nested more than 100 deep"),
        ({}, 'no "messages". Write'),
        ({"prompt": "a", "completion": "b"}, '"prompt" and "completion" are the old format'),
        ({"preferred_output": []}, "this is a preference example"),
        ({"conversation": []}, "It has 'conversation'"),
        (of(), '"messages" is an empty list'),
        ({"messages": "hello"}, '"messages" is a text'),
        (of("hello", answer()), "message 1 is a text"),
        (of({"content": "x"}, answer()), "message 1 has no role. The roles are system"),
        (of({"role": "human", "content": "x"}, answer()), "message 1 has the role 'human'"),
        (of({"role": ["user"], "content": "x"}, answer()), "message 1 has the role"),
        (of({"role": "user", "content": " "}, answer()), "message 1 (user) is empty"),
        (of({"role": "user"}, answer()), "message 1 (user) is empty"),
        (of({"role": "user", "content": 7}, answer()), '"content" is a number'),
        (of({"role": "user", "content": []}, answer()), '"content" is an empty list'),
        (of({"role": "user", "content": ["x"]}, answer()), 'part 1 has no "type"'),
        (of({"role": "user", "content": [{"type": "text"}]}, answer()), 'part 1 has no "text"'),
        (of(USER, answer(content=[{"type": "image_url"}])), "only user messages can have parts other than text"),
        (of(USER, answer(weight=0.5)), '"weight" is 0 or 1'),
        (of(USER, answer(weight=True)), '"weight" is 0 or 1'),
        (of({**USER, "weight": 1}, answer()), '"weight" is 0 or 1, and on assistant messages only'),
        (of(USER, answer(weight=0)), "nothing is learned"),
        (of(answer(), USER), "the last message is not the assistant's"),
        (of({**USER, "tool_calls": [CALL]}, answer()), '"tool_calls" are for assistant messages'),
        (of(USER, answer(tool_calls=[])), '"tool_calls" is a list; it must be'),
        (of(USER, answer(tool_calls=[{"id": "c"}])), "call 1 is no"),
        (
            of(USER, answer(tool_calls=[{**CALL, "function": {"name": "a", "arguments": {}}}])),
            "write them as a JSON text",
        ),
        (of(USER, answer(tool_calls=[{**CALL, "function": {"name": "a", "arguments": "{"}}])), "not JSON"),
        (of(USER, {"role": "tool", "content": "x", "tool_call_id": "c9"}, answer()), "names no call"),
        (of(USER, answer(), tools={}), '"tools" is an object'),
        (of(USER, answer(), tools=[{}]), "tool 1 is no"),
    ],
)
def test_what_a_platform_rejects_is_fatal_and_has_its_line(tmp_path, row, words):
    finding = one(tmp_path, row)
    assert finding.fatal
    assert words in finding.message


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (example("request number 3"), "the same as line 4. Leave one out."),
        (example("request number 3", "git log"), "the request of line 4, but another answer"),
        (of({"role": "system", "content": "x"}, answer()), "there is no user message"),
        (of({**USER, "mood": 1}, answer()), "has unknown fields: mood"),
        (of(USER, answer(tool_calls=[CALL])), 'there are no "tools"'),
        (
            of(USER, answer(tool_calls=[CALL]), tools=[{"function": {"name": "other"}}]),
            "'look' is called, but is not among",
        ),
        (example("new", tags=["x"]), "1 line has the field 'tags'"),
        (example("word " * 60_000), "are cut off at the end"),
    ],
)
def test_what_is_only_doubtful_is_a_remark(tmp_path, row, words):
    finding = one(tmp_path, row)
    assert not finding.fatal
    assert words in finding.message


def test_key_order_and_space_do_not_hide_a_duplicate(tmp_path):
    row = json.dumps(
        {"messages": [dict(reversed(m.items())) for m in example("request number 5")["messages"]]}, indent=None
    )
    assert "the same as line 6" in one(tmp_path, row.replace(":", ":  ").encode()).message


@pytest.mark.parametrize(
    ("number", "words", "fatal"),
    [
        (0, "the file is empty", True),
        (9, "9 examples; platforms ask for at least 10", True),
        (10, "10 examples; 50 to", False),
    ],
)
def test_too_few_examples(tmp_path, number, words, fatal):
    path = tmp_path / "f.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in sixty()[:number]))
    (finding,) = check_supervised(path)
    assert (finding.line, finding.fatal) == (0, fatal)
    assert words in finding.message


def test_a_line_with_two_mistakes_counts_once_against_the_examples(tmp_path):
    bad = of({"role": "x"}, {"role": "y"})
    found = check_supervised(write(tmp_path / "f.jsonl", [*sixty()[:10], bad]))
    assert [finding.line for finding in found] == [11, 11, 11, 0]
    assert "10 examples" in found[-1].message


def test_a_byte_order_mark_is_found_and_the_line_is_checked_all_the_same(tmp_path):
    path = write(tmp_path / "f.jsonl", [{"messages": []}, *sixty()])
    path.write_bytes(codecs.BOM_UTF8 + path.read_bytes())
    found = check_supervised(path)
    assert [finding.line for finding in found] == [1, 1]
    assert "byte order mark" in found[0].message
    assert "empty list" in found[1].message


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("\n".join(map(json.dumps, sixty())).encode("utf-16"), "UTF-16"),
        ("\n".join(map(json.dumps, sixty())).encode("utf-16-le"), "UTF-16"),
        (json.dumps(sixty()).encode(), "a JSON list"),
        (json.dumps(sixty(), indent=1).encode(), "a JSON list"),
        (json.dumps(example(), indent=1).encode(), "spread over several lines"),
    ],
)
def test_a_file_of_another_kind_is_named_once(tmp_path, content, words):
    path = tmp_path / "f.jsonl"
    path.write_bytes(content)
    found = check_supervised(path)
    assert [finding.line for finding in found] == [1, 0]
    assert words in found[0].message


def test_mixed_encodings_are_found_on_each_line(tmp_path):
    rows = [
        *sixty(),
        json.dumps(example("größer"), ensure_ascii=False).encode("cp1252"),
        example("ü"),
        b'{"a": "\xff"}',
    ]
    assert [finding.line for finding in check_supervised(write(tmp_path / "f.jsonl", rows))] == [61, 63]


def test_many_lines_with_a_foreign_field_are_one_finding(tmp_path):
    rows = sixty(lambda request: example(request, tags=["a"]))
    (finding,) = check_supervised(write(tmp_path / "f.jsonl", rows))
    assert finding.message.startswith("60 lines have the field 'tags'")


def test_the_token_limit_goes_by_the_counter_that_is_given(tmp_path):
    path = write(tmp_path / "f.jsonl", sixty())
    words = Counter("by words", lambda text: len(text.split()))
    assert not list(supervised_findings(path, max_tokens=11, tokens=words))
    found = list(supervised_findings(path, max_tokens=10, tokens=words))
    assert len(found) == 60
    assert found[0].message.startswith("about 11 tokens (by words)")


def test_a_file_that_is_too_large_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(file_rules, "LARGEST_FILE", 100)
    assert "Split it" in check_supervised(write(tmp_path / "f.jsonl", sixty()))[0].message


def test_a_file_that_cannot_be_read_is_an_error(tmp_path):
    with pytest.raises(TrainingFileError, match="cannot be read"):
        check_supervised(tmp_path / "none.jsonl")
    with pytest.raises(TrainingFileError, match="cannot be read"):
        check_supervised(tmp_path)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2) | st.floats() | st.sampled_from(["user", "assistant", "text", ""]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "messages",
                    "role",
                    "content",
                    "weight",
                    "tool_calls",
                    "function",
                    "name",
                    "arguments",
                    "id",
                    "tools",
                    "type",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(JSON.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=30), max_size=4))
def test_no_file_crashes_it(tmp_path, rows):
    found = check_supervised(write(tmp_path / "f.jsonl", rows))
    assert any(finding.fatal for finding in found)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.lists(st.fixed_dictionaries({"role": JSON, "content": JSON}, optional={"tool_calls": JSON, "weight": JSON})),
    JSON,
)
def test_no_messages_crash_it(tmp_path, messages, tools):
    check_supervised(write(tmp_path / "f.jsonl", [{"messages": messages, "tools": tools}]))
