"""The training loops that are compared: Winnow's, a plain one of PyTorch, and the Trainer of transformers.

All train the same model, from the same weights, on the same batches in the same order, fetched by the same code, with the same
optimizer and schedule.
"""

from __future__ import annotations

import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, cast

from benchmarks.common import cpu_seconds

if TYPE_CHECKING:
    import torch

    from components.engine.learner import Learner
    from components.selection.selector import Selector
    from components.tasks.batch import Rows
    from components.tasks.examples import Examples
    from pipelines.config.schema.training import Training


@dataclass
class Setting:
    """The common start of all three: training settings, examples, and learners with fresh weights."""

    training: Training
    examples: Examples
    learner: Callable[[], Learner]

    def order(self, size: int | None = None) -> Rows:
        """Return the rows of epoch 0 as Winnow draws them, bucketed in runs of ``size``."""
        import numpy as np

        from components.rng import stream
        from components.tasks.batch import epoch_order

        everything = np.ones(len(self.examples), np.float32)
        return epoch_order(everything, self.examples.lengths, size or self.training.batch_size, stream(0, "order", 0))


@dataclass
class Loop:
    """An epoch under way: its learner, an iterator that takes one step at a time, and its torch settings."""

    learner: Learner
    steps: Iterator[object]
    deterministic: bool = False

    def __post_init__(self) -> None:
        import torch

        self._random = torch.get_rng_state()

    def advance(self, steps: int | None) -> float:
        """Take up to ``steps`` steps; return their CPU seconds."""
        import torch

        torch.set_rng_state(self._random)
        torch.use_deterministic_algorithms(self.deterministic)
        seconds = cpu_seconds(lambda: deque(islice(self.steps, steps), maxlen=0))
        torch.use_deterministic_algorithms(False)
        self._random = torch.get_rng_state()
        return seconds


def winnow(setting: Setting, selector: Selector | None = None) -> Loop:
    """Train through ``Training`` with all doors open, or with ``selector``."""
    import torch

    from components.engine.training import Training
    from components.evidence.ledger import Ledger, LogitMemory
    from components.run_position import Plan
    from components.selection.selector import Selector
    from pipelines.training.builders import look_batch

    learner, n = setting.learner(), len(setting.examples)
    outputs, settings, device = setting.examples.outputs, setting.training, learner.device
    ledger = Ledger(n, LogitMemory(torch.zeros(n, outputs, device=device), outputs))
    selector, size = selector or Selector(), settings.batch_size
    plan = Plan(1, size, settings.look_size or selector.look_size(size), look_batch(settings, device), 0)
    training = Training(learner, setting.examples, selector, ledger, plan)
    return Loop(learner, training.until(), deterministic=device.type == "cpu")  # as every stage is


def keeping_all(setting: Setting) -> Loop:
    """Train through ``Training`` with a method at door 3 that keeps everything."""
    from components.selection.keep.adaselection import AdaSelection

    return winnow(setting, AdaSelection(1.0))


def plain(setting: Setting) -> Loop:
    """Train in a plain loop, as written for this job alone."""
    import torch
    from torch.nn.utils import clip_grad_norm_

    from components.engine.passes import PRECISIONS

    learner, size, clip = setting.learner(), setting.training.batch_size, setting.training.clip_norm
    model, optimizer, device = learner.model, learner.optimizer, learner.device
    moved = [p for p in model.parameters() if p.requires_grad]
    kind = PRECISIONS[setting.training.precision]
    within = nullcontext() if kind is None else torch.autocast(device.type, dtype=kind)

    def epoch() -> Iterator[None]:
        model.train()
        order, done = setting.order(), 0
        for rows in order.split(size):
            batch = setting.examples.fetch(rows, device)
            done += len(rows)
            for group in optimizer.param_groups:
                group["lr"] = group["initial_lr"] * learner.schedule((done - size / 2) / len(order))
            with within:
                output = model(**batch.inputs)
            loss = _mean_loss(output, batch.target)
            optimizer.zero_grad()
            loss.backward()
            if clip is not None:
                clip_grad_norm_(moved, clip)
            optimizer.step()
            yield

    return Loop(learner, epoch())


