"""Conversations become tokens of which those of responses are learnt, as transformers itself marks and judges them."""

import json
from pathlib import Path

import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel

from components.tasks.batch import Rows
from components.tasks.sequences import IGNORED, Conversations
from pipelines.core import artifacts
from pipelines.core.errors import UserError
from pipelines.sources import pretrained
from tests.pipelines.encoders import bert
from tests.pipelines.talks import COLUMNS, GPT, INSTRUCTIONS, TALKS, message, questions, talks, written


def whole(split):
    return split.examples.fetch(Rows.unweighted(torch.arange(len(split.ids))), torch.device("cpu"))


def by_transformers(tokenizer, talk):
    """Return the tokens of a conversation and which are of responses, by transformers' own mask, up to the last of these."""
    found = tokenizer.apply_chat_template(talk, return_dict=True, return_assistant_tokens_mask=True)
    last = max(i for i, one in enumerate(found["assistant_masks"]) if one) + 1
    return found["input_ids"][:last], found["assistant_masks"][:last]


@pytest.mark.parametrize("suffix", ["tsv", "jsonl", "parquet"])
@pytest.mark.parametrize("task", [INSTRUCTIONS, TALKS], ids=["pairs", "conversations"])
def test_what_is_learnt_is_what_transformers_marks(prepared, tmp_path, suffix, task):
    rows = questions() if task is INSTRUCTIONS else talks()
    manifest, train, test = prepared(written(tmp_path, rows, suffix), **task)
    assert (manifest.target, manifest.metric, manifest.higher, manifest.outputs) == ("sequence", "chrf", True, 127)
    assert (manifest.counts.train, manifest.counts.test, manifest.template) == (24, 6, "plain")
    tokenizer = pretrained.tokenizer_in(artifacts.TOKENIZER)
    assert (tokenizer.pad_token_id, tokenizer.eos_token_id) == (manifest.pad, manifest.end) == (0, 1)
    for split in (train, test):
        assert isinstance(split.examples, Conversations)
        batch = whole(split)
        for row, i in enumerate(split.ids):
            talk = [message("user", rows[i][0]), message("assistant", rows[i][1])] if task is INSTRUCTIONS else rows[i]
            tokens, mask = by_transformers(tokenizer, talk)
            assert batch.inputs["input_ids"][row][: len(tokens) - 1].tolist() == tokens[:-1]
            wanted = [t if m else IGNORED for t, m in zip(tokens, mask, strict=True)][1:]
            assert batch.target[row].tolist() == wanted + [IGNORED] * (127 - len(wanted))
            turn = max(n for n, one in enumerate(talk) if one["role"] == "assistant")
            assert json.loads(split.table["conversation"][row].as_py()) == talk[:turn]
            assert split.table["reference"][row].as_py() == talk[turn]["content"]
        assert "label" not in split.table.column_names


#: Templates as models have them: of ChatML, of Llama 2, and one that marks responses.
CHATML = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\\n' + m['content'] + '<|im_end|>' + '\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
LLAMA = (
    "{% for m in messages %}{% if m['role'] == 'user' %}{{ '[INST] ' + m['content'] + ' [/INST]' }}"
    "{% elif m['role'] == 'system' %}{{ '<<SYS>>' + m['content'] }}"
    "{% else %}{{ ' ' + m['content'] + ' ' + eos_token }}{% endif %}{% endfor %}"
)
MARKED = CHATML.replace(
    "{{ '<|im_start|>' + m['role'] + '\\n' + m['content'] + '<|im_end|>' + '\\n' }}",
    "{{ '<|im_start|>' + m['role'] + '\\n' }}{% if m['role'] == 'assistant' %}{% generation %}{{ m['content'] + '<|im_end|>' }}"
    "{% endgeneration %}{% else %}{{ m['content'] + '<|im_end|>' }}{% endif %}{{ '\\n' }}",
)


