"""Model of instructions as MLflow's pyfunc: conversations in, responses out."""

from __future__ import annotations

from mlflow.models import set_model
from mlflow.pyfunc import PythonModel, PythonModelContext

#: Conversations answered at once.
BATCH = 16


class Responder(PythonModel):  # type: ignore[misc]
    """Answers the last message of each conversation, token by token the likeliest, as the evaluation does."""

    def load_context(self, context: PythonModelContext) -> None:
        """Load model and tokenizer from the stored folder, without network access, and the settings of both."""
        from transformers import AutoModelForCausalLM, AutoTokenizer

        folder, given = context.artifacts["model"], context.model_config
        self._most, self._settings = int(given["max_length"]), dict(given["generate"])
        self._tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
        self._model = AutoModelForCausalLM.from_pretrained(folder, trust_remote_code=False, use_safetensors=True).eval()

    def predict(self, context: PythonModelContext, model_input: list[list[dict[str, str]]]) -> list[str]:
        """Return the response to each conversation.

        Raises:
            ValueError: for one that is longer than the model was trained on.
        """
        prompts = [self._prompt(messages, f"conversation {i}") for i, messages in enumerate(model_input)]
        found: list[str] = []
        for start in range(0, len(prompts), BATCH):
            found += self._answers(prompts[start : start + BATCH])
        return found

    def _prompt(self, messages: list[dict[str, str]], where: str) -> list[int]:
        text = self._tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
        ids: list[int] = self._tokenizer(text, add_special_tokens=False)["input_ids"]
        if len(ids) > self._most:
            raise ValueError(f"{where}: must have at most {self._most} tokens, got {len(ids)}; leave out its first messages")
        return ids

    def _answers(self, prompts: list[list[int]]) -> list[str]:
        import torch

        longest, pad = max(map(len, prompts)), self._settings["pad_token_id"]
        ids = torch.tensor([[pad] * (longest - len(one)) + one for one in prompts])
        mask = torch.tensor([[0] * (longest - len(one)) + [1] * len(one) for one in prompts])
        written = self._model.generate(ids, attention_mask=mask, **self._settings)[:, longest:]
        return [text.strip() for text in self._tokenizer.batch_decode(written, skip_special_tokens=True)]


set_model(Responder())