class Fetched:
    """The examples in a fixed order, for a DataLoader that asks for a batch at a time."""

    def __init__(self, setting: Setting, device: torch.device) -> None:
        self.examples, self.order, self.device = setting.examples, setting.order(), device

    def __len__(self) -> int:
        return len(self.order)

    def __getitem__(self, place: int) -> dict[str, torch.Tensor]:
        return self.__getitems__([place])

    def __getitems__(self, places: list[int]) -> dict[str, torch.Tensor]:
        batch = self.examples.fetch(self.order.between(places[0], places[-1] + 1), self.device)
        return {**batch.inputs, "labels": batch.target}


class Whole(Loop):
    """An epoch of the Trainer, which the first call runs and times as a whole."""

    def advance(self, steps: int | None) -> float:
        """Return the CPU seconds of the epoch at the first call, then 0."""
        return sum(cast(Iterator[float], self.steps))


def trainer(setting: Setting) -> Whole:
    """Train through ``transformers.Trainer``, without logging, saving or evaluation."""
    import torch
    from transformers import PrinterCallback, Trainer, TrainerCallback, TrainingArguments

    class Times(TrainerCallback):  # type: ignore[misc]
        def on_train_begin(self, *given: object, **more: object) -> None:
            self.start = time.process_time()

        def on_train_end(self, *given: object, **more: object) -> None:
            self.seconds = time.process_time() - self.start

    learner, size = setting.learner(), setting.training.batch_size
    rows = Fetched(setting, learner.device)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        learner.optimizer, lambda step: learner.schedule((step + 0.5) * size / len(rows))
    )
    arguments = TrainingArguments(
        tempfile.gettempdir(), per_device_train_batch_size=size, num_train_epochs=1, use_cpu=True, disable_tqdm=True,
        max_grad_norm=setting.training.clip_norm or 0.0, train_sampling_strategy="sequential", remove_unused_columns=False,
        logging_strategy="no", save_strategy="no", eval_strategy="no", report_to="none", seed=0, dataloader_pin_memory=False,
    )  # fmt: skip
    times = Times()
    run = Trainer(
        learner.model, arguments, train_dataset=rows, data_collator=lambda batch: batch, callbacks=[times],
        optimizers=(learner.optimizer, schedule), compute_loss_func=_mean_loss,
    )  # fmt: skip
    run.remove_callback(PrinterCallback)

    def epoch() -> Iterator[float]:
        run.train()
        yield times.seconds

    return Whole(learner, epoch())


def _mean_loss(output: Any, labels: torch.Tensor, num_items_in_batch: object = None) -> torch.Tensor:  # noqa: ANN401
    from torch.nn.functional import cross_entropy

    logits = getattr(output, "logits", output).float()
    if labels.dim() == 1:
        return cross_entropy(logits, labels)
    tokens = labels[:, : logits.shape[1]]
    each = cross_entropy(logits.flatten(0, 1), tokens.flatten(), reduction="none").view(tokens.shape)
    return (each.sum(1) / (tokens >= 0).sum(1)).mean()


WAYS = {"plain": plain, "winnow": winnow, "trainer": trainer, "keeping-all": keeping_all}


def setting_of() -> Setting:
    """Prepare the planned task here, and return the common start of all three."""
    import torch

    from pipelines.config.plans import TrainingPlan
    from pipelines.core.artifacts import plan_of
    from pipelines.data.manifest import Manifest
    from pipelines.data.split_files import read_split
    from pipelines.plan import plan
    from pipelines.prepare import prepare
    from pipelines.training.builders import learner_of, prepare_torch

    plan()
    prepare()
    planned, manifest = TrainingPlan.read(plan_of("training")), Manifest.prepared()
    place = prepare_torch(planned.training, 0)
    torch.use_deterministic_algorithms(False)
    start = {k: v.clone() for k, v in learner_of(planned, manifest, place, 1).model.state_dict().items()}

    def learner() -> Learner:
        torch.manual_seed(0)
        fresh = learner_of(planned, manifest, place, 1)
        fresh.model.load_state_dict(start)
        torch.manual_seed(0)
        return fresh

    return Setting(planned.training, read_split("train", manifest).examples, learner)
