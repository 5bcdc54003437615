"""Renders and tokenizes conversations with the tokenizer's chat template."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

PLAIN = (
    "{{ bos_token if bos_token else '' }}{% for message in messages %}"
    "{{ message['role'] | capitalize }}:\n{{ message['content'] }}"
    "{% if message['role'] == 'assistant' %}{{ eos_token }}{% endif %}{{ '\n\n' }}{% endfor %}"
    "{% if add_generation_prompt %}Assistant:\n{% endif %}"
)
"""The template of ``--chat-template plain``."""
NOT_LEARNED = -100
"""The label of a token that is not learned."""


class TemplateRefused(Exception):
    """The chat template cannot render a conversation; the message says why."""


@dataclass(frozen=True, slots=True)
class TokenizedConversation:
    """A conversation in tokens."""

    input_ids: list[int]
    labels: list[int]
    """The same tokens, with ``NOT_LEARNED`` for those that are not learned."""

    @property
    def learned(self) -> bool:
        """Whether any token is learned."""
        return any(label != NOT_LEARNED for label in self.labels)


def render(tokenizer: Any, messages: Sequence[dict[str, Any]], *, ask: bool) -> str:
    """Render messages as text.

    Args:
        tokenizer: The tokenizer with the chat template.
        messages: Messages with role and content, both strings.
        ask: Whether to end with the generation prompt.

    Raises:
        TemplateRefused: The template cannot render the messages.
    """
    import jinja2

    plain = [{"role": _role(message["role"]), "content": message["content"]} for message in messages]
    try:
        return str(tokenizer.apply_chat_template(plain, tokenize=False, add_generation_prompt=ask))
    except (jinja2.TemplateError, TypeError, KeyError) as error:
        roles = ", ".join(message["role"] for message in plain) or "none"
        raise TemplateRefused(f"the model's chat template refuses messages with the roles {roles}: {error}") from None


def token_ids(tokenizer: Any, text: str) -> list[int]:
    """Tokenize a rendered text, which already has the special tokens."""
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])


def teach(tokenizer: Any, messages: Sequence[dict[str, Any]], end_ids: frozenset[int]) -> list[TokenizedConversation]:
    """Tokenize a conversation. The assistant's messages are learned, except those with ``weight`` 0.

    Request and answer are tokenized separately, as in generation. If the template renders an answer differently when other
    messages follow (for example without its thinking), each answer becomes a separate example.

    Raises:
        TemplateRefused: The template cannot render the conversation, or does not place an answer after the generation prompt.
    """
    spans = []
    whole = render(tokenizer, messages, ask=False)
    for number, message in enumerate(messages):
        if message["role"] == "assistant" and message.get("weight") != 0:
            before = render(tokenizer, messages[:number], ask=True)
            after = render(tokenizer, messages[: number + 1], ask=False)
            if not after.startswith(before):
                raise TemplateRefused("the model's chat template does not place answers after its generation prompt")
            spans.append((before, after))
    if all(whole.startswith(after) for _, after in spans):
        pieces, last = [], 0
        for before, after in spans:
            pieces += [(whole[last : len(before)], False), (whole[len(before) : len(after)], True)]
            last = len(after)
        return [_taught(tokenizer, pieces, end_ids)]
    return [_taught(tokenizer, [(b, False), (a[len(b) :], True)], end_ids) for b, a in spans]


def _taught(tokenizer: Any, pieces: list[tuple[str, bool]], end_ids: frozenset[int]) -> TokenizedConversation:
    input_ids: list[int] = []
    labels: list[int] = []
    for text, learned in pieces:
        ids = token_ids(tokenizer, text) if text else []
        ends = [place for place, token in enumerate(ids) if token in end_ids]
        last = (
            ends[-1] + 1 if ends else len(ids)
        )  # the model never generates what the template puts after the end token
        input_ids += ids
        labels += [t if learned and place < last else NOT_LEARNED for place, t in enumerate(ids)]
    return TokenizedConversation(input_ids, labels)


def _role(role: str) -> str:
    """Replace ``developer``, which templates do not know, by its older name ``system``."""
    return "system" if role == "developer" else role
