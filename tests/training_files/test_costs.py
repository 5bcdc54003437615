"""Costs: estimates worked by hand; missing prices are named."""

import hashlib
import sys
import types

import pytest
from hypothesis import given
from hypothesis import strategies as st
from training_files.files import example, pair, write

from distilltest.config import Price
from distilltest.training_files import tokens as counting
from distilltest.training_files.costs import (
    BilledCall,
    FileTokens,
    call_cost,
    count_tokens,
    estimate,
    in_words,
    tuned_price,
)
from distilltest.training_files.tokens import Counter, counter

WORDS = Counter("by words", lambda text: len(text.split()))
TOKENS = FileTokens(examples=1000, prompt=100_000, answer=10_000, trained=110_000, counted="by words")
PRICES = {
    "small": Price(input=0.15, output=0.6, training=3.0),
    "ft:small": Price(input=0.3, output=1.2),
    "large": Price(input=2.5, cached_input=1.25, output=10.0),
}


def test_tokens_of_both_formats(tmp_path):
    path = write(tmp_path / "f.jsonl", [example("a b c", "d e"), b"{x", example("a", "b")])
    assert count_tokens(path, WORDS) == FileTokens(2, 6 + 4, 5 + 4, 10 + 9, "by words")
    path = write(tmp_path / "p.jsonl", [pair("a b c", "d e", "f")])
    assert count_tokens(path, WORDS) == FileTokens(1, 6, 5, (6 + 5) + (6 + 4), "by words")


def test_an_estimate_worked_by_hand():
    costs = estimate(TOKENS, PRICES, base="small", teacher="large")
    assert costs.epochs == 3
    assert costs.training == pytest.approx(110_000 * 3 * 3.0 / 1e6)
    assert costs.per_1000 == pytest.approx({"base": 0.021, "teacher": 0.35, "tuned": 0.042})
    assert costs.break_even == 3215  # 0.99 / (0.35 - 0.042) × 1000 = 3214.3
    assert costs.missing == ()
    assert in_words(costs) == [
        "tokens: 110,000 an epoch in 1,000 examples (by words); 3 epochs, if the platform goes by the usual rule.",
        "training: about $0.99.",
        "1,000 calls: base $0.021, teacher $0.35, tuned $0.042.",
        "The training has paid for itself after 3,215 calls of the tuned model instead of the teacher.",
    ]


def test_a_short_prompt_makes_only_the_tuned_calls_cheaper():
    costs = estimate(TOKENS, PRICES, base="small", teacher="large", untuned_call=BilledCall(1000, 10), epochs=1)
    assert costs.per_1000 == pytest.approx({"base": 0.156, "teacher": 2.6, "tuned": 0.042})
    assert costs.training == pytest.approx(0.33)


def test_a_tuned_model_that_is_not_cheaper_never_pays():
    prices = {**PRICES, "ft:small": Price(input=2.5, output=10.0)}
    costs = estimate(TOKENS, prices, base="small", teacher="large")
    assert costs.break_even is None
    assert "never pays" in in_words(costs)[-1]


def test_missing_prices_are_named_and_not_guessed():
    costs = estimate(TOKENS, {"small": Price(input=0.15, training=3.0)}, base="small", teacher="large")
    assert costs.per_1000 == {"base": None, "teacher": None, "tuned": None}
    assert costs.training == pytest.approx(0.99)
    assert costs.missing == ("small: output", "large: input, output", "ft:small: input, output")
    assert estimate(TOKENS, {}, base="small", teacher="large").missing[-1] == "ft:small: training"
    assert "has no price for: small: output" in in_words(costs)[-1]


def test_the_price_of_a_fine_tune():
    assert tuned_price(PRICES, "small") == Price(0.3, None, 1.2, 3.0)
    assert tuned_price(PRICES, "ft:small") == PRICES["ft:small"]
    assert tuned_price(PRICES, "large") is None


def test_cached_tokens_have_their_price_or_the_usual_one():
    assert call_cost(BilledCall(100, 0, cached=40), PRICES["large"]) == pytest.approx((60 * 2.5 + 40 * 1.25) / 1000)
    assert call_cost(BilledCall(100, 0, cached=40), PRICES["small"]) == pytest.approx(100 * 0.15 / 1000)


def test_an_empty_file_costs_nothing(tmp_path):
    tokens = count_tokens(write(tmp_path / "f.jsonl", [b""]), WORDS)
    costs = estimate(tokens, PRICES, base="small", teacher="large")
    assert (costs.training, costs.epochs, costs.break_even) == (0, 0, None)
    assert set(costs.per_1000.values()) == {None}


@given(st.integers(0, 10**6), st.floats(0, 100), st.floats(0, 100), st.floats(0, 100))
def test_after_the_break_even_the_tuned_model_has_cost_less(trained, training, teacher, tuned):
    prices = {
        "s": Price(input=0, output=0, training=training),
        "ft:s": Price(input=tuned, output=0),
        "l": Price(input=teacher, output=0),
    }
    costs = estimate(FileTokens(10, 1000, 0, trained, "x"), prices, base="s", teacher="l")
    if costs.break_even is None:
        assert teacher - tuned < 1e-9
    else:
        calls = costs.break_even
        spent = costs.training + calls * costs.per_1000["tuned"] / 1000
        assert spent <= calls * costs.per_1000["teacher"] / 1000 * (1 + 1e-9) + 1e-9


def test_without_tiktoken_or_its_vocabulary_it_says_that_it_estimates(monkeypatch, tmp_path):
    monkeypatch.setattr(counting.importlib.util, "find_spec", lambda _: None)
    assert counter().name == "estimated, 4 characters a token: tiktoken is not installed"
    assert counter().count("abcde") == 2
    monkeypatch.setattr(counting.importlib.util, "find_spec", lambda _: object())
    for folder in (str(tmp_path), ""):
        monkeypatch.setenv("TIKTOKEN_CACHE_DIR", folder)
        assert "its vocabulary o200k_base is not in TIKTOKEN_CACHE_DIR" in counter().name


def test_tiktoken_counts_where_its_vocabulary_is_there(monkeypatch, tmp_path):
    fake = types.ModuleType("tiktoken")
    fake.get_encoding = lambda name: types.SimpleNamespace(encode_ordinary=lambda text: text.split())
    monkeypatch.setitem(sys.modules, "tiktoken", fake)
    monkeypatch.setattr(counting.importlib.util, "find_spec", lambda _: object())
    url = "https://openaipublic.blob.core.windows.net/encodings/o200k_base.tiktoken"
    vocabulary = tmp_path / hashlib.sha1(url.encode()).hexdigest()
    vocabulary.write_bytes(b"half of it")
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))
    assert counter().name.startswith("estimated")
    monkeypatch.setattr(counting, "_VOCABULARY_SHA256", hashlib.sha256(b"half of it").hexdigest())
    assert counter().name == "counted by tiktoken, o200k_base"
    assert counter().count("a b c") == 3
