"""The filter: what it escapes, and that ordinary text of any script is unchanged."""

import json
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from untrusted.hostile import texts

from distilltest.untrusted.visible import inline, safe_json, visible


def test_every_character_alone_is_visible_or_escaped():
    acting = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
    for code in (*range(0x20000), *range(0xE0000, 0xE1000), 0xF0000, sys.maxunicode):
        sign = chr(code)
        if sign not in "\n\t":
            said = visible(sign)
            assert said != sign or unicodedata.category(sign) not in acting, hex(code)
            assert said.isprintable() or unicodedata.category(said) == "Zs", hex(code)
    assert visible("\U000e0041\u034f\u3164") == "\\U000e0041\\u034f\\u3164"  # hidden tags and fillers


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("\x1b[2J", "\\x1b[2J"),
        ("\x9b2J", "\\x9b2J"),
        ("a\x07b\x08c\x7f", "a\\x07b\\x08c\\x7f"),
        ("gpj.exe\u202e", "gpj.exe\\u202e"),
        ("a\u2028b\u2029c\x85d\x0be\x0cf", "a\\u2028b\\u2029c\\x85d\\x0be\\x0cf"),
        ("a\r\nb\rc", "a\nb\\rc"),
        ("a\tb", "a    b"),
        ("\ud83d", "\\ud83d"),
        ("pa\u200dss", "pa\\u200dss"),
        ("x\ufe0f", "x\\ufe0f"),
    ],
)
def test_active_characters_are_escaped(text, said):
    assert visible(text) == said
    assert "\n" not in inline(text)


@pytest.mark.parametrize(
    "text",
    [
        "Grüße, naïve café",
        "東京　大阪",
        "می\u200cخواهم",
        "क्\u200dष",
        "👩\u200d🚀 ❤\ufe0f 1\ufe0f\u20e3",
        "עברית العربية",
        "5\u00a0%",
    ],
)
def test_ordinary_text_of_any_script_is_left_alone(text):
    assert visible(text) == text


@given(texts)
def test_filtering_twice_changes_nothing_more(text):
    assert visible(visible(text)) == visible(text)
    assert inline(inline(text)) == inline(text)


@given(st.recursive(st.none() | st.booleans() | st.text(), lambda s: st.lists(s) | st.dictionaries(st.text(), s)))
def test_displayable_json_has_the_same_data(content):
    document = json.dumps(content, ensure_ascii=False).encode(errors="surrogatepass")
    shown = safe_json(document)
    assert json.loads(shown) == content
    assert visible(shown.decode()) == shown.decode()
