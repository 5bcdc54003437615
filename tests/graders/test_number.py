import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distilltest.errors import SuiteError
from distilltest.graders import number
from distilltest.graders.number import read_number

UNITS = {"km": 1000, "m": 1, "cm": 0.01, "%": 0.01, "$": 1}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("42", 42),
        ("The answer is 42.", 42),
        ("3 apples less 1 is 2", 2),
        ("so 1,234,567.5 in all", "1234567.5"),
        ("about 12 345 people", 12345),
        ("-7", -7),
        ("minus \u22127", -7),
        ("it is between 3-4", 4),
        ("x = -.5", "-0.5"),
        ("1e3", 1000),
        ("6.02e-2.", "0.0602"),
        ("$1,250.00", 1250),
        ("-$5", -5),
        ("3/4", "3/4"),
        ("-3/4 of it", "-3/4"),
        (r"\frac{3}{4}", "3/4"),
        (r"So \boxed{12}. I checked 99 cases.", 12),
        (r"\boxed{1} and then \boxed{\frac{1}{2}}", "1/2"),
        (r"\boxed{1{,}000}", 1000),
        (r"\boxed{\text{none}} but 5", 5),
        ("10 - 3 = 7\n#### 7\nor 8?", 8),
        ("**12**", 12),
        ("50\\%", 50),
        ("version v2 has 3 parts", 3),
        ("0.1", "1/10"),
    ],
)
def test_the_number_of_an_answer(text, value):
    assert read_number(text).value == Fraction(str(value))


@pytest.mark.parametrize("text", ["", "none", "v2", "x1y", "...", "\\boxed{}", "٣"])
def test_an_answer_without_a_number(text):
    assert read_number(text) is None
    assert number(text, 3).reason.startswith("there is no number")


def test_what_follows_four_signs_is_the_result():
    assert read_number("2 + 2 = 4, of 9\n#### 4").value == 4


@pytest.mark.parametrize(
    ("said", "expected", "options", "right"),
    [
        ("0.1", 0.1, {}, True),
        ("0.30000000000000004", 0.3, {}, False),
        ("0.31", 0.3, {"tolerance": 0.01}, True),
        ("0.32", 0.3, {"tolerance": 0.01}, False),
        ("101", 100, {"relative": 0.01}, True),
        ("-101", -100, {"relative": 0.01}, True),
        ("1.25 km", 1250, {"units": UNITS}, True),
        ("1.25 km", "1250 m", {"units": UNITS}, True),
        ("125000 cm", "1.25km", {"units": UNITS}, True),
        ("5 meters", "5 km", {"units": UNITS}, False),
        ("50 %", 0.5, {"units": UNITS}, True),
        ("50 %", 0.5, {}, False),
        (r"\boxed{1.25\text{ km}}", 1250, {"units": UNITS}, True),
        ("1250", "The result is #### 1,250", {}, True),
    ],
)
def test_what_is_right(said, expected, options, right):
    assert number(said, expected, **options).passed is right


@pytest.mark.parametrize(
    ("expected", "options", "words"),
    [
        ("none", {}, "no number in the reference"),
        (True, {}, "neither a number nor a text"),
        ([3], {}, "neither a number nor a text"),
        (math.nan, {}, "no number in the reference"),
        (3, {"tolerance": -1}, "of at least 0"),
        (3, {"relative": math.inf}, "of at least 0"),
    ],
)
def test_wrong_use_is_an_error(expected, options, words):
    with pytest.raises(SuiteError, match=words):
        number("3", expected, **options)


@given(st.integers(-(10**12), 10**12) | st.floats(-1e9, 1e9).filter(lambda n: n == 0 or abs(n) > 1e-9))
def test_every_number_is_itself_however_it_is_written(value):
    ways = [str(value), f"It is {value}.", rf"\boxed{{{value}}}", f"7 or 8\n#### {value}", f"**{value}**"]
    if isinstance(value, int):
        ways.append(f"{value:,}")
    for way in ways:
        assert number(way, value).passed, way


@given(st.text(), st.text("0123456789.,-/e $\\{}%# frac"))
def test_no_answer_crashes_it(text, odd):
    for answer in (text, odd):
        assert number(answer, 3).score in (0.0, 1.0)


@given(st.integers(-999, 999), st.integers(-999, 999), st.integers(0, 9))
def test_a_tolerance_is_symmetric_and_more_of_it_never_hurts(one, other, tolerance):
    found = number(str(one), other, tolerance=tolerance)
    assert found.passed == (abs(one - other) <= tolerance)
    assert number(str(other), one, tolerance=tolerance).passed == found.passed
