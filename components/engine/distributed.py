"""Data-parallel training: each rank forwards its part of a batch, all get every result.

Doors, ledger, order and random streams are the same on every rank, so ranks cannot disagree about what is trained on.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel
from typing_extensions import override

from components.arrays import Array
from components.engine.learner import Learner
from components.evidence.evidence import OPTIONAL, Evidence
from components.tasks.batch import Batch, Rows

if TYPE_CHECKING:
    from components.tasks.examples import Examples

T = TypeVar("T")


class Ranks:
    """Ranks of a training in a single process, and the base of ``Group``.

    Attributes:
        rank: of this process, from 0.
        count: number of ranks.
    """

    rank, count = 0, 1

    @property
    def leads(self) -> bool:
        """Whether this rank writes the files of all."""
        return self.rank == 0

    def highest(self, wish: int) -> int:
        """Return the highest ``wish`` of any rank, on every rank."""
        return wish

    def all(self, value: T) -> list[T]:
        """Return the ``value`` of every rank, by rank."""
        return [value]

    def wait(self) -> None:
        """Block until every rank has called this."""

    def part(self, examples: int) -> slice:
        """Return this rank's contiguous rows of a batch of B ``examples``; they may be none."""
        size, more = divmod(examples, self.count)
        start = self.rank * size + min(self.rank, more)
        return slice(start, start + size + (self.rank < more))


