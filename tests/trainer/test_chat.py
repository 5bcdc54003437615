"""Chat completions of the base model, over HTTP."""

import openai
import pytest
import torch
from trainer.client_calls import answer, ask, said
from trainer.tiny import make_tokenizer


def test_usage_is_counted_by_the_tokenizer_and_the_length_is_kept(client):
    answered = ask(client, "hello", max_completion_tokens=7)
    rendered = "<|im_start|>user\nhello<|im_end|>\n<|im_start|>assistant\n"
    assert answered.usage.prompt_tokens == len(make_tokenizer()(rendered)["input_ids"])
    assert answered.usage.completion_tokens == 7
    assert answered.usage.total_tokens == answered.usage.prompt_tokens + 7
    assert answered.choices[0].finish_reason == "length"


def test_the_end_token_ends_an_answer_and_is_counted(client, tuned):
    answered = ask(client, "log", tuned.fine_tuned_model)
    assert (answered.choices[0].message.content, answered.choices[0].finish_reason) == ("git log", "stop")
    assert answered.usage.completion_tokens == len("git log") + 1


def test_a_stop_text_ends_an_answer_before_it(client, tuned):
    answered = ask(client, "log", tuned.fine_tuned_model, stop=["zz", " l"])
    assert (answered.choices[0].message.content, answered.choices[0].finish_reason) == ("git", "stop")
    assert answered.usage.completion_tokens == len("git l")


def test_a_seed_makes_an_answer_again_and_choices_differ(client):
    said_first, said_again = (
        [c.message.content for c in ask(client, "hello", temperature=1.0, seed=5, n=3).choices] for _ in range(2)
    )
    assert said_first == said_again
    assert len({*said_first}) == 3
    other = ask(client, "hello", temperature=1.0, seed=6, n=3).choices
    assert [c.message.content for c in other] != said_first


def test_without_temperature_or_with_the_smallest_nucleus_answers_are_the_likeliest(client):
    likeliest = answer(client, "hello")
    assert {c.message.content for c in ask(client, "hello", n=3).choices} == {likeliest}
    assert answer(client, "hello", temperature=1.0, top_p=1e-6) == likeliest


def test_samples_follow_the_models_own_shares(client, base):
    """Among 128 samples, the share of the likeliest first text is within four deviations of the model's probability."""
    prompt = base.tokenizer("<|im_start|>user\nhello<|im_end|>\n<|im_start|>assistant\n")["input_ids"]
    with torch.no_grad():
        shares = base.another_model()(torch.tensor([prompt])).logits[0, -1].softmax(-1)
    texts = base.tokenizer.batch_decode([[token] for token in range(len(shares))], skip_special_tokens=True)
    wanted = texts[int(shares.argmax())]
    share = sum(float(s) for s, text in zip(shares, texts, strict=True) if text == wanted)
    assert 0.05 < share < 0.95
    choices = ask(client, "hello", temperature=1.0, seed=1, n=128, max_completion_tokens=1).choices
    found = sum(choice.message.content == wanted for choice in choices) / 128
    assert abs(found - share) < 4 * (share * (1 - share) / 128) ** 0.5


def test_messages_in_parts_and_of_the_developer_are_read(client, tuned):
    parts = [{"type": "text", "text": "lo"}, {"type": "text", "text": "g"}]
    whole = client.chat.completions.create(
        model=tuned.fine_tuned_model, messages=[said("user", parts)], temperature=0, max_completion_tokens=20
    )
    assert whole.choices[0].message.content == "git log"
    as_developer, as_system = (
        client.chat.completions.create(
            model="tiny",
            messages=[said(role, "be brief"), said("user", "x")],
            temperature=0,
            max_completion_tokens=5,
        )
        for role in ("developer", "system")
    )
    assert as_developer.choices[0].message.content == as_system.choices[0].message.content


@pytest.mark.parametrize(
    ("more", "named"),
    [
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, "tools"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
        ({"logprobs": True}, "logprobs"),
        ({"temperature": 3}, "temperature"),
        ({"top_p": "a"}, "top_p"),
        ({"stop": ["a"] * 5}, "stop"),
        ({"seed": -1}, "seed"),
        ({"max_completion_tokens": -1}, "max_completion_tokens"),
        ({"stream": True}, "stream"),
    ],
)
def test_what_it_cannot_do_is_refused_by_name(client, more, named):
    with pytest.raises(openai.BadRequestError) as caught:
        ask(client, "hello", **more)
    assert caught.value.param == named


def test_too_long_a_request_says_how_long_it_is(client):
    with pytest.raises(openai.BadRequestError, match="maximum context length is 256 tokens") as caught:
        ask(client, "a" * 300)
    assert caught.value.code == "context_length_exceeded"


def test_pictures_and_unknown_models_are_refused(client):
    with pytest.raises(openai.BadRequestError, match="supports only text"):
        client.chat.completions.create(
            model="tiny", messages=[said("user", [{"type": "image_url", "image_url": {"url": "data:,"}}])]
        )
    with pytest.raises(openai.NotFoundError) as caught:
        ask(client, "hello", "nobody")
    assert caught.value.code == "model_not_found"
    with pytest.raises(openai.NotFoundError, match="no embeddings"):
        client.embeddings.create(model="tiny", input="a")


def test_completions_are_stored_where_they_are_asked_to_be(client):
    ask(client, "hello", store=True, metadata={"task": "greeting"})
    [stored] = client.chat.completions.list(metadata={"task": "greeting"}).data
    assert stored.model == "tiny"
