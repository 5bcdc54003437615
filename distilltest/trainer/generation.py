"""Generates answers with a separate random generator, so that chat does not affect a training that runs meanwhile."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from transformers import LogitsProcessor, LogitsProcessorList, StoppingCriteria, StoppingCriteriaList

from distilltest.server.interface import Choice, ModelAnswer
from distilltest.trainer.chat_options import ChatOptions


class _Sampling(LogitsProcessor):
    """Applies temperature and top-p, then adds Gumbel noise: the highest score is then a sample (Gumbel, 1954)."""

    def __init__(self, options: ChatOptions, device: Any) -> None:
        self._options = options
        self._generator = torch.Generator(device=device)
        self._generator.manual_seed(secrets.randbits(62) if options.seed is None else options.seed)

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        scores = scores.float() / self._options.temperature
        if self._options.top_p < 1.0:
            ordered, places = scores.sort(dim=-1, descending=True)
            shares = ordered.softmax(dim=-1)
            outside = shares.cumsum(dim=-1) - shares >= self._options.top_p
            outside[..., 0] = False
            scores = scores.masked_fill(outside.scatter(-1, places, outside), float("-inf"))
        noise = torch.empty_like(scores).exponential_(generator=self._generator).log()
        return scores - noise


class _Ends(StoppingCriteria):
    """Ends an answer at a stop text, and all answers when the server stops."""

    def __init__(self, tokenizer: Any, options: ChatOptions, length: int, stopped: Callable[[], bool]) -> None:
        self._tokenizer = tokenizer
        self._stop = options.stop
        self._length = length
        self._tail = max(map(len, options.stop), default=0) + 4
        self._stopped = stopped

    def __call__(self, input_ids: Any, scores: Any, **_: Any) -> Any:
        ended = [self._stopped() or self._has_stop(row) for row in input_ids]
        return torch.tensor(ended, dtype=torch.bool, device=input_ids.device)

    def _has_stop(self, row: Any) -> bool:
        if not self._stop:
            return False
        text = self._tokenizer.decode(row[self._length :][-self._tail :], skip_special_tokens=True)
        return any(stop in text for stop in self._stop)


@dataclass(frozen=True)
class Generator:
    """Generates answers with one model at a time."""

    tokenizer: Any
    end_ids: frozenset[int]
    stopped: Callable[[], bool]

    def answer(self, model: Any, prompt: list[int], options: ChatOptions, most: int) -> ModelAnswer:
        """Answer a prompt with at most ``most`` tokens. At temperature 0, one answer serves for all choices."""
        greedy = options.temperature == 0
        rows = 1 if greedy else options.count
        ids = torch.tensor([prompt] * rows, device=model.device)
        with torch.no_grad():
            output = model.generate(
                input_ids=ids,
                attention_mask=torch.ones_like(ids),
                max_new_tokens=most,
                eos_token_id=sorted(self.end_ids),
                pad_token_id=self.tokenizer.pad_token_id,
                logits_processor=LogitsProcessorList([] if greedy else [_Sampling(options, model.device)]),
                stopping_criteria=StoppingCriteriaList([_Ends(self.tokenizer, options, len(prompt), self.stopped)]),
            )
        choices, tokens = [], 0
        for row in output[:, len(prompt) :].tolist():
            choice, used = self._choice(row, options.stop)
            choices.append(choice)
            tokens += used
        if greedy:
            choices, tokens = choices * options.count, tokens * options.count
        return ModelAnswer(tuple(choices), len(prompt), tokens)

    def _choice(self, row: list[int], stop: tuple[str, ...]) -> tuple[Choice, int]:
        """The answer in a row, and its number of tokens, including the end token."""
        ended = next((place for place, token in enumerate(row) if token in self.end_ids), None)
        said = row if ended is None else row[: ended + 1]
        while ended is None and said and said[-1] == self.tokenizer.pad_token_id:
            said = said[:-1]  # padding, because another choice was longer
        text = self.tokenizer.decode(said, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        places = [place for place in (text.find(s) for s in stop) if place >= 0]
        if places:
            return Choice(text[: min(places)], "stop"), len(said)
        return Choice(text, "length" if ended is None else "stop"), len(said)
