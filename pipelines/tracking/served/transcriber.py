"""Model of transcripts as MLflow's pyfunc: sounds in, what is said in them out."""

from __future__ import annotations

from itertools import groupby

from mlflow.models import set_model
from mlflow.pyfunc import PythonModel, PythonModelContext


class Transcriber(PythonModel):  # type: ignore[misc]
    """Says what it hears in each sound, frame by frame the likeliest token, as the evaluation does."""

    def load_context(self, context: PythonModelContext) -> None:
        """Load model, tokenizer and feature extractor from the stored folder, without network access."""
        from transformers import AutoFeatureExtractor, AutoModelForCTC, AutoTokenizer

        folder = context.artifacts["model"]
        self._tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
        self._extractor = AutoFeatureExtractor.from_pretrained(folder, trust_remote_code=False)
        self._model = AutoModelForCTC.from_pretrained(folder, trust_remote_code=False, use_safetensors=True).eval()

    def predict(self, context: PythonModelContext, model_input: list[list[float]]) -> list[str]:
        """Return the transcript of each sound: samples of one channel in [-1, 1], at the model's sampling rate.

        Each is heard alone, as it was when it was evaluated; no more than the longest of training is heard of it.
        """
        most = int(context.model_config["samples"])
        return [self._heard(sound[:most]) for sound in model_input]

    def _heard(self, sound: list[float]) -> str:
        import numpy as np
        import torch

        more = {"return_tensors": "pt", "return_attention_mask": True, "padding": True}
        waves = [np.asarray(sound, np.float32)]
        found = self._extractor(waves, sampling_rate=self._extractor.sampling_rate, **more)
        values, mask = found[self._extractor.model_input_names[0]], found.get("attention_mask")
        with torch.inference_mode():
            logits = self._model(values if mask is None else values[:, : int(mask[0].sum())]).logits[0]
        path = [token for token, _ in groupby(logits.argmax(-1).tolist()) if token != self._model.config.pad_token_id]
        text: str = self._tokenizer.decode(path, skip_special_tokens=True, group_tokens=False) if path else ""
        return text


set_model(Transcriber())
