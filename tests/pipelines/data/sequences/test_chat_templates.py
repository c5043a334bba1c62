"""A conversation's text is what transformers writes of it; where its responses stand follows from either way to say it."""

import pytest

from pipelines.core.errors import UserError
from pipelines.data.sequences import chat_templates
from pipelines.data.sequences.instructions import trained
from tests.pipelines.talks import message, talks

UNMARKED = chat_templates.MARKED.sub("", chat_templates.PLAIN).replace("{%- endgeneration -%}", "")


@pytest.fixture(scope="module")
def tokenizer():
    found = trained(talks(), 300)
    assert not chat_templates.given_template(found, "here")
    return found


def test_the_plain_template_by_hand(tokenizer):
    talk = [message("system", " be short "), message("user", "who?"), message("assistant", "an owl"), message("user", "and?")]
    text, spans = chat_templates.written(tokenizer, talk, "here")
    assert text == "System:\nbe short\n\nUser:\nwho?\n\nAssistant:\nan owl</s>\nUser:\nand?\n\n"
    assert [text[a:b] for a, b in spans] == ["an owl</s>"]
    assert chat_templates.prompt(tokenizer, talk) == text + "Assistant:\n"
    tokenizer_of_another = trained(talks(), 300)
    tokenizer_of_another.bos_token = "<s>"
    chat_templates.given_template(tokenizer_of_another, "here")
    assert chat_templates.written(tokenizer_of_another, talk, "here")[0] == "<s>" + text


def test_marks_and_prefixes_say_the_same_and_the_text_is_transformers(tokenizer):
    other = trained(talks(), 300)
    other.chat_template = UNMARKED
    for talk in talks():
        text, spans = chat_templates.written(tokenizer, talk, "here")
        assert text == tokenizer.apply_chat_template(talk, tokenize=False)
        plain, prefixes = chat_templates.written(other, talk, "here")
        # What a response adds to its prompt has the template's own white space too.
        assert plain == text
        assert [text[a:b] for a, b in spans] == [text[a:b].removesuffix("\n") for a, b in prefixes]


def test_a_template_that_rewrites_what_was_before_is_refused():
    tokenizer = trained(talks(), 300)
    tokenizer.chat_template = "{% for m in messages %}{{ m['content'] if loop.last else '...' }}{% endfor %}"
    with pytest.raises(UserError, match=r"here: the chat template .* writes message 2 .* in another way where more follow"):
        chat_templates.written(tokenizer, talks()[2], "here")
    tokenizer.chat_template = "{% generation %}{{ messages[0]['content'] }}{% endgeneration %}"
    with pytest.raises(UserError, match=r"here: has 3 responses, and the chat template of its tokenizer marks 1"):
        chat_templates.written(tokenizer, talks()[2], "here")


def test_a_tokenizer_without_an_end_needs_a_template():
    tokenizer = trained(talks(), 300)
    tokenizer.eos_token = None
    with pytest.raises(UserError, match=r"here: its tokenizer must have a chat template, or an eos_token .*, and has neither"):
        chat_templates.given_template(tokenizer, "here")
