"""What an engine is asked to do, the same for all of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

Loss = Callable[[Tensor, Tensor], Tensor]
SCALARS = 10


class UnsupportedError(Exception):
    """An engine cannot do a job; the message says why."""


class _Unsampled:
    """Stands for the batch sampler that some engines look into."""

    sampler = None


_TIMES: dict[int, list[float]] = {}


class Batches:
    """Batches in memory that note the time at which each one is asked for.

    The time between two requests is an iteration, whatever an engine does in between, so that no
    engine needs a callback of ours. Each pass starts anew.

    Args:
        batches: The batches; repeated until `count` are given.
        count: Batches of a pass.
    """

    def __init__(self, batches: Sequence[Any], count: int) -> None:
        self.batches = batches
        self.count = count
        self.dataset = range(count * len(batches[0][1]))
        self.sampler = None
        self.batch_sampler = _Unsampled()
        self.batch_size = len(batches[0][1])
        self.num_workers = 0

    @property
    def asked(self) -> list[float]:
        """When each batch was asked for; no attribute, which an engine might resume."""
        return _TIMES.setdefault(id(self), [])

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[Any]:
        batches, number, note, now = self.batches, len(self.batches), self.asked, time.perf_counter
        for index in range(self.count):
            note.append(now())
            yield batches[index % number]
        note.append(now())


@dataclass
class Job:
    """A training, and what is wanted around it.

    Attributes:
        net: The network; trained in place.
        loss: The loss of outputs and targets.
        train: Batches of inputs and targets, a pass at a time.
        work_dir: Where the engine may write.
        iterations: Length of the training in iterations; of one pass at most, unless `epochs`.
        epochs: Length in passes, instead.
        learning_rate: Of AdamW, which every engine uses with the defaults of torch.
        lean: Whether progress, logger and checkpoints are off; otherwise they are as the engine
            has them without being asked.
        scalars: Whether to log `SCALARS` scalars at every iteration.
        validation: Batches to compute the accuracy on, after every epoch.
        save_at: Write a checkpoint after this iteration.
        save_epochs: Write a checkpoint after every epoch.
        resume: Continue from the checkpoint in `work_dir`.
        stop_at: End after this iteration, as if interrupted, though `iterations` is larger.
        distributed: Whether this is one of several processes, as `torchrun` starts them.
        variant: Another way to use the engine, such as ``"compiled"``.
        loader: Makes the training data out of keyword arguments of torch's `DataLoader`, for
            engines that have a loader of their own; `train` is torch's otherwise.
    """

    net: nn.Module
    loss: Loss
    train: Iterable[Any]
    work_dir: Path
    iterations: int | None = None
    epochs: int | None = None
    learning_rate: float = 1e-3
    lean: bool = False
    scalars: bool = False
    validation: Iterable[Any] | None = None
    save_at: int | None = None
    save_epochs: bool = False
    resume: bool = False
    stop_at: int | None = None
    distributed: bool = False
    variant: str = ""
    loader: dict[str, Any] | None = None
    notes: dict[str, float] = field(default_factory=dict)

    def optimizer(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        """AdamW as torch makes it."""
        return torch.optim.AdamW(parameters, lr=self.learning_rate)


def scalars_of(loss: Tensor) -> dict[str, Tensor]:
    """The scalars of an iteration that are to be logged."""
    loss = loss.detach()
    return {f"scalar_{index}": loss * index for index in range(SCALARS)}


def correct(outputs: Tensor, targets: Tensor) -> int:
    """How many samples are classified right."""
    return int((outputs.argmax(1) == targets).sum())
