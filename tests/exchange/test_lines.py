"""The shape of a line, whatever a completion says."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from store.stored import answered

from distilltest.exchange.completion_lines import from_line, is_line, to_line
from distilltest.records import Request, ToolCall, Usage
from distilltest.store import StoredRow
from distilltest.store.rows import read_answer, record_of, row_of, said_by

TEXT = st.text(max_size=30)
SIMPLE = (
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | TEXT
)
VALUES = st.recursive(
    SIMPLE, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3), max_leaves=8
)


@given(
    content=TEXT,
    answer=TEXT,
    parameters=st.dictionaries(TEXT, VALUES, max_size=3),
    labels=st.dictionaries(TEXT, TEXT, max_size=3),
    response=st.binary(max_size=60) | TEXT.map(str.encode),
    created=st.floats(0, 1e10),
    arguments=TEXT,
    tokens=st.integers(0, 10**9),
)
def test_a_row_comes_back_as_it_was(content, answer, parameters, labels, response, created, arguments, tokens):
    request = Request("s", "http://x/v1", "m", ({"role": "user", "content": content},), parameters, metadata=labels)
    calls = (ToolCall("1", "f", arguments),)
    completion = answered(request, answer, created, tool_calls=calls, usage=Usage(tokens))
    new = row_of(request, completion, response, session=0)
    assert read_answer(new.response, new.answer) == said_by(completion)
    row = StoredRow(
        key=completion.key,
        server=completion.server,
        model=completion.model,
        trial=completion.trial,
        metadata=new.metadata,
        request=new.request,
        answer=record_of(completion),
        response=response,
        created=created,
        server_id=None,
    )
    line = to_line(row)
    assert b"\n" not in line
    parsed = orjson.loads(line)
    assert is_line(parsed)
    assert from_line(parsed) == row


@pytest.mark.parametrize(
    "content", [None, [], "x", {}, {"completion": "text"}, {"completion": {"key": "a"}}, {"request": 1}]
)
def test_what_others_write_is_no_line_of_ours(content):
    assert not is_line(content)
