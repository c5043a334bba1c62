"""Conversations as texts, by a tokenizer's chat template, and where their responses stand."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pipelines.core.errors import UserError
from pipelines.data.sequences.conversations import Conversation, responses

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

#: Template of a tokenizer without one: the role on a line of its own, the text, and after a response the end of a text.
PLAIN = (
    "{%- if bos_token is defined -%}{{- bos_token -}}{%- endif -%}"
    "{%- for message in messages -%}"
    "{{- message['role'] | capitalize + ':\\n' -}}"
    "{%- if message['role'] == 'assistant' -%}"
    "{%- generation -%}{{- message['content'] | trim + eos_token -}}{%- endgeneration -%}{{- '\\n' -}}"
    "{%- else -%}{{- message['content'] | trim + '\\n\\n' -}}{%- endif -%}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{- 'Assistant:\\n' -}}{%- endif -%}"
)
#: What marks responses in a template.
MARKED = re.compile(r"\{%-?\s*generation\s*-?%\}")
#: A span of characters, from its start up to its end.
Span = tuple[int, int]


def given_template(tokenizer: PreTrainedTokenizerBase, where: str) -> bool:
    """Return whether ``tokenizer`` has a chat template of its own; one without is given ``PLAIN``.

    Raises:
        UserError: for one without a template and without a token that ends a text; the message starts with ``where``.
    """
    if tokenizer.chat_template is not None:
        return True
    if tokenizer.eos_token is None:
        raise UserError(f"{where}: its tokenizer must have a chat template, or an eos_token for the plain one, and has neither")
    tokenizer.chat_template = PLAIN
    return False


def written(tokenizer: PreTrainedTokenizerBase, conversation: Conversation, where: str) -> tuple[str, list[Span]]:
    """Return a conversation as text, and the span of each response with what ends it.

    Spans are what the template marks by ``{% generation %}``; without such marks, what a response adds to the prompt before it.

    Raises:
        UserError: if the template refuses the conversation, or marks other responses; the message starts with ``where``.
    """
    if not MARKED.search(tokenizer.get_chat_template()):
        return _by_prefixes(tokenizer, conversation, where)
    found = _rendered(tokenizer, conversation, where, marked=True)
    spans, wanted = list(found[1]), len(list(responses(conversation)))
    if len(spans) != wanted:
        raise UserError(f"{where}: has {wanted} responses, and the chat template of its tokenizer marks {len(spans)}")
    return found[0], spans


def prompt(tokenizer: PreTrainedTokenizerBase, conversation: Conversation, where: str = "a conversation") -> str:
    """Return the text that a response to ``conversation`` follows."""
    return _rendered(tokenizer, conversation, where, more={"add_generation_prompt": True})[0]


def _by_prefixes(tokenizer: PreTrainedTokenizerBase, conversation: Conversation, where: str) -> tuple[str, list[Span]]:
    text, spans = _rendered(tokenizer, conversation, where)[0], []
    for turn in responses(conversation):
        before = prompt(tokenizer, conversation[:turn], where)
        after = _rendered(tokenizer, conversation[: turn + 1], where)[0]
        if not (text.startswith(after) and after.startswith(before)):
            raise UserError(
                f"{where}: the chat template of its tokenizer writes message {turn + 1} and those before it in another way "
                "where more follow; one that marks responses by {% generation %} works"
            )
        spans.append((len(before), len(after)))
    return text, spans


def _rendered(
    tokenizer: PreTrainedTokenizerBase,
    conversation: Conversation,
    where: str,
    *,
    marked: bool = False,
    more: dict[str, bool] | None = None,
) -> tuple[str, list[Span]]:
    """Return a conversation as text, and with ``marked`` the spans that the template marks."""
    from transformers.utils.chat_template_utils import render_jinja_template

    options = tokenizer.special_tokens_map | (more or {})
    template = tokenizer.get_chat_template()
    try:
        texts, spans = render_jinja_template(
            [conversation], chat_template=template, return_assistant_tokens_mask=marked, **options
        )
    except Exception as error:  # a template raises whatever it likes
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise UserError(f"{where}: the chat template of its tokenizer refuses it: {reason}") from None
    return texts[0], spans[0] if marked else []
