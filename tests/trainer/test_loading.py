"""Errors of base models, and how templates render conversations."""

import shutil

import pytest
import torch
from trainer.client_calls import said
from trainer.tiny import STRIPPING, make_tokenizer

from distilltest.errors import ConfigError
from distilltest.trainer.loading import load_base
from distilltest.trainer.out_of_memory import out_of_memory
from distilltest.trainer.template import NOT_LEARNED, PLAIN, TemplateRefused, render, teach

TURNS = [said("user", "a"), said("assistant", "b"), said("user", "c"), said("assistant", "d")]
END = frozenset([2])


def learned(tokenizer, messages):
    """The learned text of each example."""
    return [tokenizer.decode([i for i in e.labels if i != NOT_LEARNED]) for e in teach(tokenizer, messages, END)]


def test_a_path_that_is_no_model_is_named(tmp_path):
    with pytest.raises(ConfigError, match="There is no folder"):
        load_base(str(tmp_path / "nothing"))
    with pytest.raises(ConfigError, match=r"has no config\.json"):
        load_base(str(tmp_path))
    with pytest.raises(ConfigError, match="The tokenizer of nobody/nothing cannot be loaded"):
        load_base("nobody/nothing")


def test_a_broken_model_is_named(tiny, tmp_path):
    folder = shutil.copytree(tiny, tmp_path / "broken")
    (folder / "model.safetensors").write_bytes(b"broken")
    with pytest.raises(ConfigError, match="cannot be loaded as a causal language model"):
        load_base(str(folder))


def test_auto_takes_cuda_where_there_is_one_and_cuda_without_a_gpu_is_an_error(tiny):
    if torch.cuda.is_available():
        assert load_base(str(tiny)).device == "cuda"
        return
    assert load_base(str(tiny)).device == "cpu"
    with pytest.raises(ConfigError, match="PyTorch sees no CUDA device"):
        load_base(str(tiny), device="cuda")


def test_a_model_without_a_chat_template_wants_one(tiny, tmp_path):
    folder = shutil.copytree(tiny, tmp_path / "bare")
    (folder / "chat_template.jinja").unlink()
    with pytest.raises(ConfigError, match="--chat-template plain"):
        load_base(str(folder))
    base = load_base(str(folder), chat_template="plain")
    assert render(base.tokenizer, TURNS[:1], ask=True) == "User:\na\n\nAssistant:\n"
    (tmp_path / "own.jinja").write_text("{{ messages[0]['content'] }}")
    assert render(load_base(str(folder), chat_template=str(tmp_path / "own.jinja")).tokenizer, TURNS, ask=True) == "a"
    with pytest.raises(ConfigError, match="cannot be read"):
        load_base(str(folder), chat_template=str(tmp_path / "none.jinja"))


def test_a_model_with_an_unusual_name_is_served_under_a_usual_one(tiny, tmp_path):
    assert load_base(str(shutil.copytree(tiny, tmp_path / "a:b"))).name == "a-b"


def test_only_the_assistants_answers_are_learned_up_to_their_end():
    assert learned(make_tokenizer(), TURNS) == ["b<|im_end|>d<|im_end|>"]
    assert learned(make_tokenizer(), [*TURNS[:1], said("assistant", "b", weight=0), *TURNS[2:]]) == ["d<|im_end|>"]
    assert learned(make_tokenizer(PLAIN), TURNS) == ["b<|im_end|>d<|im_end|>"]


def test_what_is_read_before_an_answer_is_what_is_read_when_it_is_asked_for():
    tokenizer = make_tokenizer()
    [example] = teach(tokenizer, TURNS[:2], END)
    asked = tokenizer(render(tokenizer, TURNS[:1], ask=True))["input_ids"]
    assert example.input_ids[: len(asked)] == asked
    assert example.labels[: len(asked)] == [NOT_LEARNED] * len(asked)
    assert example.labels[len(asked)] != NOT_LEARNED


def test_where_earlier_answers_are_shown_otherwise_each_answer_is_an_example():
    assert learned(make_tokenizer(STRIPPING), TURNS) == ["<think></think>b<|im_end|>", "<think></think>d<|im_end|>"]


def test_a_template_that_refuses_or_shows_no_answer_is_named():
    refusing = make_tokenizer("{{ raise_exception('no system here') }}")
    with pytest.raises(TemplateRefused, match="roles user: no system here"):
        render(refusing, TURNS[:1], ask=True)
    odd = make_tokenizer("{% if add_generation_prompt %}?{% endif %}{{ messages[-1]['content'] }}")
    with pytest.raises(TemplateRefused, match="does not place answers after its generation prompt"):
        teach(odd, TURNS, END)


def test_memory_that_ran_out_is_told_from_other_errors():
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**50)
    assert out_of_memory(caught.value)
    assert not out_of_memory(RuntimeError("shape"))
