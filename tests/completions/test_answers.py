"""Parsing of responses: strict, and only with errors of calls."""

import asyncio
import copy
import json
from dataclasses import fields

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from distilltest.completions.client import AiohttpChatClient
from distilltest.completions.faults import failure_of, retry_after
from distilltest.config import Server
from distilltest.data.responses import MalformedResponse, NoAnswer, completion_of, read_chat_completion
from distilltest.errors import BadAnswer, CallError, ContentFiltered, RateLimited, RequestRejected, ServerFailed
from distilltest.records import Completion, Request, ToolCall, Usage

CHAT = Request("s", "http://x/v1", "m", ({"role": "user", "content": "q"},))
EMBEDDING = Request("s", "http://x/v1", "m", ({"role": "user", "content": "q"},), endpoint="embeddings")
CALL = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
ANSWER = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "m-2",
    "system_fingerprint": "fp",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "fine", "refusal": None, "tool_calls": [CALL]},
            "finish_reason": "stop",
            "logprobs": None,
        },
    ],
    "usage": {"prompt_tokens": 9, "completion_tokens": 3, "prompt_tokens_details": {"cached_tokens": 4}},
}
VECTOR = {
    "object": "list",
    "data": [{"object": "embedding", "index": 0, "embedding": [0.5, 1, -2.5]}],
    "model": "m-2",
    "usage": {"prompt_tokens": 9, "total_tokens": 9},
}
ERROR = {"error": {"message": "no", "type": "t", "param": "p", "code": "c", "innererror": {"code": "i"}}}
NAMES = st.sampled_from(
    "error message content type text refusal index id function name arguments code usage choices data embedding "
    "prompt_tokens cached_tokens param detail tool_calls custom input innererror provider_specific_fields".split()
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
    | st.sampled_from(
        ["ten", "content_filter", "length", "error", "text", "refusal", "insufficient_quota", "502", "-1", 502, 1e300]
    )
)
VALUES = st.recursive(
    SCALARS,
    lambda v: st.lists(v, max_size=3) | st.dictionaries(NAMES | st.text("ab", max_size=2), v, max_size=4),
    max_leaves=8,
)


def places(value, path=()):
    """The paths of all values in a JSON value."""
    yield path
    for name, child in (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    ):
        yield from places(child, (*path, name))


def changed(whole, path, value):
    """The JSON value with another value at a path."""
    if not path:
        return value
    whole = copy.deepcopy(whole)
    inner = whole
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = value
    return whole


def answer(**message):
    """A chat completion whose message has these fields."""
    return changed(ANSWER, ("choices", 0, "message"), {"role": "assistant", **message})


def finished(reason, **message):
    return changed(answer(**message), ("choices", 0, "finish_reason"), reason)


def read(content, request=CHAT):
    return completion_of(request, content, latency=0.1, created=1.0)


@pytest.fixture(scope="module")
def arrive():
    """The client's result for a body."""

    async def made():
        client = AiohttpChatClient(Server("s", "http://x/v1"), "http://x/v1")
        await client.close()
        return client

    client = asyncio.run(made())
    return lambda request, body: client._completion(request, body, 0.1)


def check_types(made):
    """Check that every field has its declared type."""
    kinds = {"tool_calls": tuple, "usage": Usage, "refusal": str | None, "system_fingerprint": str | None}
    kinds |= {"latency": float, "created": float, "attempts": int, "trial": int, "from_store": bool, "id": int}
    for field in fields(Completion):
        value = getattr(made, field.name)
        assert isinstance(value, kinds.get(field.name, str)), field.name
    for call in made.tool_calls:
        assert isinstance(call, ToolCall)
        assert all(isinstance(part, str) for part in (call.id, call.name, call.arguments))
    usage = made.usage
    for count in (usage.prompt_tokens, usage.completion_tokens, usage.cached_tokens):
        assert type(count) is int
        assert 0 <= count <= 10**9
    assert usage.cached_tokens <= usage.prompt_tokens
    assert usage.known or usage == Usage(known=False)
    orjson.dumps(made)


@settings(max_examples=600)
@given(place=st.sampled_from(list(places(ANSWER))), value=VALUES)
@example(place=("usage", "prompt_tokens"), value="ten")
@example(place=("choices", 0, "message", "tool_calls", 0, "function"), value={"name": "f", "arguments": {}})
def test_any_value_anywhere_in_a_completion_is_an_answer_or_a_failed_call(arrive, place, value):
    try:
        made = arrive(CHAT, orjson.dumps(changed(ANSWER, place, value)))
    except CallError:
        return
    check_types(made)


