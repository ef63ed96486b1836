"""In which order a data set is visited: functions of seed, epoch and position, nothing else."""

from __future__ import annotations

import copy
import itertools
import math
from collections.abc import Iterator, Sized
from typing import Any

import torch
from torch.utils.data import Sampler

from mainspring.dist import (
    broadcast_object_list,
    get_dist_info,
    sync_random_seed,
)
from mainspring.errors import ArgumentValueError, DataError
from mainspring.registry import DATA_SAMPLERS

__all__ = ["DealtOrder", "DefaultSampler", "InfiniteSampler"]


class _OfRank(Sampler[int]):
    """A sampler that deals a common order out over the ranks.

    It asks which rank this is when it is used: a sampler may be made before the processes of a run
    know of each other.
    """

    _rank: int | None = None
    _world_size: int | None = None
    _drew_alone = False
    seed: int

    def _take_seed(self, seed: int | None) -> None:
        self._drew_alone = seed is None and get_dist_info()[1] == 1
        self.seed = sync_random_seed() if seed is None else seed

    def _common_seed(self) -> int:
        """The seed that all ranks have, also if it was drawn before they knew of each other."""
        if self._drew_alone and self.world_size > 1:
            shared = [self.seed]
            broadcast_object_list(shared)
            self._take_seed(shared[0])
        return self.seed

    @property
    def rank(self) -> int:
        """Number of this process."""
        return get_dist_info()[0] if self._rank is None else self._rank

    @rank.setter
    def rank(self, value: int) -> None:
        self._rank = value

    @property
    def world_size(self) -> int:
        """Number of processes that the order is dealt out over."""
        return get_dist_info()[1] if self._world_size is None else self._world_size

    @world_size.setter
    def world_size(self, value: int) -> None:
        self._world_size = value


@DATA_SAMPLERS.register_module()
class DefaultSampler(_OfRank):
    """Visits every sample once an epoch, dealt out over the ranks in turn.

    The order of an epoch is the permutation that a generator seeded with ``seed + epoch`` gives.

    Attributes:
        epoch: Number of the current epoch, set by `set_epoch`.

    Args:
        dataset: The data set, or anything with its length.
        shuffle: Whether every epoch has another order.
        seed: Seed of the orders, the same on every rank; ``None`` draws one that all ranks share.
        round_up: Whether samples from the beginning are repeated until every rank has as many.

    Example:
        >>> list(DefaultSampler(range(4), shuffle=False))
        [0, 1, 2, 3]
        >>> sampler = DefaultSampler(range(4), seed=0)
        >>> first = list(sampler)
        >>> sampler.set_epoch(1)
        >>> sorted(sampler) == sorted(first), list(sampler) == first
        (True, False)
    """

    def __init__(
        self, dataset: Sized, shuffle: bool = True, seed: int | None = None, round_up: bool = True
    ) -> None:
        self.dataset = dataset
        self.shuffle = shuffle
        self._take_seed(seed)
        self.epoch = 0
        self.round_up = round_up

    @property
    def num_samples(self) -> int:
        """Samples that this rank gets in an epoch."""
        first = 0 if self.round_up else self.rank
        return math.ceil((len(self.dataset) - first) / self.world_size)

    @property
    def total_size(self) -> int:
        """Samples that all ranks get in an epoch, repeated ones included."""
        return self.num_samples * self.world_size if self.round_up else len(self.dataset)

    def __iter__(self) -> Iterator[int]:
        size = len(self.dataset)
        if self.shuffle:
            indices = torch.randperm(
                size, generator=self._generator_of_epoch(), device="cpu"
            ).tolist()
        else:
            indices = list(range(size))
        return self._dealt(indices)

    def _generator_of_epoch(self) -> torch.Generator:
        return torch.Generator().manual_seed(self._common_seed() + self.epoch)

    def _dealt(self, indices: list[int]) -> Iterator[int]:
        size = len(indices)
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


class DealtOrder(DefaultSampler):
    """Deals out over the ranks, in turn, what a sampler of torch's draws once for all of them.

    Args:
        sampler: A sampler with a ``generator``, which is replaced by one of seed and epoch.
        seed: Seed of the orders, the same on every rank.
    """

    dataset: Any

    def __init__(self, sampler: Any, seed: int) -> None:
        super().__init__(copy.copy(sampler), seed=seed)

    def __iter__(self) -> Iterator[int]:
        self.dataset.generator = self._generator_of_epoch()
        return self._dealt(list(self.dataset))


@DATA_SAMPLERS.register_module()
class InfiniteSampler(_OfRank):
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

    Example:
        >>> from itertools import islice
        >>> list(islice(InfiniteSampler(range(3), shuffle=False), 7))
        [0, 1, 2, 0, 1, 2, 0]
    """

    def __init__(self, dataset: Sized, shuffle: bool = True, seed: int | None = None) -> None:
        self.dataset = dataset
        self.shuffle = shuffle
        self._take_seed(seed)
        self.size = len(dataset)
        if not self.size:
            raise DataError(f"the data set {type(dataset).__name__} is empty")
        self._skipped = 0

    def __iter__(self) -> Iterator[int]:
        return itertools.islice(self._indices_of_rank(), self._skipped, None)

    def __len__(self) -> int:
        """Length of the data set, because the stream has none."""
        return self.size

    def skip(self, num_samples: int) -> None:
        """Let the stream begin later, for loops that find their place in it themselves.

        Args:
            num_samples: How many visits of this rank to leave out, counted from the beginning.

        Raises:
            ArgumentValueError: It is negative.
        """
        if num_samples < 0:
            raise ArgumentValueError(f"num_samples is {num_samples}, which is negative")
        self._skipped = num_samples

    def set_epoch(self, epoch: int) -> None:
        """Nothing to do: the stream has no epochs. Here because loops call it on every sampler."""

    def visits(self, start: int) -> Iterator[tuple[int, int]]:
        """Pairs (pass, index) of this rank, from a position of its stream on.

        Getting there costs one permutation for each whole pass that is left out, about 5 ms for a
        million samples, and loads nothing.

        Args:
            start: How many visits of this rank to leave out.
        """
        position = self.rank + (self._skipped + start) * self.world_size
        first_pass, offset = divmod(position, self.size)
        passes = itertools.islice(self._passes(), first_pass, None)
        for number, order in enumerate(passes, first_pass):
            while offset < self.size:
                yield number, order[offset]
                offset += self.world_size
            offset -= self.size

    def _passes(self) -> Iterator[list[int]]:
        generator = torch.Generator().manual_seed(self._common_seed())
        while True:
            if self.shuffle:
                yield torch.randperm(self.size, generator=generator, device="cpu").tolist()
            else:
                yield list(range(self.size))

    def _infinite_indices(self) -> Iterator[int]:
        return itertools.chain.from_iterable(self._passes())

    def _indices_of_rank(self) -> Iterator[int]:
        return itertools.islice(self._infinite_indices(), self.rank, None, self.world_size)