@pytest.fixture
def base(prepared, tmp_path):
    """Return a function that saves a GPT-2 whose tokenizer has a given chat template, and returns a task of it."""
    prepared(written(tmp_path, talks()), **TALKS)
    tokenizer = pretrained.tokenizer_in(artifacts.TOKENIZER)
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|im_start|>", "<|im_end|>"]})

    def save(template, **sizes):
        folder = tmp_path / "base"
        tokenizer.chat_template = template
        tokenizer.save_pretrained(folder)
        torch.manual_seed(0)
        sizes = {"n_positions": 160, "n_embd": 16, "n_layer": 2, "n_head": 2} | sizes
        GPT2LMHeadModel(GPT2Config(vocab_size=len(tokenizer), **sizes)).save_pretrained(folder)
        model = {"family": "transformers", "source": {"from": "folder", "folder": str(folder)}}
        return {name: value for name, value in TALKS.items() if name != "vocabulary"} | {"model": model}

    return save


@pytest.mark.parametrize("template", [CHATML, LLAMA, MARKED, None], ids=["ChatML", "Llama 2", "marked", "none"])
def test_a_models_own_template_is_taken_and_the_loss_is_the_models_own(base, prepared, tmp_path, template):
    manifest, train, _ = prepared(written(tmp_path, talks()), **base(template))
    tokenizer = pretrained.tokenizer_in(artifacts.TOKENIZER)
    assert manifest.template == ("plain" if template is None else "own")
    assert tokenizer.decode([manifest.end]) == ("</s>" if template in (LLAMA, None) else "<|im_end|>")
    model = GPT2LMHeadModel.from_pretrained(tmp_path / "base").eval()
    batch = whole(train)
    with torch.no_grad():
        logits = model(**batch.inputs).logits
    from components.evidence.objectives import OBJECTIVES

    losses = OBJECTIVES["sequence"].see(logits, batch.target, norm=False).loss
    for row, i in enumerate(train.ids):
        talk = talks()[i]
        ids = tokenizer.apply_chat_template(talk)["input_ids"]
        labels = [IGNORED] * len(ids)
        for n, one in enumerate(talk):
            if one["role"] == "assistant":
                start = len(tokenizer.apply_chat_template(talk[:n], add_generation_prompt=True)["input_ids"])
                stop = len(tokenizer.apply_chat_template(talk[: n + 1])["input_ids"])
                stop = start + ids[start:stop].index(manifest.end) + 1
                labels[start:stop] = ids[start:stop]
        with torch.no_grad():
            alone = model(torch.tensor([ids]), labels=torch.tensor([labels])).loss
        # An example in a batch, padded, is what it is alone, and transformers' mean is over its responses' tokens.
        assert losses[row] == pytest.approx(alone.item(), rel=1e-4)


def test_what_is_cut_is_counted_and_said(prepared, tmp_path, capsys):
    rows = [talk[:-1] if talk[-1]["role"] == "user" else talk for talk in talks()]
    manifest, train, test = prepared(written(tmp_path, rows), **TALKS, max_length=60)
    tokenizer = pretrained.tokenizer_in(artifacts.TOKENIZER)
    sizes = [len(by_transformers(tokenizer, talk)[0]) for talk in rows]
    assert manifest.truncated.train == sum(sizes[i] > 60 for i in train.ids) > 0
    assert manifest.truncated.test == sum(sizes[i] > 60 for i in test.ids)
    assert "conversations (" in (said := capsys.readouterr().err)
    assert "are longer than max_length, 60 tokens, and cut there; tasks.own.max_length" in said
    for split in (train, test):
        for row, i in enumerate(split.ids):
            tokens, mask = by_transformers(tokenizer, rows[i])
            kept = max(n for n, one in enumerate(mask[:60]) if one) + 1
            own = split.examples.tokens[split.examples.offsets[row] : split.examples.offsets[row + 1]]
            assert own.tolist() == tokens[:kept]
            # The response that is judged is the last that begins within what is read.
            asked = json.loads(split.table["conversation"][row].as_py())
            assert len(tokenizer.apply_chat_template(asked, add_generation_prompt=True)["input_ids"]) < 60


