"""Untrained encoders for tests, of every family that a task may name."""

import json

from pipelines.training import models
from tests.pipelines.records import model_plan
from tests.pipelines.text_pairs import WORDS

SIZES = {"hidden_size": 16, "num_attention_heads": 2, "intermediate_size": 32, "num_hidden_layers": 3}


def pieces():
    """The words as a vocabulary of WordPiece."""
    return {word: i for i, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS])}


def bert():
    from transformers import BertConfig, BertForSequenceClassification, BertTokenizer

    config = BertConfig(vocab_size=15, max_position_embeddings=20, **SIZES)
    return BertForSequenceClassification(config), BertTokenizer(vocab=pieces())


def electra():
    from transformers import BertTokenizer, ElectraConfig, ElectraForSequenceClassification

    config = ElectraConfig(vocab_size=15, embedding_size=8, max_position_embeddings=20, **SIZES)
    return ElectraForSequenceClassification(config), BertTokenizer(vocab=pieces())


def distilbert():
    from transformers import DistilBertConfig, DistilBertForSequenceClassification, DistilBertTokenizer

    config = DistilBertConfig(vocab_size=15, dim=16, n_heads=2, hidden_dim=32, n_layers=3, max_position_embeddings=20)
    return DistilBertForSequenceClassification(config), DistilBertTokenizer(vocab=pieces())


def roberta():
    """Positions begin after the padding token, whose id is 1: of 22 a text may take 20. Its tokenizer is trained."""
    from tokenizers import ByteLevelBPETokenizer
    from transformers import RobertaConfig, RobertaForSequenceClassification, RobertaTokenizer

    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    trained = ByteLevelBPETokenizer()
    trained.train_from_iterator([" ".join(WORDS)] * 3, vocab_size=300, special_tokens=special, show_progress=False)
    saved = json.loads(trained.to_str())["model"]
    tokenizer = RobertaTokenizer(vocab=saved["vocab"], merges=[tuple(m) for m in saved["merges"]])
    config = RobertaConfig(vocab_size=300, max_position_embeddings=22, type_vocab_size=1, **SIZES)
    return RobertaForSequenceClassification(config), tokenizer


def albert():
    from transformers import AlbertConfig, AlbertForSequenceClassification, AlbertTokenizer

    special = ["<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]"]
    tokenizer = AlbertTokenizer(vocab=[(piece, -1.0) for piece in [*special, *(f"▁{word}" for word in WORDS)]])
    config = AlbertConfig(vocab_size=15, embedding_size=8, max_position_embeddings=20, **SIZES)
    return AlbertForSequenceClassification(config), tokenizer


#: Each with the parameters of its last block, and of what is before its first, by a part of their names.
ENCODERS = {
    "bert": (bert, "encoder.layer.2.", ("embeddings", "encoder.layer.0.", "encoder.layer.1.")),
    "electra": (electra, "encoder.layer.2.", ("embeddings", "encoder.layer.0.", "encoder.layer.1.")),
    "distilbert": (distilbert, "transformer.layer.2.", ("embeddings", "transformer.layer.0.", "transformer.layer.1.")),
    "roberta": (roberta, "encoder.layer.2.", ("embeddings", "encoder.layer.0.", "encoder.layer.1.")),
    "albert": (albert, "albert_layer_groups.0.", ("embeddings", "embedding_hidden_mapping_in")),
}


def model_of(source, **more):
    return {"family": "transformers", "source": source, **more}


def built_of(model, manifest):
    return models.build(model_plan(**model), manifest)


def fewer_tokens(folder):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"vocab_size": 10}))
