"""Documents become blocks as by hand; the same texts make the same tokenizer."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from pipelines.core.errors import UserError
from pipelines.data import token_blocks
from tests.conftest import ROOT
from tests.pipelines.books import LINE


def test_cutting_by_hand():
    class Letters:
        eos_token_id = None
        sep_token_id = 0

        def __call__(self, texts, **options):
            return {"input_ids": [[ord(c) - 96 for c in text] for text in texts]}

    found = token_blocks.cut(["abc", "zzzz", "d", "efgh"], np.array([0, 2, 3]), Letters(), 4, "here")
    # a b c 0 | d 0 e f | g h 0: the last three are no whole block.
    assert found.tokens.tolist() == [[1, 2, 3, 0], [4, 0, 5, 6]]
    assert found.document.tolist() == [0, 2]
    assert found.total == 11
    with pytest.raises(UserError, match="here has 2 tokens, under the 4 of one block; the nearest that works is 2"):
        token_blocks.cut(["a"], np.array([0]), Letters(), 4, "here")


@pytest.mark.slow
def test_the_tokenizer_is_the_same_for_the_same_texts_in_another_process():
    texts = [f"{LINE} {'by and by ' * i}" for i in range(6)]
    code = "import json, sys; from pipelines.data.token_blocks import trained\n"
    code += "print(trained(json.loads(sys.argv[1]), 270)._tokenizer.to_str())"
    said = [
        subprocess.run(
            [sys.executable, "-c", code, json.dumps(texts)],
            env={**os.environ, "PYTHONHASHSEED": str(seed), "PYTHONWARNINGS": "ignore"},
            cwd=ROOT, capture_output=True, text=True, check=True,
        ).stdout
        for seed in (1, 2)
    ]  # fmt: skip
    assert said[0] == said[1]
    tokenizer = token_blocks.trained(texts, 270)
    assert len(tokenizer) == 270
    assert tokenizer.decode(tokenizer("wörst times")["input_ids"]) == "wörst times"
