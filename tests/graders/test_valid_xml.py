import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distilltest.graders import valid_xml

LAUGHS = (
    '<!DOCTYPE lolz [<!ENTITY lol0 "lol">'
    + "".join(f'<!ENTITY lol{n} "{f"&lol{n - 1};" * 10}">' for n in range(1, 30))
    + "]><lolz>&lol29;</lolz>"
)


@pytest.mark.parametrize(
    "answer",
    [
        "<a/>",
        "<?xml version='1.0'?><a x='1'>é &amp; &#233;<!-- c --><![CDATA[<]]></a>",
        '<n:a xmlns:n="urn:n"/>',
        "\n<a/>\n",
    ],
)
def test_a_well_formed_document_scores_one(answer):
    assert valid_xml(answer).reason == "is XML: <a>"


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ("", "no element found"),
        ("text", "syntax error"),
        ("<a>", "no element found"),
        ("<a><b></a>", "mismatched tag"),
        ("<a/><b/>", "junk after document element"),
        ("<a>&nbsp;</a>", "undefined entity"),
        ("<n:a/>", "unbound prefix"),
        ("<a>&lt</a>", "not well-formed"),
        ("<a>\ud800</a>", "surrogate"),
        ("<a>\x00</a>", "not well-formed"),
        ("\n<?xml version='1.0'?><a/>", "declaration not at start"),
    ],
)
def test_anything_else_scores_zero_and_says_why(answer, why):
    grade = valid_xml(answer)
    assert (grade.score, grade.passed) == (0.0, False)
    assert why in grade.reason


@pytest.mark.parametrize(
    "answer",
    [
        LAUGHS,
        '<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>',
        '<!DOCTYPE a [<!ENTITY e SYSTEM "http://127.0.0.1:1/x">]><a>&e;</a>',
        '<!DOCTYPE a [<!ENTITY % p SYSTEM "http://127.0.0.1:1/x"> %p;]><a/>',
    ],
)
def test_a_doctype_is_refused_at_once(answer):
    start = time.process_time()
    grade = valid_xml(answer)
    assert time.process_time() - start < 1
    assert not grade.passed
    assert "DOCTYPE" in grade.reason


def test_deep_nesting_works():
    assert valid_xml("<a>" * 100_000 + "</a>" * 100_000).passed


def test_a_code_fence_is_looked_into_only_when_asked():
    assert not valid_xml("```xml\n<a/>\n```").passed
    assert valid_xml("```xml\n<a/>\n```", code_fence=True).passed


@given(st.text() | st.text(alphabet="<>/&;a!?[]\"'= -").map(lambda text: f"<a>{text}</a>"))
def test_no_answer_crashes_it(answer):
    assert valid_xml(answer).score in (0.0, 1.0)
