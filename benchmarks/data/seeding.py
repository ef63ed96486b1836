"""What giving each item its own random numbers costs, and loading without a call for each item.

python benchmarks/data/seeding.py [--items 20000] [--rounds 7]

Microseconds an item: torch's loader, ours, and the difference; medians of interleaved rounds. The
first draw after seeding a Mersenne twister makes its next 624 words, which counts as seeding here.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader as TorchDataLoader
from torch.utils.data import Dataset, TensorDataset

from mainspring.dataset import DataLoader

DRAWS: dict[str, Callable[[], Any]] = {
    "Python": random.random,
    "NumPy": np.random.rand,
    "torch": lambda: torch.rand(()),
}


class Drawing(Dataset[int]):
    """Items that draw one number from each of some generators."""

    def __init__(self, length: int, draws: Iterable[str]) -> None:
        self.length = length
        self.draws = [DRAWS[name] for name in draws]

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> int:
        for draw in self.draws:
            draw()
        return index


def seconds(loader: Iterable[Any]) -> float:
    """How long a pass takes."""
    begin = time.perf_counter()
    for _ in loader:
        pass
    return time.perf_counter() - begin


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--items", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--batch-size", type=int, default=32)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    size = {"batch_size": arguments.batch_size}
    cases: dict[str, tuple[Any, dict[str, Any]]] = {
        "draws nothing": (Drawing(arguments.items, []), size | {"collate_fn": list}),
        **{
            f"draws from {name}": (Drawing(arguments.items, [name]), size | {"collate_fn": list})
            for name in DRAWS
        },
        "draws from all three": (Drawing(arguments.items, DRAWS), size | {"collate_fn": list}),
        "TensorDataset": (TensorDataset(torch.randn(arguments.items, 64)), size),
    }
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in cases}
    for _ in range(arguments.rounds):
        for name, (dataset, options) in cases.items():
            theirs = seconds(TorchDataLoader(dataset, **options))
            ours = seconds(DataLoader(dataset, seed=1, **options))
            times[name].append((theirs, ours))
    print(f"{'us an item':<22}{'torch':>8}{'ours':>8}{'more':>8}")
    for name, pairs in times.items():
        theirs, ours = (
            statistics.median(column) * 1e6 / arguments.items for column in zip(*pairs, strict=True)
        )
        print(f"{name:<22}{theirs:>8.2f}{ours:>8.2f}{ours - theirs:>8.2f}")


if __name__ == "__main__":
    main()
