import pytest
from hypothesis import given
from hypothesis import strategies as st

from distilltest.errors import SuiteError
from distilltest.graders.sample import sample_of
from distilltest.graders.template import NotInSample, template
from distilltest.records import Completion, ToolCall

ITEM = {"x": "X", "n": 3, "deep": {"a": [{"b": True}], "odd key": None}, "my-key": "{{ item.x }}"}
SAMPLE = sample_of(
    Completion("k", "s", "m", '{"a": [{"b": 1.5}]}', "stop", tool_calls=(ToolCall("1", "f", '{"city": ["Rome"]}'),))
)


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("", ""),
        ("no braces, } nor { alone", "no braces, } nor { alone"),
        ("<{{ item.x }}{{item.x}}>", "<XX>"),
        ("{{\n item.n\t}}", "3"),
        ("{{ item.deep }}", '{"a":[{"b":true}],"odd key":null}'),
        ("{{ item.deep.a[0].b }}", "true"),
        ('{{ item.deep["odd key"] }}', "null"),
        ("{{ item['x'] }}", "X"),
        ("{{ item.my-key }}", "{{ item.x }}"),
        ('{"a": {"b": {{ item.n }}}}', '{"a": {"b": 3}}'),
        ("{{ sample.output_text }}", '{"a": [{"b": 1.5}]}'),
        ("{{ sample.output_json.a[0].b }}", "1.5"),
        ("{{ sample.output_tools[0].function.name }}", "f"),
        ("{{ sample.output_tools[0].function.arguments }}", '{"city": ["Rome"]}'),
        ("{{ sample.output_tools[0].function.arguments.city[0] }}", "Rome"),
        ("{{ sample.choices[0].message.content }}", '{"a": [{"b": 1.5}]}'),
    ],
)
def test_values_are_filled_in(source, text):
    assert template(source).render(ITEM, SAMPLE) == text


@pytest.mark.parametrize(
    "source",
    [
        "{{ }}",
        "{{}}",
        "{{ item }}",
        "{{ item. }}",
        "{{ sample }}",
        "{{ sample.text }}",
        "{{ sample[0] }}",
        "{{ row.x }}",
        "{{ items.x }}",
        "{{ item.x y }}",
        "{{ item.x | upper }}",
        "{{ item.x() }}",
        "{{ item.a[-1] }}",
        "{{ item.a[b] }}",
        "{{ item.a[" + "9" * 5000 + "] }}",
        "{{ 1 + 1 }}",
        "{{ ''.__class__ }}",
        "{{ {{ item.x }} }}",
    ],
)
def test_a_path_that_can_never_match_is_an_error_when_it_is_read(source):
    with pytest.raises(SuiteError, match=r"^here: .* names nothing: write \{\{ item.name \}\}"):
        template(source, "here")


def test_braces_that_are_not_closed_are_an_error():
    with pytest.raises(SuiteError, match=r'^here: .* has "\{\{" but no "\}\}"'):
        template("{{ item.x }", "here")


@pytest.mark.parametrize("source", ["item.y", "item.deep.a[1]", "item.x.y", "item.n[0]", "item.__class__", "item.x[0]"])
def test_a_path_that_the_item_lacks_is_an_error_when_it_is_rendered(source):
    with pytest.raises(SuiteError, match="names nothing: there is no") as told:
        template(f"{{{{ {source} }}}}").render(ITEM, SAMPLE)
    assert source in str(told.value)
    assert not isinstance(told.value, NotInSample)


@pytest.mark.parametrize(
    "source", ["sample.output_json.b", "sample.output_tools[1]", "sample.output_audio.data", "sample.output_json.a.b"]
)
def test_what_the_answer_lacks_can_be_told_from_a_mistake_of_the_suite(source):
    with pytest.raises(NotInSample, match="names nothing: there is no"):
        template(f"{{{{ {source} }}}}").render(ITEM, SAMPLE)


def test_an_answer_that_is_not_json_has_no_output_json():
    sample = sample_of(Completion("k", "s", "m", "Rome", "stop"))
    with pytest.raises(NotInSample, match="there is no 'output_json'; there are output_text, output_tools, choices"):
        template("{{ sample.output_json }}").render({}, sample)


def test_an_answer_that_is_nested_too_deeply_is_an_error():
    sample = sample_of(Completion("k", "s", "m", "[" * 1000 + "]" * 1000, "stop"))
    with pytest.raises(NotInSample, match="cannot be written as JSON"):
        template("{{ sample.output_json }}").render({}, sample)


@given(st.text() | st.text(alphabet="{}item.sample[]0\"' x"))
def test_no_text_crashes_it(source):
    try:
        read = template(source)
    except SuiteError:
        return
    assert read.source == source
    if not read.paths:
        assert read.render({}, {}) == source


KEYS = st.text(alphabet="abc_-9", min_size=1, max_size=3)


@given(
    st.recursive(
        st.text(max_size=3), lambda inner: st.dictionaries(KEYS, inner, min_size=1) | st.lists(inner, min_size=1)
    )
)
def test_every_text_in_an_item_can_be_reached(value):
    def leaves(value, path):
        if isinstance(value, str):
            yield path, value
        for step, inner in (
            value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        ):
            yield from leaves(inner, f"{path}.{step}" if isinstance(step, str) else f"{path}[{step}]")

    for path, text in leaves(value, "item.v"):
        assert template(f"{{{{ {path} }}}}").render({"v": value}, {}) == text