@settings(max_examples=200)
@given(place=st.sampled_from(list(places(VECTOR))), value=VALUES)
def test_any_value_anywhere_in_an_embedding_is_a_vector_or_a_failed_call(arrive, place, value):
    try:
        made = arrive(EMBEDDING, orjson.dumps(changed(VECTOR, place, value)))
    except CallError:
        return
    check_types(made)
    vector = orjson.loads(made.text)
    assert vector
    assert all(type(number) is float for number in vector)


@settings(max_examples=200)
@given(
    body=st.binary(max_size=40)
    | st.sampled_from([b"[" * 1000 + b"]" * 1000, b"\xff\xfe", b'"\xed\xa0\x80"', b"1e999", b"NaN"])
)
def test_any_bytes_are_a_failed_call(arrive, body):
    for request in (CHAT, EMBEDDING):
        with pytest.raises(CallError):
            arrive(request, body)


def test_a_value_that_is_nested_too_deep_to_show_is_a_failed_call(arrive):
    deep = b"[" * 500 + b"]" * 500
    for body in (
        b'{"choices": [{"message": {"content": ' + deep + b"}}]}",
        b'{"error": {"message": ' + deep + b"}}",
        deep,
    ):
        with pytest.raises(CallError):
            arrive(CHAT, body)
        assert failure_of(Server("s", "http://x/v1"), CHAT, 400, {}, body)


@settings(max_examples=300)
@given(
    status=st.integers(300, 599),
    place=st.sampled_from(list(places(ERROR))),
    value=VALUES,
    name=st.sampled_from(["Retry-After", "retry-after-ms", "Location", "RETRY-AFTER"]),
    header=st.text(max_size=12)
    | st.sampled_from(["inf", "nan", "-1", "1e999", "Mon, 01 Jan 0001 00:00:00 +2359", "9" * 400]),
)
def test_any_error_is_a_failed_call_with_a_short_sentence(status, place, value, name, header):
    body = orjson.dumps(changed(ERROR, place, value))
    failure = failure_of(Server("s", "http://x/v1"), CHAT, status, {name: header}, body)
    assert isinstance(failure, CallError)
    assert failure.status == status
    assert len(str(failure)) < 1200
    assert failure.retry_after is None or 0 <= failure.retry_after < float("inf")


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("2", 2.0),
        ("0.5", 0.5),
        ("-3", 0.0),
        ("inf", None),
        ("nan", None),
        ("soon", None),
        ("", None),
        ("Mon, 01 Jan 0001", None),
    ],
)
def test_retry_after_is_a_finite_number_or_nothing(value, seconds):
    assert retry_after({"RETRY-after": value}) == seconds


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}], "ab"),
        ([{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, {"type": "text", "text": "b"}], "b"),
        ([{"type": "output_text", "text": "a"}], "a"),
        ("", ""),
    ],
)
def test_the_text_parts_of_a_content_are_joined(content, text):
    assert read(answer(content=content)).text == text


def test_a_refusal_in_any_field_is_an_answer():
    assert read(answer(content=None, refusal="I cannot")).refusal == "I cannot"
    assert read(answer(content=[{"type": "refusal", "refusal": "I cannot"}])).refusal == "I cannot"
    assert read(answer(content="text", refusal="")).refusal is None


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (answer(content=None), "it has no content, no tool call and no refusal"),
        (answer(content=[]), "it has no content, no tool call and no refusal"),
        (answer(), "it has no content, no tool call and no refusal"),
        (answer(content=[{"type": "thinking", "thinking": "hm"}]), "it has no content, no tool call and no refusal"),
        (answer(content=7), "choices[0].message.content is 7, neither a text nor a list of parts"),
        (
            answer(content=[{"type": "image_url"}]),
            'choices[0].message.content[0] is {"type":"image_url"}, not a part with a text',
        ),
        (answer(content=["a"]), 'choices[0].message.content[0] is "a", not an object'),
        (answer(content="a", refusal=False), "choices[0].message.refusal is false, not a text"),
        (answer(content="a", tool_calls={}), "choices[0].message.tool_calls is {}, not a list"),
        (answer(tool_calls=[{**CALL, "id": 7}]), "choices[0].message.tool_calls[0].id is 7, not a text"),
        (
            answer(tool_calls=[{**CALL, "function": {"name": "f", "arguments": {}}}]),
            "function.arguments is {}, not a text",
        ),
        (
            answer(tool_calls=[{**CALL, "function": {"name": None, "arguments": ""}}]),
            "function.name is missing, not a text",
        ),
        (finished(7, content="a"), "choices[0].finish_reason is 7, not a text"),
        ({**ANSWER, "choices": []}, "it has no choices"),
        ({**ANSWER, "choices": {"0": 1}}, "it has no choices"),
        ({**ANSWER, "choices": [None]}, "choices[0] is missing, not an object"),
        (
            {**ANSWER, "choices": [{**ANSWER["choices"][0], "index": n} for n in (1, 2)]},
            "none of its choices has the index 0",
        ),
        ([], "the response is [], not an object"),
    ],
)
def test_a_response_without_an_answer_is_described(content, words):
    with pytest.raises(MalformedResponse) as told:
        read(content)
    assert words in str(told.value)


