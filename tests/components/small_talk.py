"""Conversations of token ids, and a small causal model, for tests of components."""

import numpy as np
import torch

from components.tasks.sequences import Conversations


def conversations(n=60, seed=0):
    """Return conversations of 2 (user), 3 (assistant), 4 to 18 and the end 1; a response is the first token of its prompt.

    Of three there is one with two responses.
    """
    rng = np.random.default_rng(seed)
    examples = []
    for i in range(n):
        turns = [rng.integers(4, 19, rng.integers(1, 6)).tolist() for _ in range(1 + (i % 3 == 0))]
        examples.append([pair for turn in turns for pair in [*((t, 0) for t in (2, *turn, 3)), (turn[0], 1), (1, 1)]])
    ends = np.concatenate([[0], np.cumsum([len(each) for each in examples])])
    tokens, learnt = np.array([pair for each in examples for pair in each]).T
    return Conversations(tokens.astype(np.int32), ends, learnt.astype(np.uint8), 19, 0)


def gpt(seed=0, dropout=0.1):
    """Return a tiny GPT-2, untrained."""
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(seed)
    sizes = {"vocab_size": 19, "n_positions": 32, "n_embd": 16, "n_layer": 2, "n_head": 2, "use_cache": False}
    drops = dict.fromkeys(("resid_pdrop", "embd_pdrop", "attn_pdrop"), dropout)
    return GPT2LMHeadModel(GPT2Config(**sizes, **drops, bos_token_id=1, eos_token_id=1, pad_token_id=0))


def llama(seed=0):
    """Return a tiny Llama, whose positions are rotations, untrained."""
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(seed)
    sizes = {"vocab_size": 19, "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = LlamaConfig(**sizes, num_key_value_heads=1, max_position_embeddings=32, use_cache=False)
    config.bos_token_id, config.eos_token_id, config.pad_token_id = 1, 1, 0
    return LlamaForCausalLM(config)