def test_preparing_twice_is_the_same_to_the_byte(prepared, tmp_path):
    source = written(tmp_path, talks())
    first, *_ = prepared(source, **TALKS)
    kept = {p.name: p.read_bytes() for p in artifacts.PREPARED.rglob("*") if p.is_file()}
    second, *_ = prepared(source, **TALKS)
    assert first == second
    assert {p.name: p.read_bytes() for p in artifacts.PREPARED.rglob("*") if p.is_file()} == kept


def test_the_tokenizer_is_trained_on_the_training_rows_alone(prepared, tmp_path):
    source = written(tmp_path, [(f"{i} of a cat", f"cat {i}") for i in range(30)])
    (tmp_path / "tested").mkdir()
    tested = written(tmp_path / "tested", [(f"{i} of an owlowlowl", f"owlowlowl {i}") for i in range(9)])
    prepared(source | {"test": tested["train"]}, **{**INSTRUCTIONS, "test": None})
    known = pretrained.tokenizer_in(artifacts.TOKENIZER).get_vocab()
    assert {"Ġcat", "User", "Assistant"} <= set(known)
    assert not [token for token in known if "ow" in token]


FOLDER = {"family": "transformers", "source": {"from": "folder", "folder": "bare"}}
BAD = {
    "no response": ({"columns": {"prompt": "question"}}, r"columns: .* 'prompt' and 'response' or 'messages'.*, got prompt"),
    "both": (
        {"columns": COLUMNS | {"messages": "m"}},
        r"a task of kind 'instructions' names 'prompt' and 'response' or 'messages', and no other, got messages, prompt, resp",
    ),
    "a label": ({"columns": COLUMNS | {"label": "x"}}, r"and no other, got label, prompt, response"),
    "a misspelt column": ({"columns": {"prompt": "question", "response": "anser"}}, r"no such column, did you mean 'answer'"),
    "images": ({"source": {"from": "folder", "folder": "."}}, r"'folder' has no data of kind 'instructions'.*: hub, files"),
    "numbers": ({"predicts": "number"}, r"predicts: a task of kind 'instructions' predicts a text, got 'number'; leave it out"),
    "a metric of classes": ({"metric": "macro_f1"}, r"metric: is for classes, and this task is of kind 'instructions'"),
    "near copies": ({"duplicates": {"fraction": 0.1, "near": True}}, r"duplicates.near: .* of kind 'instructions', got true"),
    "blocks": ({"block": 8}, r"block: is for a task of kind 'language', and this one is of kind 'instructions'"),
    "a t5": ({"model": {**GPT, "family": "t5"}}, r"takes 'gpt' or 'transformers', got 't5'"),
    "an encoder with a decoder": ({"model": FOLDER}, r"own\.model: must be a decoder alone, .* got 't5'; kind 'seq2seq' takes"),
    "no room": ({"max_length": 20}, r"max_length: must be above the \d\d tokens before .* of id \d+.* works for all is \d\d"),
}


@pytest.mark.parametrize(("more", "said"), BAD.values(), ids=BAD)
def test_what_cannot_be_used_is_named(prepared, tmp_path, more, said):
    Path("bare").mkdir(exist_ok=True)
    Path("bare/config.json").write_text('{"model_type": "t5"}')
    task = {"source": written(tmp_path)} | INSTRUCTIONS | more
    if "source" in task["model"]:
        del task["vocabulary"]
    with pytest.raises(UserError, match=said) as raised:
        prepared(**task)
    assert "\n" not in str(raised.value)
    assert not Path("results/prepare").exists()


