"""JSON: mistakes are refused with their line."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distilltest.data import Unreadable, parse_json, parse_row
from distilltest.errors import DistilltestError


def tree(text, **options):
    return parse_json(text, "f.json", DistilltestError, **options)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"a": 1,\n"b": {"c": 1,\n"c": 2}}', "f.json:3: the key 'c' is there twice, first on line 2"),
        ('[{"a" :1},\n{"a" :1, "a" :2}]', "f.json:2: the key 'a' is there twice, first on line 2"),
        ('{"a\\u0062": 1, "ab": 2}', "the key 'ab' is there twice"),
        ('{"a": "\\":", "b": 1, "b": 2}', "the key 'b' is there twice"),
        ("[1,\n99999999999999999999]", "f.json:2: 99999999999999999999 has more than 64 bits"),
        ("-9223372036854775809", "has more than 64 bits"),
        ("[" * 500 + "]" * 500, "f.json:1: lists and objects are nested more than 100 deep"),
        ("[\n" * 5000, "nested more than 100 deep"),
        ('{"a":' * 101 + "1" + "}" * 101, "nested more than 100 deep"),
        ("[NaN]", "f.json:1: not JSON"),
        ("[1e999]", "f.json:1: not JSON"),
        ('["\\ud800"]', "f.json:1: not JSON"),
        ("", "f.json:1: not JSON"),
        ('{"a": 1\n', "f.json:2: not JSON"),
    ],
)
def test_a_text_that_would_lose_information_is_refused_with_its_line(text, words):
    with pytest.raises(DistilltestError) as caught:
        tree(text)
    assert words in str(caught.value)
    assert len(str(caught.value)) < 300


def test_large_numbers_are_read_where_they_are_meant():
    assert tree('[1e300, 18446744073709551615, "99999999999999999999"]').value[1] == 2**64 - 1
    assert tree("[99999999999999999999]", any_size=True).value == [99999999999999999999]
    with pytest.raises(DistilltestError, match="not JSON: number is infinity"):
        tree(f"[{'9' * 10_000}]", any_size=True)


def test_every_part_has_its_line():
    found = tree('{"a": 1,\n"b": {\n"c": ["x",\n{"y": 1,\n"z": [2,\n3]}]}}')
    paths = [(), ("b",), ("b", "c", 1), ("b", "c", 1, "z"), ("b", "c", 1, "z", 1), ("b", "q"), ("a", 3)]
    assert [found.line(*steps) for steps in paths] == [1, 2, 4, 5, 6, 2, 1]


KEYS = st.text('ab"\\: ', max_size=2)
PAIRS = st.recursive(
    st.integers(-(2**70), 2**70) | st.floats() | st.text('ab":\\ ', max_size=4) | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.lists(st.tuples(KEYS, inner), max_size=3).map(tuple),
    max_leaves=8,
)


def written(value, colon):
    """Write JSON from tuples of pairs, which can hold duplicate keys."""
    if isinstance(value, tuple):
        return "{" + ",".join(f"{json.dumps(k)}{colon}{written(v, colon)}" for k, v in value) + "}"
    if isinstance(value, list):
        return "[" + ",".join(written(each, colon) for each in value) + "]"
    return json.dumps(value)


@settings(max_examples=300, deadline=None)
@given(PAIRS, st.sampled_from([":", ": ", " :", "\t:", " \n : "]))
def test_a_value_is_read_as_a_strict_reader_reads_it_or_refused(value, colon):
    text = written(value, colon)

    def unique(pairs):
        if len(dict(pairs)) != len(pairs):
            raise ValueError
        return dict(pairs)

    def whole(digits):
        if not -(2**63) <= int(digits) < 2**64:
            raise ValueError
        return int(digits)

    try:
        expected = json.loads(text, object_pairs_hook=unique, parse_int=whole, parse_constant=int)
    except ValueError:
        with pytest.raises(Unreadable):
            parse_row(text.encode())
    else:
        assert parse_row(text.encode()) == expected
