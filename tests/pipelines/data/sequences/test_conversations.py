"""Conversations are read in every form that data sets have them in; what cannot be learnt from is refused by its id."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.core.errors import UserError
from pipelines.data.sequences.conversations import read, responses
from tests.pipelines.talks import message

GOOD = [message("user", "who?"), message("assistant", "an owl")]


def test_a_prompt_and_its_response_are_two_messages():
    assert read({"prompt": ["who?"], "response": ["an owl"]}, "own") == [GOOD]


def test_nested_messages_and_json_are_the_same_whatever_else_they_have():
    more = [one | {"name": None, "weight": 1} for one in GOOD]
    assert read({"messages": [GOOD, json.dumps(GOOD), more]}, "own") == [GOOD] * 3


def test_a_systems_empty_message_is_left_out():
    assert read({"messages": [[message("system", " "), *GOOD]]}, "own") == [GOOD]
    spoken = [message("system", "be short"), *GOOD]
    assert read({"messages": [spoken]}, "own") == [spoken]


text = st.text(st.characters(exclude_categories=("Cs",)), min_size=1).filter(str.strip)


@settings(max_examples=20)
@given(st.lists(st.tuples(text, text), min_size=1, max_size=3), st.booleans())
def test_any_turns_come_back_as_they_were(turns, asked):
    talk = [message(role, one) for pair in turns for role, one in zip(("user", "assistant"), pair, strict=True)]
    talk += [message("user", "and?")] * asked
    assert read({"messages": [json.dumps(talk)]}, "own") == [talk]
    assert list(responses(talk)) == list(range(1, 2 * len(turns), 2))


BAD = {
    "nothing": (None, r"own: messages of id 1: must be a list of messages, each with a 'role' and a 'content', got none"),
    "no messages": ([], r"must be a list of messages, .*, got none"),
    "a plain text": ("who?", r"must be a list of messages, .*, got the text 'who\?'"),
    "an object": (message("user", "who?"), r"must be a list of messages, .*, got \{'role'"),
    "a list of texts": (["who?"], r"of id 1: message 1: must have a 'role' and a 'content', got 'who\?'"),
    "other keys": (
        [{"from": "human", "value": "who?"}],
        r"message 1: must have a 'role' and a 'content', got from, value; rename 'from' and 'value'",
    ),
    "no content": ([{"role": "user", "content": None}], r"message 1: must have a 'role' and a 'content', got role"),
    "an unknown role": ([GOOD[0], message("asistant", "x")], r"message 2: role 'asistant': no such role, did you mean 'assis"),
    "a tool": ([*GOOD, message("tool", "x")], r"of id 1: message 3: role 'tool': no such role"),
    "parts": ([{"role": "user", "content": [{"type": "text"}]}], r"message 1: its content must be a text, got \"\[\{'type"),
    "no assistant": ([GOOD[0]], r"of id 1: must have a message of the role 'assistant', which is learnt, got user"),
    "an assistant first": (GOOD[::-1], r"must have a user's message before the first assistant's, got assistant, user"),
    "an empty response": (
        [GOOD[0], message("assistant", " \n")],
        r"id 1: message 2 must have a text, and the assistant's is",
    ),
    "an empty prompt": ([message("user", ""), GOOD[1]], r"id 1: message 1 must have a text, and the user's is empty"),
    "half a character": ([message("user", "\ud800"), GOOD[1]], r"message 1: its content is not UTF-8: '\\ud800'"),
}


@pytest.mark.parametrize(("value", "said"), BAD.values(), ids=BAD)
def test_what_cannot_be_learnt_from_is_refused_by_its_id_in_a_line(value, said):
    with pytest.raises(UserError, match=said) as raised:
        read({"messages": [GOOD, value]}, "own")
    assert "\n" not in str(raised.value)