class Group(Ranks):
    """Ranks started by ``torchrun``: NCCL among GPUs, else gloo."""

    def __init__(self, device: torch.device, seconds: float) -> None:
        """Join the process group for ``device``; all ranks fail if one does not answer within ``seconds``."""
        limit = timedelta(seconds=seconds)
        by_gpu = device.type == "cuda"
        distributed.init_process_group("nccl" if by_gpu else "gloo", timeout=limit)
        self.rank, self.count = distributed.get_rank(), distributed.get_world_size()
        # Host values are exchanged by gloo, since NCCL would have to wait for the GPU.
        self._host: Any = distributed.new_group(backend="gloo", timeout=limit) if by_gpu else None

    @override
    def highest(self, wish: int) -> int:
        highest = torch.tensor(wish)
        distributed.all_reduce(highest, distributed.ReduceOp.MAX, group=self._host)
        return int(highest)

    @override
    def all(self, value: T) -> list[T]:
        found: list[Any] = [None] * self.count
        distributed.all_gather_object(found, value, group=self._host)
        return found

    @override
    def wait(self) -> None:
        distributed.barrier(group=self._host)

    def joined(self, own: Tensor, examples: int) -> Tensor:
        """Return the rows ``(B, ...)`` of all ranks' parts, given this rank's.

        They are moved as bytes, so nothing is rounded.
        """
        size = -(-examples // self.count)
        room = own.new_zeros(size, *own.shape[1:])
        room[: len(own)] = own
        found = own.new_empty(self.count * size, *own.shape[1:])
        distributed.all_gather_single(found, room)
        less = self.count * size - examples
        if not less:
            return found
        # The last `less` ranks have one row fewer than the first ones, and so one row of padding.
        full = (self.count - less) * size
        rest = found[full:].view(less, size, *own.shape[1:])[:, : size - 1]
        return torch.cat([found[:full], rest.flatten(0, 1)])


def _length(own_rows: slice) -> int:
    return int(own_rows.stop - own_rows.start)


@dataclass(frozen=True)
class Part(Batch):
    """A rank's part of a batch of B examples.

    ``rows`` are those of the whole batch, of length B; only ``own_rows`` are fetched. Gradients are averaged over ranks, so
    ``weight`` is multiplied by their number. A rank with an empty part fetches one example of weight 0, since every rank
    takes part in every step.

    Attributes:
        own_rows: this rank's slice of the rows.
    """

    own_rows: slice

    @override
    def __len__(self) -> int:
        return len(self.rows)

    @property
    def own(self) -> int:
        """Number of this rank's examples in the batch."""
        return _length(self.own_rows)

    @property
    @override
    def fetched(self) -> Rows:
        """This rank's rows, or the first one of the batch if it has none."""
        return self.rows.between(self.own_rows.start, self.own_rows.stop) if self.own else self.rows.between(0, 1)


@dataclass
class DistributedLearner(Learner):
    """Learner that forwards its part of each batch and returns the evidence of the whole batch.

    Attributes:
        group: the ranks.
    """

    group: Group = field(kw_only=True)

    @override
    def __post_init__(self) -> None:
        super().__post_init__()
        on_gpu = [self.device] if self.device.type == "cuda" else None
        # Buffers are equal on all ranks: batch statistics are synchronised, and nothing else changes buffers.
        self._parallel = DistributedDataParallel(self.model, device_ids=on_gpu, forward_sync_buffers=False)
        if self.group.rank:
            torch.manual_seed((torch.initial_seed() + self.group.rank) % 2**63)

    @override
    def fetch(self, examples: Examples, rows: Rows) -> Part:
        own_rows = self.group.part(len(rows))
        own = _length(own_rows) > 0
        part = examples.fetch(rows.between(own_rows.start, own_rows.stop) if own else rows.between(0, 1), self.device)
        return Part(rows, part.inputs, part.target, part.weight * (self.group.count * own), own_rows)

    @override
    def picked(self, batch: Batch, rows: Rows, answer: Array) -> None:
        return None  # this rank's part of them is another than it was of the look

    @override
    def forwarded(self, examples: int) -> int:
        return max(1, _length(self.group.part(examples)))

    @override
    def whole(self, own: Tensor, examples: int) -> Tensor:
        return self._joined({"": own}, self.group.part(examples), examples)[""]

    @override
    def random_state(self) -> dict[str, Tensor]:
        first, *others = self.group.all(super().random_state())
        return first | {f"{k}.{rank}": v for rank, state in enumerate(others, 1) for k, v in state.items()}

    @override
    def restore_random(self, state: Mapping[str, Tensor]) -> None:
        own = f".{self.group.rank}" if self.group.rank else ""
        super().restore_random({k: state[k + own] for k in ("cpu", "cuda") if k + own in state})

    @override
    def _called(self) -> nn.Module:
        # A look takes no gradient of the parameters, so there is nothing to synchronise.
        return self._parallel if self.model.training and torch.is_grad_enabled() else self.model

    @override
    def _most(self, examples: int) -> int:
        return -(-examples // self.group.count)

    @override
    def _exchange(self, *, now: bool) -> AbstractContextManager[None]:
        return nullcontext() if now else self._parallel.no_sync()

    @override
    def _gathered(self, batch: Batch, own: Evidence) -> Evidence:
        assert isinstance(batch, Part)
        tensors = {n: t for n in ("target", "loss", "output", *OPTIONAL) if (t := getattr(own, n)) is not None}
        everyone: dict[str, Any] = self._joined(tensors, batch.own_rows, len(batch))
        return replace(own, index=batch.rows.index, **everyone)

    @override
    def _look_by_input(self, batch: Batch) -> Evidence:
        evidence = super()._look_by_input(batch)
        assert evidence.input_norm is not None
        return replace(evidence, input_norm=self.whole(evidence.input_norm, len(batch)))

    @override
    def _weight(self, batch: Batch, answer: Array) -> Tensor:
        assert isinstance(batch, Part)
        return batch.weight * torch.from_numpy(answer[batch.own_rows] if batch.own else answer[:1]).to(batch.weight.device)

    def _joined(self, own: Mapping[str, Tensor], own_rows: slice, examples: int) -> dict[str, Tensor]:
        """Gather tensors ``(B, ...)`` of the whole batch from all ranks, in one exchange."""
        n = _length(own_rows)
        with self.clock.lap("gather", examples):
            rows = [t[:n].reshape(n, math.prod(t.shape[1:])).contiguous().view(torch.uint8) for t in own.values()]
            widths = [r.shape[1] for r in rows]
            found = self.group.joined(torch.cat(rows, 1), examples).split(widths, 1)
            return {
                name: part.clone(memory_format=torch.contiguous_format).view(t.dtype).view(examples, *t.shape[1:])
                for (name, t), part in zip(own.items(), found, strict=True)
            }