def test_the_nearest_length_that_is_named_works(prepared, tmp_path):
    source = written(tmp_path)
    with pytest.raises(UserError) as raised:
        prepared(source, **INSTRUCTIONS, max_length=20)
    nearest = int(str(raised.value).split()[-1])
    with pytest.raises(UserError, match=rf"got {nearest - 1}; the nearest that works for all is {nearest}"):
        prepared(source, **INSTRUCTIONS, max_length=nearest - 1)
    assert prepared(source, **INSTRUCTIONS, max_length=nearest)[0].counts.total == 30


def test_a_context_that_is_too_short_and_responses_that_do_not_end_are_refused(base, prepared, tmp_path, saved):
    source = written(tmp_path, talks())
    with pytest.raises(UserError, match=r"max_length: with max_target_length, 8, .* 100 tokens .* got 128; .* works is 92"):
        prepared(source, **base(CHATML, n_positions=100))
    endless = CHATML.replace("+ '<|im_end|>'", "")
    with pytest.raises(UserError, match=r"own\.model: the chat template .* must end each response with the same special token"):
        prepared(source, **base(endless))
    picky = "{{ raise_exception('roles must alternate') if messages[0]['role'] == 'system' else 'x' }}"
    with pytest.raises(UserError, match=r"own: id \d+: the chat template of its tokenizer refuses it: roles must alternate"):
        prepared(source, **base(picky))
    model = {"family": "transformers", "source": saved(bert)}
    with pytest.raises(UserError, match=r"must have a chat template, or an eos_token for the plain one, and has neither"):
        prepared(source, **{k: v for k, v in TALKS.items() if k != "vocabulary"} | {"model": model, "max_length": 12})


def test_a_pretrained_model_has_adapters_unless_its_block_says_otherwise(base, prepared, tmp_path, capsys):
    from pipelines.config.plans import TrainingPlan
    from pipelines.config.schema.model import Lora

    source, task = written(tmp_path, talks()), base(CHATML)
    prepared(source, **task)
    assert TrainingPlan.read(artifacts.plan_of("training")).model.lora == Lora()
    assert "plan: training moves adapters of rank 8 alone; 'lora: null' trains the model's own" in capsys.readouterr().err
    prepared(source, **task | {"model": task["model"] | {"lora": None}})
    assert TrainingPlan.read(artifacts.plan_of("training")).model.lora is None
    assert "plan: training moves the whole model" in capsys.readouterr().err


@pytest.mark.usefixtures("cached")
def test_a_data_set_of_the_hub_is_read_as_the_file_is(prepared, tmp_path):
    from datasets import Dataset

    prepared(written(tmp_path, talks()), **TALKS)
    of_file = artifacts.digest_of(artifacts.PREPARED / "train.arrow")
    Dataset.from_list([{"messages": talk, "more": 1} for talk in talks()]).to_parquet(tmp_path / "talk" / "train.parquet")
    prepared({"from": "hub", "id": str(tmp_path / "talk"), "revision": "main", "test_split": None}, **TALKS)
    assert artifacts.digest_of(artifacts.PREPARED / "train.arrow") == of_file


def test_rows_without_messages_or_texts_are_left_out_where_that_is_asked_for(prepared, tmp_path):
    with pytest.raises(UserError, match=r"own: messages of id 30: must be a list of messages, .*, got none"):
        prepared(written(tmp_path, [*talks(), None]), **TALKS)
    assert prepared(written(tmp_path, [*talks(), None]), **TALKS, drop_empty=True)[0].dropped_empty == 1
    with pytest.raises(UserError, match=r"own: response of id 30 must be a text, got ' '; 'drop_empty: true' leaves rows"):
        prepared(written(tmp_path, [*questions(), ("who?", " ")]), **INSTRUCTIONS)
    assert prepared(written(tmp_path, [*questions(), ("who?", " ")]), **INSTRUCTIONS, drop_empty=True)[0].dropped_empty == 1
