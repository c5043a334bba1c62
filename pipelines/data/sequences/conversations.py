"""Conversations as read: messages of known roles, with a response to learn."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

from pipelines.core.errors import UserError, unknown
from pipelines.sources.raw import Column
from pipelines.sources.readers.common import CHATS

#: Roles of messages; responses, which are learnt, are those of the last.
ROLES = ("system", "user", "assistant")
ASSISTANT = ROLES[-1]
#: What messages must be, for errors.
FORM = "must be a list of messages, each with a 'role' and a 'content'"
#: A message: its role and its content.
Message = dict[str, str]
Conversation = list[Message]


def read(inputs: Mapping[str, Column], task: str) -> list[Conversation]:
    """Return the conversation of each row: of the column ``messages``, or of a ``prompt`` and its ``response``.

    A system's message without a text is left out.

    Raises:
        UserError: naming ``task`` and the id of the first that cannot be used.
    """
    if CHATS in inputs:
        return [_checked(value, f"{task}: {CHATS} of id {i}") for i, value in enumerate(inputs[CHATS])]
    return [_pair(str(prompt), str(response)) for prompt, response in zip(inputs["prompt"], inputs["response"], strict=True)]


def _pair(prompt: str, response: str) -> Conversation:
    return [{"role": "user", "content": prompt}, {"role": ASSISTANT, "content": response}]


def _checked(value: object, where: str) -> Conversation:
    """Return the messages of a nested ``value``, or of one in JSON."""
    found = _parsed(value, where)
    messages = [_message(one, f"{where}: message {n}") for n, one in enumerate(found, 1)]
    messages = [one for one in messages if one["role"] != "system" or one["content"].strip()]
    for n, one in enumerate(messages, 1):
        if not one["content"].strip():
            raise UserError(f"{where}: message {n} must have a text, and the {one['role']}'s is empty")
    roles = [one["role"] for one in messages]
    if ASSISTANT not in roles:
        raise UserError(f"{where}: must have a message of the role {ASSISTANT!r}, which is learnt, got {', '.join(roles)}")
    if "user" not in roles[: roles.index(ASSISTANT)]:
        raise UserError(f"{where}: must have a user's message before the first assistant's, got {', '.join(roles)}")
    return messages


def _parsed(value: object, where: str) -> Sequence[object]:
    found: object = value
    if isinstance(value, str):
        try:
            found = json.loads(value)
        except ValueError:
            raise UserError(f"{where}: {FORM}, got the text {value[:40]!r}") from None
    if not isinstance(found, list) or not found:
        raise UserError(f"{where}: {FORM}, got {'none' if found in (None, []) else repr(found)[:40]}")
    return found


def _message(value: object, where: str) -> Message:
    """Return a message's role and content alone, whatever else it has."""
    if not isinstance(value, Mapping):
        raise UserError(f"{where}: must have a 'role' and a 'content', got {str(value)[:40]!r}")
    role, content = value.get("role"), value.get("content")
    if role is None or content is None:
        hint = "; rename 'from' and 'value'" if {"from", "value"} <= set(value) else ""
        keys = ", ".join(key for key, one in value.items() if one is not None) or "nothing"
        raise UserError(f"{where}: must have a 'role' and a 'content', got {keys}{hint}")
    if role not in ROLES:
        raise UserError(unknown(f"{where}: role {role!r}", "role", str(role), ROLES))
    if not isinstance(content, str):
        raise UserError(f"{where}: its content must be a text, got {str(content)[:40]!r}")
    try:
        content.encode()
    except UnicodeEncodeError:
        raise UserError(f"{where}: its content is not UTF-8: {content[:40]!r}") from None
    return {"role": str(role), "content": content}


def responses(conversation: Conversation) -> Iterator[int]:
    """Yield the position of each response among the messages."""
    return (n for n, one in enumerate(conversation) if one["role"] == ASSISTANT)
