import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distilltest.errors import GraderFailed, SuiteError
from distilltest.graders.formula import formula
from distilltest.graders.formula_parser import FUNCTIONS

VALUES = {"a": 0.5, "b": 0.25, "e1": 3.0, "größe": 2.0}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1 + 2 * 3", 7),
        ("(1 + 2) * 3", 9),
        ("10 - 4 - 3", 3),
        ("8 / 4 / 2", 1),
        ("-2 ^ 2", -4),
        ("(-2) ^ 2", 4),
        ("2 ^ 3 ^ 2", 512),
        ("2 ^ -1", 0.5),
        ("2 * -3", -6),
        ("--1", 1),
        ("+1", 1),
        ("-a", -0.5),
        (".5 + 1. + 1e1 + 2.5E-1", 11.75),
        ("a+b", 0.75),
        ("e1", 3),
        ("1e1", 10),
        ("größe", 2),
        ("min(a, b, 1)", 0.25),
        ("max(a)", 0.5),
        ("abs(-a) + floor(1.7) + ceil(1.2)", 3.5),
        ("exp(log(a)) * sqrt(4)", 1),
        ("  a\n *\tb ", 0.125),
    ],
)
def test_a_formula_has_its_value(text, value):
    assert formula(text).value(VALUES) == pytest.approx(value, abs=1e-12)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "column 1: the formula ends where a number"),
        ("a +", "column 4: the formula ends"),
        ("a b", "column 3: 'b' stands where an operator or the end was expected"),
        ("1 2", "column 3: '2' stands where an operator or the end was expected"),
        ("(a", 'column 3: the formula ends where the "\\)" of column 1'),
        ("a)", "column 2: '\\)' stands where an operator or the end was expected"),
        ("()", "column 2: '\\)' stands where a number"),
        ("a ** b", "column 4: '\\*' stands"),
        ("a % b", "column 3: '%' has no meaning"),
        ("a.b", "column 2: '.' has no meaning"),
        ("'a'", 'column 1: "\'" has no meaning'),
        ("²", "column 1: '²' has no meaning"),
        ("__import__('os')", 'column 12: "\'" has no meaning'),
        ("eval(a)", "column 1: there is no function 'eval'; the functions are min, max"),
        ("min", "column 1: min is a function"),
        ("min()", "column 5: '\\)' stands"),
        ("sqrt(a, b)", "column 1: sqrt takes one number, not 2"),
        ("min(a; b)", "column 6: ';' has no meaning"),
        ("1e999", "column 1: 1e999 is too large"),
        ("(" * 200 + "a" + ")" * 200, "column 51: nested deeper than 50 levels"),
        ("-" * 5000 + "1", "nested deeper"),
        ("2^" * 5000 + "1", "nested deeper"),
    ],
)
def test_an_invalid_formula_is_an_error_that_names_the_position(text, message):
    with pytest.raises(SuiteError, match=message):
        formula(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1 / (a - 0.5)", "column 3: 1 is divided by zero"),
        ("0 / 0", "column 3: 0 is divided by zero"),
        ("c + a", "column 1: there is no 'c'; the names are a, b"),
        ("sqrt(-a)", "column 1: 'sqrt' of -0.5 is not a number"),
        ("log(0)", "column 1: 'log' of 0 is not a number"),
        ("exp(1000)", "column 1: 'exp' of 1000 is not a number"),
        ("a + (-1) ^ 0.5", "column 10: '\\^' of -1, 0.5 is not a number"),
        ("0 ^ -1", "column 3: '\\^' of 0, -1 is not a number"),
        ("1e308 * 10", "column 7: '\\*' of 1e\\+308, 10 is not a number"),
        ("9 ^ 9 ^ 9", "is not a number"),
    ],
)
def test_a_formula_without_a_value_is_an_error_that_names_the_position(text, message):
    kind = SuiteError if "there is no" in message else GraderFailed
    with pytest.raises(kind, match=message):
        formula(text).value(VALUES)


def test_a_long_formula_is_not_nested_too_deeply():
    assert formula(" + ".join(["a"] * 20_000)).value(VALUES) == 10_000


@given(st.text() | st.text(alphabet="ab1.e+-*/^(), minmaxlogsqrt"))
def test_no_text_crashes_it(text):
    try:
        value = formula(text).value(VALUES)
    except (SuiteError, GraderFailed):
        return
    assert math.isfinite(value)


NUMBERS = st.integers(0, 9).map(str) | st.sampled_from(["a", "b", "0.5"])
FORMULAS = st.recursive(
    NUMBERS,
    lambda inner: (
        st.tuples(inner, st.sampled_from("+-*/^"), inner).map(" ".join)
        | inner.map("({})".format)
        | inner.map("-{}".format)
        | st.tuples(st.sampled_from(FUNCTIONS), inner).map(lambda parts: f"{parts[0]}({parts[1]})")
    ),
    max_leaves=8,
)


@given(FORMULAS)
def test_it_agrees_with_python_if_python_has_a_value(text):
    scope = {**VALUES, "min": lambda *x: min(x), "max": lambda *x: max(x), "abs": abs}
    scope |= {name: getattr(math, name) for name in ("floor", "ceil", "exp", "sqrt", "log")}
    try:
        value = formula(text).value(VALUES)
    except (SuiteError, GraderFailed):
        return
    assert value == pytest.approx(eval(text.replace("^", "**"), {}, scope), rel=1e-9)
