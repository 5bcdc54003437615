"""YAML: the values of a text, and mistakes with their line."""

import sys
import tracemalloc

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from distilltest.data import parse_yaml, yaml_of
from distilltest.data.yaml_build import MOST_VALUES
from distilltest.errors import DistilltestError


def value(text):
    return parse_yaml(text, "f.yaml", DistilltestError).value


def said(text):
    with pytest.raises(DistilltestError) as caught:
        value(text)
    return str(caught.value)


@pytest.mark.parametrize(
    ("word", "meaning"),
    [
        *(
            (word, word)
            for word in "2026-11-21 2026-13-45 no yes on off Yes y 007 12:30 1_000 0x1F 0o7 +5 .5 5. 1e".split()
        ),
        *((word, None) for word in ("", "~", "null", "Null", "NULL")),
        *((word, True) for word in ("true", "True", "TRUE")),
        ("false", False),
        ("0", 0),
        ("-12", -12),
        ("18446744073709551615", 2**64 - 1),
        ("-9223372036854775808", -(2**63)),
        ("1.50", 1.5),
        ("1e3", 1000.0),
        ("-0.0", -0.0),
        ("!!str 5", "5"),
        ("! 5", "5"),
        ("!!float 5", 5.0),
        ("!!int '5'", 5),
        ("'5'", "5"),
        ('"a\\0b"', "a\0b"),
    ],
)
def test_a_plain_scalar_is_null_true_false_a_number_of_json_or_a_text(word, meaning):
    assert value(f"a: {word}") == {"a": meaning}
    assert type(value(f"a: {word}")["a"]) is type(meaning)


def test_yaml_is_read_after_the_library_was_imported_again(monkeypatch):
    """pytest's ``pytester`` takes modules out of ``sys.modules``; the parser in C keeps what it had."""
    assert parse_yaml("a: [1]", "x.yaml", DistilltestError).value == {"a": [1]}
    for name in [name for name in sys.modules if name.partition(".")[0] in ("yaml", "_yaml")]:
        monkeypatch.delitem(sys.modules, name)
    assert parse_yaml("a: [1]", "x.yaml", DistilltestError).value == {"a": [1]}
    with pytest.raises(DistilltestError, match=r"x\.yaml:1: "):
        parse_yaml("a: [1", "x.yaml", DistilltestError)


def test_keys_are_texts():
    assert value("1: a\n2026-11-21: b\nno: c\n~: d\n1.50: e") == {
        "1": "a",
        "2026-11-21": "b",
        "no": "c",
        "~": "d",
        "1.50": "e",
    }


def test_own_keys_win_over_merged_ones_and_the_first_merged_one_over_the_next():
    text = "- &a {x: 1, y: 1}\n- &b {x: 2, z: 2}\n- {y: 3, <<: [*a, *b]}\n- {'<<': 4}\n"
    assert value(text)[2:] == [{"x": 1, "z": 2, "y": 3}, {"<<": 4}]


