#!/usr/bin/env bash
# A PyTorch model that MLflow saves as "pt2" with an input example of one row can predict one row at a time only.
#
# Versions: mlflow 3.17.2, torch 2.14.1, Python 3.11.
# Behaviour: save_model(..., serialization_format="pt2") leaves the first dimension of the input free where the example has two
# rows or more. With one row, which is what an example usually has, saving says nothing, the signature has a first dimension of
# -1 (any number), and predicting three rows fails: the exported program takes a batch of exactly 1.
# Output seen: "two rows in the example: 3 predictions", "one row in the example: signature (-1, 4)", "one row in the example:
# AssertionError".
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --quiet mlflow==3.17.2 torch==2.14.1
cd "$folder"
export MLFLOW_DISABLE_TELEMETRY=true

cat >one_row.py <<'PYTHON'
import logging
import warnings

import mlflow
import numpy as np
import torch
from mlflow.models import infer_signature

warnings.simplefilter("ignore")
logging.disable(logging.WARNING)
for rows, word in ((2, "two rows"), (1, "one row")):
    model, example = torch.nn.Linear(4, 2).eval(), np.ones((rows, 4), np.float32)
    signature = infer_signature(example, model(torch.tensor(example)).detach().numpy())
    mlflow.pytorch.save_model(
        model, f"model-{rows}", serialization_format="pt2", signature=signature, input_example=example,
        pip_requirements=["torch"],
    )
    loaded = mlflow.pyfunc.load_model(f"model-{rows}")
    if rows == 1:
        print(f"{word} in the example: signature {signature.inputs.inputs[0].shape}")
    try:
        found = loaded.predict(np.ones((3, 4), np.float32))
        print(f"{word} in the example: {len(found)} predictions")
    except Exception as error:
        print(f"{word} in the example: {type(error).__name__}")
PYTHON
seen=$("$folder/venv/bin/python" one_row.py 2>/dev/null)
echo "$seen"

[ "$seen" = "two rows in the example: 3 predictions
one row in the example: signature (-1, 4)
one row in the example: AssertionError" ]
