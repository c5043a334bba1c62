"""Sequence-to-sequence model as MLflow's pyfunc: source texts in, written texts out."""

from __future__ import annotations

from typing import Any

from mlflow.models import set_model
from mlflow.pyfunc import PythonModel, PythonModelContext

#: Texts written at once.
BATCH = 16


class Writer(PythonModel):  # type: ignore[misc]
    """Writes a text for each source, token by token the likeliest, as the evaluation does."""

    def load_context(self, context: PythonModelContext) -> None:
        """Load model and tokenizer from the stored folder, without network access."""
        from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

        folder = context.artifacts["model"]
        self._tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
        self._model = AutoModelForSeq2SeqLM.from_pretrained(folder, trust_remote_code=False, use_safetensors=True).eval()

    def predict(self, context: PythonModelContext, model_input: Any, params: dict[str, Any] | None = None) -> list[str]:  # noqa: ANN401
        """Return the texts written for the first column of ``model_input`` (pandas), or a list."""
        sources = list(model_input if isinstance(model_input, list) else model_input.iloc[:, 0])
        most, settings = int(context.model_config["max_length"]), dict(context.model_config["generate"])
        found: list[str] = []
        for start in range(0, len(sources), BATCH):
            some = sources[start : start + BATCH]
            given = self._tokenizer(some, truncation=True, max_length=most, padding=True, return_tensors="pt")
            written = self._model.generate(given["input_ids"], attention_mask=given["attention_mask"], **settings)
            found += self._tokenizer.batch_decode(written, skip_special_tokens=True)
        return found


set_model(Writer())
