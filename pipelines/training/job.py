"""Training job: a planned run, metered, checkpointed and resumed."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from components.costs.clock import Clock
from components.engine.training import Training
from components.epoch_records import EpochRecord, Step
from components.evidence.evidence import NonFiniteLossError
from components.evidence.ledger import Ledger, LogitMemory
from pipelines.config.plans import ComparisonPlan, TrainingPlan
from pipelines.core import artifacts, python_gc
from pipelines.core.environment import CHECKPOINT_SECONDS
from pipelines.core.errors import Stopped, UserError
from pipelines.core.progress import Watch
from pipelines.core.signals import STOP
from pipelines.costs.energy_meter import EnergyMeter
from pipelines.costs.records import EpochEnd
from pipelines.data.manifest import Manifest
from pipelines.data.split_files import Split, read_split
from pipelines.training import augmentation, builders, launcher, models
from pipelines.training.checkpoints import Checkpoint, Metered, State, unpack
from pipelines.training.cost_record import cost_record
from pipelines.training.frozen_features import Keeping
from pipelines.training.judging import validation
from pipelines.training.plan_changes import NOTHING, Substitute
from pipelines.training.run_sizes import run_plan

if TYPE_CHECKING:
    from components.selection.selector import Selector

#: What a rank wants to do after a batch; the highest value of any rank is done by all.
GO_ON, SAVE, END = range(3)


class Job:
    """A training run of one stage: prepared data, model, selector, checkpoints and costs.

    Attributes:
        model: the whole model.
        keeping: the split model if frozen states are stored; ``training`` then has only its trained part.
        ranks: the processes that train together.
        ends: costs at each epoch's end; timings, and so not part of the records.
        validation: judges the model while it trains; None for a run that is not judged.
    """

    def __init__(
        self,
        stage: str,
        name: str,
        selector: Selector,
        *,
        first: int = 0,
        looks_only: bool = False,
        instead: Substitute = NOTHING,
        root: Path = artifacts.HERE,
    ) -> None:
        """Build the run from the plan, in its initial state.

        Args:
            stage: "warm_up" or "train".
            name: name of the warm-up or method.
            selector: the method at the doors.
            first: the first epoch after the warm-up.
            looks_only: whether logit changes are compared between looks only.
            instead: replaces parts of the plan for a model that is not the task's.
            root: the folder of the run.
        """
        self.stage, self.name, self.root = stage, name, root
        country = ComparisonPlan.read(root / artifacts.plan_of("comparison")).energy.country
        # Where the kernel does not name the processor, detecting it takes a second; meanwhile the model is built.
        self._meter_to_be = ThreadPoolExecutor(1).submit(EnergyMeter, country)
        self.plan = TrainingPlan.read(root / artifacts.plan_of("training"))
        self.manifest = Manifest.prepared(root)
        self.split: Split = read_split("train", self.manifest, root / artifacts.PREPARED)
        self.records: list[EpochRecord] = []
        self.validation: validation.Validation | None = None
        self.ends: list[EpochEnd] = []
        plan, manifest = instead.planned(self.plan), instead.described(self.manifest)
        if instead.target is not None:
            self.split = self.split.relabelled(instead.target, manifest.outputs)
        device = builders.prepare_torch(plan.training, plan.seed)
        self.ranks = launcher.here(device)
        model = builders.placed(models.build(plan.model, manifest, instead.model_key), device)
        self.model = builders.synchronised(model, self.ranks, self.manifest.task)
        keeps = plan.training.keep_frozen
        self.keeping = Keeping(self.model, self.split.examples, self.manifest, root) if keeps else None
        self.training = self._training(plan, selector, first, looks_only)

    def _training(self, plan: TrainingPlan, selector: Selector, first: int, looks_only: bool) -> Training:
        settings, seed = plan.training, plan.seed
        kept = self.keeping
        model, examples = (self.model, self.split.examples) if kept is None else (kept.model, kept.examples)
        length = selector.length(settings.epochs)
        learner = builders.learner(settings, self.manifest, model, length, self.ranks, factor=selector.learning_rate)
        learner.norms = "norm" in selector.wants
        n, outputs = len(examples), examples.outputs
        memory = LogitMemory(builders.storage(n, outputs, learner.device, self.root), outputs, seed)
        target = examples.target if learner.objective.classes else None
        ledger = Ledger(n, memory, looks_only=looks_only, target=target)
        run = run_plan(settings, selector, learner.device, first, seed)
        augmented = augmentation.in_steps(settings.augment, examples, seed, self.manifest)
        return Training(learner, examples, selector, ledger, run, augmented)

    def begin_from(self, state: State) -> None:
        """Start from the state that a warm-up saved."""
        self.records = unpack(self.training, state, selector=False)
        self.training.clock.laps.clear()

    def judge(self, *, final: bool) -> None:
        """Judge the run while it trains, if the task asks for it; ``final`` unless it is a warm-up."""
        whole = None if self.keeping is None else self.model
        begun = len(self.records)
        self.validation = validation.of(self.training, self.plan, self.manifest, whole, begun, final=final, root=self.root)

    def run(self, until: float | None, inputs: object, *, sweep_every: int = 0) -> None:
        """Train up to epoch ``until``, from the checkpoint for the same ``inputs`` if there is one.

        Args:
            until: the epoch; None for the method's own length.
            inputs: everything the result depends on.
            sweep_every: epochs between looks at every example; 0 for no looks.

        Raises:
            Stopped: after SIGINT or SIGTERM, with a checkpoint written.
            UserError: if a loss is NaN or infinite.
        """
        checkpoint = Checkpoint(self.stage, self.name, inputs, self.root)
        self._meter = self._meter_to_be.result()
        if self.ranks.leads:
            checkpoint.take_over()
        self.ranks.wait()
        if (saved := checkpoint.load(self.training)) is not None:
            self.records, metered, best = saved
            self.ends = metered.ends
            self._take_over(metered)
            if self.validation is not None:
                self.validation.best = best
        python_gc.loaded()
        # Ranks are child processes of the stage's process.
        process = psutil.Process().parent() if self.ranks.count > 1 else psutil.Process()
        self.start_up_seconds = time.time() - process.create_time()
        try:
            self._follow(until, checkpoint, sweep_every)
        except NonFiniteLossError as error:
            steps = self.training.position.steps
            raise UserError(
                f"the loss of id {self.split.ids[error.index]} is {error.value} at step {steps} (epoch "
                f"{self.training.position.epoch + 1}); a smaller learning_rate or clip_norm may help"
            ) from None
        except RuntimeError as error:
            builders.refuse_unrepeatable(error, self.manifest.task)
            raise
        if self.validation is not None:
            self.validation.settle()
        self._done = checkpoint

    def _follow(self, until: float | None, checkpoint: Checkpoint, sweep_every: int) -> None:
        seconds = CHECKPOINT_SECONDS.value()
        saved = time.monotonic()
        leads = self.ranks.leads
        end = self.training.length if until is None else until
        with Watch(f"{self.stage} {self.name}", end, shown=leads) as watch:
            self._meter.start()
            if self.keeping is not None and end > self.training.position.epoch:
                self.keeping.compute(self.training.clock)
            for moment in self._moments(end):
                ended = isinstance(moment, EpochRecord)
                if isinstance(moment, EpochRecord):
                    self.records.append(moment)
                    if sweep_every and (moment.epoch + 1) % sweep_every == 0:
                        self.training.sweep()
                watch.see(moment)
                wish = GO_ON
                if STOP.is_set():
                    wish = END
                elif ended or (leads and time.monotonic() - saved >= seconds):
                    wish = SAVE
                if (wish := self.ranks.highest(wish)) != GO_ON:
                    self._meter.stop()
                    self._save(checkpoint, moment)
                    saved = time.monotonic()
                    if wish == END:
                        raise Stopped
                    self._meter.start()
            self._meter.stop()

    def _moments(self, end: float) -> Iterator[Step | EpochRecord]:
        moments = self.training.until(end)
        return moments if self.validation is None else self.validation.follow(moments, self.records, end, self._meter)

    def _save(self, checkpoint: Checkpoint, moment: Step | EpochRecord) -> None:
        """Save the state and costs of all ranks; the lead rank writes, the others wait for it."""
        clock, kwh = self._spent()
        if isinstance(moment, EpochRecord):
            seconds = clock.laps["train"].cpu_seconds
            self.ends.append(EpochEnd(epoch=moment.epoch, cpu_seconds=seconds, kwh=sum(kwh.values())))
        metered, best = Metered(kwh=kwh, ends=self.ends), None
        if self.validation is not None:
            apart, best = sum(self.ranks.all(self._meter.apart_kwh)), self.validation.best
            metered = metered.model_copy(update={"apart_kwh": apart})
        checkpoint.save(self.training, self.records, metered, clock, best=best, write=self.ranks.leads)
        self.ranks.wait()

    def _spent(self) -> tuple[Clock, dict[str, float]]:
        """Return the time and energy (by component) of all ranks together."""
        spent = self.ranks.all((self.training.clock, self._meter.kwh))
        kwh = {part: sum(used[part] for _, used in spent) for part in self._meter.kwh}
        return Clock.together([clock for clock, _ in spent]), kwh

    def _take_over(self, metered: Metered) -> None:
        """Continue the counts of all ranks' costs, on the lead rank."""
        if self.ranks.leads:
            self._meter.kwh, self._meter.apart_kwh = metered.kwh, metered.apart_kwh
        else:
            self.training.clock.laps.clear()

    @contextmanager
    def metered(self) -> Iterator[None]:
        """Meter the work in this block, after ``run``."""
        self._meter.start()
        yield
        self._meter.stop()

    def gather_costs(self) -> bool:
        """Add up the costs of all ranks, and return whether this rank writes the results."""
        self.training.clock, self._meter.kwh = self._spent()
        if self.validation is not None:
            self._meter.apart_kwh = sum(self.ranks.all(self._meter.apart_kwh))
        return self.ranks.leads

    def finish(self) -> None:
        """Write the cost record, after all other results, and delete the checkpoint."""
        cost = cost_record(self.training, self.records, self.ends, self._meter)
        cost = cost.model_copy(update={"start_up_seconds": self.start_up_seconds, "ranks": self.ranks.count})
        cost.write(self.root / artifacts.cost_of(self.stage, self.name))
        self._done.remove()


def provenance(job: Job, **more: object) -> Mapping[str, object]:
    """Return the provenance of this job's tables: seed, digests of data and params, and ``more``."""
    return {"seed": job.plan.seed, "data": job.manifest.content, "params": artifacts.digest(job.plan.dumped()), **more}
