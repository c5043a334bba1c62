"""Cost of drawing an epoch of ten million examples: CPU seconds, and bytes per example beyond the ledger's columns."""

from __future__ import annotations

import argparse
import time
import tracemalloc
from collections.abc import Callable
from statistics import median

import numpy as np
import torch

from benchmarks.common import save
from components.evidence.ledger import Ledger, LogitMemory
from components.rng import stream
from components.selection.draw.balanced import Balanced
from components.selection.draw.clean import Clean
from components.selection.draw.importance import Importance
from components.selection.draw.infobatch import InfoBatch
from components.selection.draw.uniform import Uniform
from components.selection.selector import Epoch, Selector

#: Examples that LeNet trains on per CPU second: an epoch's assumed length, for a small model.
LENET = 8_000
CLASSES = 10
TARGETS = {"bytes": 40.0, "share": 0.01}


def ledger_of(rows: int) -> Ledger:
    """Return a ledger of ``rows`` examples of ten classes, each seen twice, with a tenth of the labels contradicted."""
    rng = np.random.default_rng(0)
    target = rng.integers(0, CLASSES, rows)
    norm = rng.gamma(0.4, size=rows).astype(np.float32)
    margin = np.clip(norm - 1.2, -1, 1)
    held = {"gradient_norm": norm, "loss": norm, "margin": margin, "margin_mean": margin}
    ledger = Ledger(rows, LogitMemory(torch.zeros(rows, 1), 1), target=target)
    counts = {"seen": 2, "drawn": 2, "predicted": 0}
    ledger.columns |= {name: torch.from_numpy(values) for name, values in held.items()}
    ledger.columns |= {name: torch.full((rows,), value, dtype=torch.int32) for name, value in counts.items()}
    ledger.columns["predicted"] = torch.from_numpy(np.where(margin > 0, (target + 1) % CLASSES, target).astype(np.int32))
    return ledger


def draw(selector: Selector, ledger: Ledger, *, traced: bool) -> float:
    """Return the CPU seconds of a review and a draw, or with ``traced`` the peak bytes per example."""
    epoch = Epoch(2, 10)
    if traced:
        tracemalloc.start()
    begun = time.process_time()
    selector.review(epoch, ledger, stream(0, "review"))
    selector.draw(epoch, ledger, stream(0, "draw"))
    spent = time.process_time() - begun
    if not traced:
        return spent
    peak = tracemalloc.get_traced_memory()[1] / len(ledger)
    tracemalloc.stop()
    return peak


def main() -> None:
    """Measure every method that draws by the ledger, in turns."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10**7)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    ledger = ledger_of(given.rows)
    made: dict[str, Callable[[], Selector]] = {
        "uniform": lambda: Uniform(0.3),
        "importance": lambda: Importance(0.35),
        "clean": Clean,
        "balanced": lambda: Balanced(0.3),
        "balanced, inside by importance": lambda: Balanced(0.3, inside="importance"),
        "infobatch": InfoBatch,
    }
    spent: dict[str, list[float]] = {name: [] for name in made}
    for _ in range(given.rounds):
        for name, make in made.items():
            spent[name].append(draw(make(), ledger, traced=False))
    table = {}
    for name, make in made.items():
        seconds = median(spent[name])
        held = draw(make(), ledger, traced=True)
        table[name] = {"cpu_seconds": seconds, "bytes": held, "share": seconds * LENET / given.rows, "runs": spent[name]}
    save("draws", {"rows": given.rows, "targets": TARGETS, "medians": table})


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
