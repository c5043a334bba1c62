"""Sequence-to-sequence model as MLflow's pyfunc: source texts in, written texts out."""

from __future__ import annotations

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

    def predict(self, context: PythonModelContext, model_input: list[str]) -> list[str]:
        """Return the text written for each source; MLflow makes lists of tables, and the signature of the types."""
        most, settings = int(context.model_config["max_length"]), dict(context.model_config["generate"])
        found: list[str] = []
        for start in range(0, len(model_input), BATCH):
            some = model_input[start : start + BATCH]
            given = self._tokenizer(some, truncation=True, max_length=most, padding=True, return_tensors="pt")
            written = self._model.generate(given["input_ids"], attention_mask=given["attention_mask"], **settings)
            found += self._tokenizer.batch_decode(written, skip_special_tokens=True)
        return found


set_model(Writer())
