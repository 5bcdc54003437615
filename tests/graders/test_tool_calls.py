import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distilltest.errors import SuiteError
from distilltest.graders import tool_calls
from distilltest.graders.json_difference import difference
from distilltest.graders.matching import in_any_order, in_order
from distilltest.records import ToolCall


def made(*calls):
    return [
        ToolCall(str(n), name, arguments if isinstance(arguments, str) else json.dumps(arguments))
        for n, (name, arguments) in enumerate(calls)
    ]


def call(name, **arguments):
    return {"name": name, "arguments": arguments}


def test_the_expected_calls_in_order_pass():
    grade = tool_calls(made(("f", {"a": 1}), ("g", {})), [call("f", a=1.0), call("g")])
    assert (grade.name, grade.score, grade.passed) == ("tool_calls", 1.0, True)


def test_no_call_expected_and_none_made_passes():
    assert tool_calls([], []).passed
    grade = tool_calls(made(("f", {})), [])
    assert (grade.score, grade.reason) == (0.0, "extra: f '{}'")


def test_a_missing_call_is_named():
    grade = tool_calls(made(("f", {})), ["f", call("g", a=1)])
    assert (grade.score, grade.passed, grade.reason) == (0.5, False, "missing: g {'a': 1}")


def test_an_extra_call_is_named_unless_it_is_allowed():
    grade = tool_calls(made(("f", {}), ("g", {"a": 1})), ["f"])
    assert (grade.score, grade.reason) == (0.5, "extra: g '{\"a\": 1}'")
    assert tool_calls(made(("f", {}), ("g", {"a": 1})), ["f"], extra=True).score == 1.0


def test_a_difference_is_named_with_its_place():
    grade = tool_calls(made(("f", {"a": {"b": [1, 2]}})), [call("f", a={"b": [1, 3]})])
    assert (grade.score, grade.reason) == (0.0, "different: f $.a.b[1]: 2 where 3 was expected")


def test_another_order_is_named_unless_it_does_not_matter():
    calls, expected = made(("f", {}), ("g", {})), ["g", "f"]
    grade = tool_calls(calls, expected)
    assert (grade.score, grade.passed) == (0.5, False)
    assert grade.reason.startswith("out of order: ")
    assert tool_calls(calls, expected, order="any").passed


def test_everything_that_is_wrong_is_named_at_once():
    grade = tool_calls(made(("f", {"a": 1}), ("x", {})), [call("f", a=2), "g"])
    assert grade.reason == "different: f $.a: 1 where 2 was expected; missing: g; extra: x '{}'"


def test_a_subset_may_have_further_keys_at_any_depth():
    calls = made(("f", {"a": {"b": 1, "c": 2}, "d": 3}))
    assert not tool_calls(calls, [call("f", a={"b": 1})]).passed
    assert tool_calls(calls, [call("f", a={"b": 1})], arguments="subset").passed
    assert not tool_calls(calls, [call("f", a={"b": 2})], arguments="subset").passed


def test_arguments_may_be_checked_by_a_schema():
    schema = {"properties": {"city": {"type": "string"}}, "required": ["city"]}
    assert tool_calls(made(("f", {"city": "Rome"})), [{"name": "f", "arguments": schema}], arguments="schema").passed
    grade = tool_calls(made(("f", {"city": 3})), [{"name": "f", "arguments": schema}], arguments="schema")
    assert grade.reason == "different: f $.city: 3 is not of type 'string'"


def test_a_call_that_fits_two_expectations_leaves_the_other_to_the_stricter():
    calls = made(("f", {"a": 1, "b": 2}), ("f", {"a": 1}))
    assert tool_calls(calls, [call("f", a=1), call("f", b=2)], arguments="subset", order="any").passed


def test_a_stored_answer_can_be_the_reference():
    stored = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}
    assert tool_calls(made(("f", {"a": 1})), [stored]).passed
    assert not tool_calls(made(("f", {"a": 2})), [stored]).passed


def test_arguments_that_are_not_json_differ_and_an_empty_text_means_no_arguments():
    assert "arguments are not JSON" in tool_calls(made(("f", "{")), [call("f")]).reason
    assert tool_calls(made(("f", "")), [call("f")]).passed
    assert tool_calls(made(("f", "{")), ["f"]).passed


def test_true_is_not_one():
    assert not tool_calls(made(("f", {"a": True})), [call("f", a=1)]).passed


@pytest.mark.parametrize(
    ("expected", "options", "message"),
    [
        ("f", {}, "expected is a list of calls"),
        ([{"arguments": {}}], {}, "expected call 1 is"),
        ([3], {}, "expected call 1 is 3"),
        ([{"name": "f", "args": {}}], {}, "expected call 1 has args"),
        ([{"name": "f", "arguments": "{"}], {}, "not JSON"),
        ([{"name": "f", "arguments": [1]}], {}, "not an object"),
        (["f"], {"arguments": "equal"}, "arguments is one of exact, subset, schema"),
        (["f"], {"order": "none"}, "order one of same, any"),
        ([{"name": "f", "arguments": {"type": 3}}], {"arguments": "schema"}, "the schema is broken"),
    ],
)
def test_wrong_use_is_an_error(expected, options, message):
    with pytest.raises(SuiteError, match=message):
        tool_calls(made(("f", {})), expected, **options)


def test_deep_nesting_in_an_answer_crashes_nothing():
    deep = '{"a": ' + "[" * 1000 + "]" * 1000 + "}"
    assert not tool_calls(made(("f", deep)), [call("f")]).passed
    schema = {"$defs": {"l": {"items": {"$ref": "#/$defs/l"}}}, "properties": {"a": {"$ref": "#/$defs/l"}}}
    assert tool_calls(made(("f", deep)), [{"name": "f", "arguments": schema}], arguments="schema").passed


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=8,
)


@given(JSON, JSON)
def test_values_differ_if_their_json_does(one, other):
    same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    assert (difference(one, other) is None) == same
    assert difference(one, one) is None


@given(st.lists(st.sampled_from("abc"), max_size=5), st.lists(st.sampled_from("abc"), max_size=5))
def test_the_score_counts_common_fields(names, expected):
    grade = tool_calls(made(*((name, {}) for name in names)), expected, order="any")
    common = sum(min(names.count(name), expected.count(name)) for name in "abc")
    assert grade.score == (common / max(len(names), len(expected)) if names or expected else 1.0)
    assert grade.passed == (sorted(names) == sorted(expected))
    assert tool_calls(made(*((name, {}) for name in names)), expected).passed == (names == expected)
    assert bool(grade.reason)


@given(st.integers(0, 5).flatmap(lambda n: st.lists(st.lists(st.booleans(), min_size=n, max_size=n), max_size=5)))
def test_pairs_fit_and_none_is_used_twice(fits):
    for pairs in (in_order(fits), in_any_order(fits)):
        assert all(fits[i][j] for i, j in pairs.items())
        assert len(set(pairs.values())) == len(pairs)
    ordered = in_order(fits)
    assert list(ordered.values()) == sorted(ordered.values())
    assert len(in_any_order(fits)) >= len(ordered)