NINE_LINES = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 10)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: 1\nb: 2\na: 3", ":3: the key 'a' is there twice, first on line 1"),
        ("- {a: 1,\n   a: 2}", ":2: the key 'a' is there twice"),
        ("1: a\n'1': b", ":2: the key '1' is there twice"),
        ("a: &b {c: 1}\n<<: *b\n<<: *b", ":3: the key '<<' is there twice"),
        ("a: !!int x", ":1: !!int x: the text is not of that kind"),
        ("a: !!bool 1", "not of that kind"),
        ("a: !!binary aGVsbG8=", "the tag !!binary is not supported"),
        ("a: !!timestamp 2026-11-21", "the tag !!timestamp is not supported"),
        ("a: !!set {b}", "the tag !!set is not supported"),
        ("!!python/object/apply:os.system [ls]", "is not supported"),
        ("!mine a", "the tag !mine is not supported"),
        ("%TAG ! tag:example.org,2026:\n---\n!a b", "%TAG"),
        ("a: 1\nb: 18446744073709551616", ":2: 18446744073709551616 has more than 64 bits"),
        (f"a: {'9' * 10_000}", "has more than 64 bits"),
        ("a: 1e999", "too large"),
        ("a: .inf", "not a finite number"),
        ("a: -.INF", "not a finite number"),
        ("a: .nan", "not a finite number"),
        ("a: 1\nb: &x [*x]", ":2: *x is inside its own anchor"),
        ("&x {a: {b: *x}}", "*x is inside its own anchor"),
        ("a: *x", "there is no anchor &x above it"),
        ("a: &x 1\nb: &x 2", ":2: the anchor &x is there twice, first on line 1"),
        (NINE_LINES, "aliases stand for more than 1,000,000 values"),
        ("- &a " + "x" * 100_000 + "\n" + "- *a\n" * 1000, "or 32 MB of text"),
        ("- &a {a: [b, c]}\n- &b [" + "*a, " * 1000 + "]\n" + "- [" + "*b, " * 1000 + "]", "aliases stand for"),
        ("[" * 101 + "]" * 101, "nested more than 100 deep"),
        ("[" * 20_000, "nested more than 100 deep"),
        ("{a: " * 20_000, "nested more than 100 deep"),
        ("- " * 20_000, "nested more than 100 deep"),
        ("&a " + "[" * 60 + "]" * 60, None),
        (
            "- &a " + "[" * 60 + "]" * 60 + "\n- " + "[" * 60 + "*a" + "]" * 60,
            ":2: with *a, lists and objects are nested",
        ),
        ("? [a]\n: b", "a list as a key"),
        ("? {a: b}\n: c", "a mapping as a key"),
        ("? \n: b", ":1: an empty key"),
        ("<<: 3", "<< merges a mapping"),
        ("a\n---\nb", ":2: a second document begins"),
        ("a: [", "not YAML"),
        ("\ta: b", ":1: not YAML"),
        ("a: b\nc: \x1b[2J", ":2: not YAML: the character U+001B"),
        ('"\\ud800"', ":1: not YAML"),
    ],
)
@pytest.mark.parametrize("in_c", [True, False])
def test_a_value_that_json_does_not_have_is_refused_with_its_line(text, words, in_c, monkeypatch):
    if not in_c:
        monkeypatch.delattr(yaml, "CSafeLoader", raising=False)
    tracemalloc.start()
    try:
        if words is None:
            value(text)
        else:
            message = said(text)
            assert message.startswith("f.yaml:")
            if in_c or not words.startswith(":"):
                assert words in message
            assert len(message) < 500
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 20 * 1024**2


def test_many_aliases_of_long_texts_are_fine():
    text = "shared: &shared " + "x" * 10_000 + "\nrows:\n" + "- {system: *shared}\n" * 1000
    assert len(value(text)["rows"]) == 1000
    assert MOST_VALUES > 100_000


def test_an_unexpected_error_of_the_library_becomes_our_error(monkeypatch):
    class Failing(yaml.SafeLoader):
        def check_event(self, *_):
            raise RecursionError("too deep")

    monkeypatch.setattr(yaml, "CSafeLoader", Failing)
    assert said("a: b") == "f.yaml:1: not YAML that can be read: RecursionError: too deep."


def test_every_part_has_its_line():
    tree = parse_yaml("a: 1\nb:\n  c:\n  - x\n  - {y: 1,\n     z: 2}\n", "f.yaml", DistilltestError)
    lines = [tree.line(*steps) for steps in [(), ("b",), ("b", "c", 1), ("b", "c", 1, "z"), ("b", "q", "r"), ("a", 3)]]
    assert lines == [1, 2, 5, 6, 2, 1]


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8"), max_size=12)
    | st.sampled_from(["1e5", "12e34", "no", "2026-11-21", "<<", "~", "0x1f", "-0", "1.0", ".inf", "007", "=", "0o7"]),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=8), inner)
    ),
    max_leaves=12,
)


@settings(max_examples=60, deadline=None)
@example({"\x85": "\u2028"}, False)
@given(VALUES, st.booleans())
def test_what_is_written_is_read_again_as_it_was(content, flow):
    assert value(yaml_of(content, flow=flow)) == content
    assert yaml.safe_load(yaml_of(content, flow=flow)) == content


@settings(max_examples=200, deadline=None)
@given(st.text(st.sampled_from("ab:-[]{},&*!|>?#%@`'\"\\ \n\t01.e~<\0\x85\ufeff"), max_size=30))
def test_both_parsers_say_the_same(text):
    found = []
    with pytest.MonkeyPatch.context() as patch:
        for _ in range(2):
            try:
                found.append(repr(value(text)))
            except DistilltestError:
                found.append("refused")
            patch.delattr(yaml, "CSafeLoader", raising=False)
    if "refused" not in found:  # they differ in what they refuse, never in what a text means
        assert found[0] == found[1]