def test_a_cut_off_answer_without_a_content_is_an_answer():
    made = read(finished("length", content=None))
    assert (made.text, made.finish_reason) == ("", "length")


def test_the_choice_with_index_0_is_used_in_any_position():
    one, two = ({"index": n, "message": {"content": f"choice {n}"}, "finish_reason": "stop"} for n in (0, 1))
    assert read({"choices": [two, one]}).text == "choice 0"
    assert read({"choices": [one, two]}).text == "choice 0"
    assert read({"choices": [{"message": {"content": "only"}}]}).text == "only"


def test_other_kinds_of_tool_calls_are_read():
    custom = {"id": "c", "type": "custom", "custom": {"name": "f", "input": "raw"}}
    assert read(answer(content=None, tool_calls=[custom])).tool_calls == (ToolCall("c", "f", "raw"),)
    old = answer(content=None, function_call={"name": "f", "arguments": "{}"})
    assert read(old).tool_calls == (ToolCall("", "f", "{}"),)


@pytest.mark.parametrize(
    "usage",
    [
        None,
        7,
        [],
        {},
        {"prompt_tokens": 3},
        *({"prompt_tokens": wrong, "completion_tokens": 1} for wrong in ("ten", -1, True, 1.5, 10**15, None, [])),
    ],
)
def test_invalid_token_counts_are_unknown_and_the_answer_counts(usage):
    made = read({**ANSWER, "usage": usage})
    assert made.text == "fine"
    assert made.usage == Usage(known=False)


def test_tokens_are_read():
    assert read(ANSWER).usage == Usage(9, 3, 4)
    assert read(VECTOR, EMBEDDING).usage == Usage(9)
    assert read({**ANSWER, "usage": {"prompt_tokens": 9.0, "completion_tokens": 3}}).usage == Usage(9, 3)
    odd = {"prompt_tokens": 9, "completion_tokens": 3, "prompt_tokens_details": {"cached_tokens": 99}}
    assert read({**ANSWER, "usage": odd}).usage == Usage(9, 3, 9)


@pytest.mark.parametrize("vector", [[], "AAAA", [1, None], [1, "2"], [[1.0]], [True], {}, None])
def test_an_invalid_vector_is_described(vector):
    with pytest.raises(MalformedResponse, match="embedding"):
        read(changed(VECTOR, ("data", 0, "embedding"), vector), EMBEDDING)


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (finished("content_filter", content="half of"), ContentFiltered),
        (finished("content_filter", content=None), ContentFiltered),
        (finished("content_filter: RECITATION", content=None), ContentFiltered),
        (finished("SAFETY", content=None), ContentFiltered),
        (finished("error", content="half of"), ServerFailed),
        (changed(ANSWER, ("choices", 0, "error"), {"message": "upstream", "code": 502}), ServerFailed),
        (changed(ANSWER, ("choices", 0, "error"), {"message": "slow", "code": 429}), RateLimited),
        (changed(ANSWER, ("choices", 0, "error"), {"message": "no", "code": "content_filter"}), ContentFiltered),
        (changed(ANSWER, ("choices", 0, "error"), "odd"), RequestRejected),
        ({"error": {"message": "no"}}, RequestRejected),
        ({**ANSWER, "error": {"code": "server_error"}}, ServerFailed),
        (answer(content=None), BadAnswer),
    ],
)
def test_an_error_in_a_2xx_response_is_a_failed_call(arrive, content, kind):
    with pytest.raises(CallError) as told:
        arrive(CHAT, json.dumps(content).encode())
    assert type(told.value) is kind
    assert str(told.value).startswith("m ")


def test_a_null_error_is_not_a_failure():
    assert read({**ANSWER, "error": None}).text == "fine"


def test_the_store_reads_answers_that_are_rejected_today():
    """``said`` reads responses that are not answers today, because rows of earlier versions must stay readable."""
    assert read_chat_completion(finished("content_filter", content=None)).finish_reason == "content_filter"
    with pytest.raises(NoAnswer):
        read(finished("content_filter", content=None))
