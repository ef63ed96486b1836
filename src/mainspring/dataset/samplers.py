"""In which order a data set is visited: functions of seed, epoch and position, nothing else."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sized

import torch
from torch.utils.data import Sampler

from mainspring.dist import get_dist_info, sync_random_seed
from mainspring.errors import DataError
from mainspring.registry import DATA_SAMPLERS

__all__ = ["DefaultSampler", "InfiniteSampler"]


@DATA_SAMPLERS.register_module()
class DefaultSampler(Sampler[int]):
    """Visits every sample once an epoch, dealt out over the ranks in turn.

    The order of an epoch is the permutation that a generator seeded with ``seed + epoch`` gives.

    Attributes:
        epoch: Number of the current epoch, set by `set_epoch`.
        num_samples: Samples that this rank gets in an epoch.
        total_size: Samples that all ranks get in an epoch, repeated ones included.

    Args:
        dataset: The data set, or anything with its length.
        shuffle: Whether every epoch has another order.
        seed: Seed of the orders, the same on every rank; ``None`` draws one that all ranks share.
        round_up: Whether samples from the beginning are repeated until every rank has as many.
    """

    def __init__(
        self, dataset: Sized, shuffle: bool = True, seed: int | None = None, round_up: bool = True
    ) -> None:
        self.rank, self.world_size = get_dist_info()
        self.dataset = dataset
        self.shuffle = shuffle
        self.seed = sync_random_seed() if seed is None else seed
        self.epoch = 0
        self.round_up = round_up
        size = len(dataset)
        if round_up:
            self.num_samples = math.ceil(size / self.world_size)
            self.total_size = self.num_samples * self.world_size
        else:
            self.num_samples = math.ceil((size - self.rank) / self.world_size)
            self.total_size = size

    def __iter__(self) -> Iterator[int]:
        size = len(self.dataset)
        if self.shuffle:
            generator = torch.Generator().manual_seed(self.seed + self.epoch)
            indices = torch.randperm(size, generator=generator).tolist()
        else:
            indices = list(range(size))
        if self.round_up and size:
            indices = (indices * (self.total_size // size + 1))[: self.total_size]
        return iter(indices[self.rank : self.total_size : self.world_size])

    def __len__(self) -> int:
        return self.num_samples

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose order the next iteration has.

        Args:
            epoch: Number of the epoch, counted from 0.
        """
        self.epoch = epoch


@DATA_SAMPLERS.register_module()
class InfiniteSampler(Sampler[int]):
    """Visits the samples without end, for training by iteration.

    One generator gives permutation after permutation; the endless stream of them is dealt out over
    the ranks in turn, so a pass through the data may end in the middle of a batch. Every iteration
    starts at the beginning of the stream; `visits` starts anywhere.

    Args:
        dataset: The data set, or anything with its length.
        shuffle: Whether every pass has another order.
        seed: Seed of the orders, the same on every rank; ``None`` draws one that all ranks share.

    Raises:
        DataError: The data set is empty, and its stream would never give anything.
    """

    def __init__(self, dataset: Sized, shuffle: bool = True, seed: int | None = None) -> None:
        self.rank, self.world_size = get_dist_info()
        self.dataset = dataset
        self.shuffle = shuffle
        self.seed = sync_random_seed() if seed is None else seed
        self.size = len(dataset)
        if not self.size:
            raise DataError(f"the data set {type(dataset).__name__} is empty")

    def __iter__(self) -> Iterator[int]:
        return self._indices_of_rank()

    def __len__(self) -> int:
        """Length of the data set, because the stream has none."""
        return self.size

    def set_epoch(self, epoch: int) -> None:
        """Nothing to do: the stream has no epochs. Here because loops call it on every sampler."""

    def visits(self, start: int) -> Iterator[tuple[int, int]]:
        """Pairs (pass, index) of this rank, from a position of its stream on.

        Getting there costs one permutation for each whole pass that is left out, about 5 ms for a
        million samples, and loads nothing.

        Args:
            start: How many visits of this rank to leave out.
        """
        position = self.rank + start * self.world_size
        first_pass, offset = divmod(position, self.size)
        passes = itertools.islice(self._passes(), first_pass, None)
        for number, order in enumerate(passes, first_pass):
            while offset < self.size:
                yield number, order[offset]
                offset += self.world_size
            offset -= self.size

    def _passes(self) -> Iterator[list[int]]:
        generator = torch.Generator().manual_seed(self.seed)
        while True:
            if self.shuffle:
                yield torch.randperm(self.size, generator=generator).tolist()
            else:
                yield list(range(self.size))

    def _infinite_indices(self) -> Iterator[int]:
        return itertools.chain.from_iterable(self._passes())

    def _indices_of_rank(self) -> Iterator[int]:
        return itertools.islice(self._infinite_indices(), self.rank, None, self.world_size)
