"""The cost of calls: one function, cached tokens, and answers without usage."""

import json
import re
from pathlib import Path

import pytest
from completions.scripted_server import Reply, ScriptedServer
from completions.test_limits_and_retries import asked, engine, fetch
from hypothesis import given
from hypothesis import strategies as st

import distilltest
from distilltest.config import Price, cost_of, usd
from distilltest.records import CallFailure, Completion, Request, ToolCall, Usage

PRICE = Price(input=2.0, cached_input=0.5, output=8.0)
COUNTS = st.integers(0, 10**7)


def test_cached_tokens_have_their_own_price():
    assert usd(PRICE, 1_000_000, 0) == 2.0
    assert usd(PRICE, 1_000_000, 0, 1_000_000) == 0.5
    assert usd(PRICE, 1_000_000, 500_000, 500_000) == pytest.approx(1.0 + 0.25 + 4.0)
    assert usd(Price(input=2.0, output=8.0), 1_000_000, 0, 1_000_000) == 2.0
    assert usd(Price(input=2.0), 10, 10) is None
    assert usd(None, 10, 10) is None


@given(COUNTS, COUNTS, COUNTS)
def test_a_token_more_never_costs_less_and_the_cache_never_costs_more(prompt, completion, cached):
    paid = usd(PRICE, prompt, completion, cached)
    assert 0 <= paid <= usd(PRICE, prompt, completion)
    assert paid <= usd(PRICE, prompt + 1, completion, cached)
    assert paid <= usd(PRICE, prompt, completion + 1, cached)


def test_unknown_tokens_are_estimated_from_request_and_answer():
    request = Request("s", "http://x/v1", "m", ({"role": "user", "content": "x" * 400},))
    completion = Completion(request.key, "s", "m", "y" * 40, "stop", usage=Usage(known=False))
    prices = {"m": Price(input=1e6, output=1e6)}  # a dollar a token
    sent = -(-len(request.encoded) // 4)
    assert cost_of(prices, request, completion) == sent + 10
    called = Completion(
        request.key, "s", "m", "", "stop", tool_calls=(ToolCall("1", "name", "x" * 36),), usage=Usage(known=False)
    )
    assert cost_of(prices, request, called) == sent + 10
    refused = Completion(request.key, "s", "m", "", "stop", refusal="n" * 40, usage=Usage(known=False))
    assert cost_of(prices, request, refused) == sent + 10
    assert cost_of({}, request, completion) == 0.0


def reply(usage):
    choice = {"index": 0, "message": {"content": "fine"}, "finish_reason": "stop"}
    return Reply(body=json.dumps({"choices": [choice], "usage": usage}).encode())


def test_the_budget_knows_the_cache(tmp_path):
    (tmp_path / "prices.yaml").write_text("m: {input: 2.0, cached_input: 0.5, output: 8.0}\n")
    cached = {"prompt_tokens": 1000, "completion_tokens": 0, "prompt_tokens_details": {"cached_tokens": 1000}}
    with (
        ScriptedServer(lambda _n, _b: reply(cached)) as server,
        engine(tmp_path, server, yaml="prices: prices.yaml\n") as running,
    ):
        fetch(running, asked(10, server))
        assert running.counts.usd == pytest.approx(10 * 1000 * 0.5 / 1e6)


def test_a_server_without_usage_is_not_free_for_the_budget(tmp_path):
    (tmp_path / "prices.yaml").write_text("m: {input: 1000.0, output: 1000.0}\n")  # about 0.02 USD a call
    yaml = "prices: prices.yaml\nbudget: {usd: 0.1}\n"
    with (
        ScriptedServer(lambda _n, _b: reply(None)) as server,
        engine(tmp_path, server, ", max_concurrency: 1", yaml=yaml) as running,
    ):
        answers = fetch(running, asked(50, server))
    kinds = {answer.kind for answer in answers if isinstance(answer, CallFailure)}
    assert kinds == {"over budget"}
    assert 2 <= len(server.calls) <= 20


def test_one_function_turns_tokens_into_money():
    """No other code multiplies by a price: four earlier copies each forgot something else (the cache, unknown tokens)."""
    root = Path(distilltest.__file__).parent
    multiplied = re.compile(r"\*\s*\w*price\w*\.(input|output|cached_input)\b|/ ?(1e6|1_000_000)\b")
    found = {
        path.relative_to(root).as_posix()
        for path in root.rglob("*.py")
        if multiplied.search(path.read_text(encoding="utf-8"))
    }
    assert found == {"config/prices.py"}
