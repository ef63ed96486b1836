"""Batches of items of alike length, as many as fit into a budget of tokens."""

from __future__ import annotations

import copy
import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch.utils.data import Sampler

from mainspring.dataset.order.samplers import DefaultSampler
from mainspring.errors import ConfigError
from mainspring.registry import DATA_SAMPLERS
from mainspring.rng.item_seeds import mix

__all__ = ["TokenBudgetBatchSampler"]


@DATA_SAMPLERS.register_module()
class TokenBudgetBatchSampler(Sampler[list[int]]):
    """Gives batches whose items, padded to the longest of them, have at most so many tokens.

    Items whose lengths differ by little are drawn into batches anew each epoch; of these, the order
    is drawn as well. Every item comes once an epoch, each epoch has as many batches, and so has
    each rank; batches that the ranks compute at the same time are of alike length. All of it is a
    function of the sampler's seed and epoch, so that a run goes on in the middle of an epoch.

    With another number of ranks the batches are others: a run that is resumed with one goes on at
    the same share of the epoch.

    Args:
        sampler: Says the data set, whether to shuffle, and the seed; loaders give theirs.
        batch_size: Left at 1, which loaders give: how many items a batch has follows from the rest.
        max_tokens: The most tokens of a batch, those of the padding included.
        lengths: Tokens of each item, or a function of the data set that gives them; by default what
            the data set has as ``lengths``.
        max_items: The most items of a batch; any number by default.
        tolerance: Share by which lengths may differ that count as alike. 0 pads least, and draws
            only items of equal length anew.

    Raises:
        ConfigError: An argument makes no sense, or an item has more tokens than the budget.

    Example:
        >>> sampler = DefaultSampler(range(5), shuffle=False)
        >>> lengths = [2, 9, 3, 10, 2]
        >>> list(TokenBudgetBatchSampler(sampler, max_tokens=20, lengths=lengths))
        [[3, 1], [2, 0, 4]]
    """

    def __init__(
        self,
        sampler: Any,
        batch_size: int = 1,
        *,
        max_tokens: int,
        lengths: Sequence[int] | Callable[[Any], Sequence[int]] | None = None,
        max_items: int | None = None,
        tolerance: float = 0.1,
    ) -> None:
        if not isinstance(sampler, DefaultSampler):
            raise ConfigError(
                f"TokenBudgetBatchSampler deals batches out itself, and {type(sampler).__name__} "
                "gives indices only",
                help="leave sampler out and say shuffle=True, or give a DefaultSampler",
            )
        if batch_size != 1:
            raise ConfigError(
                f"batch_size={batch_size} beside max_tokens, which says how large batches are",
                help=f"leave batch_size out, or say max_items={batch_size}",
            )
        for name, value, least in (("max_items", max_items, 1), ("tolerance", tolerance, 0)):
            if value is not None and not value >= least:
                raise ConfigError(f"{name} is {value!r}", help=f"give at least {least}")
        self.sampler = sampler
        self.max_tokens = max_tokens
        self.max_items = max_items or math.inf
        self._levels, bounds = self._levels_of(_lengths_of(sampler.dataset, lengths), tolerance)
        self._sizes = list(self._cut(bounds))

    def _levels_of(self, lengths: list[int], tolerance: float) -> tuple[torch.Tensor, list[int]]:
        """A number for each item, equal for those of alike length, and the greatest length alike.

        The numbers rise, and the greatest lengths fall, from the longest items to the shortest.
        """
        longest = max(lengths)
        if longest > self.max_tokens:
            raise ConfigError(
                f"item {lengths.index(longest)} has {longest} tokens, more than "
                f"max_tokens={self.max_tokens}",
                help="raise max_tokens, or cut or leave out such items",
            )
        levels: dict[int, int] = {}
        bounds: dict[int, int] = {}
        bound = math.inf
        for length in sorted(set(lengths), reverse=True):
            bound = bound if length * (1 + tolerance) >= bound else length
            levels[length], bounds[length] = -int(bound), int(bound)
        of_items = torch.tensor([levels[length] for length in lengths], device="cpu")
        return of_items, sorted((bounds[length] for length in lengths), reverse=True)

    def _cut(self, bounds: list[int]) -> Iterator[int]:
        """Sizes of batches, of items from the longest to the shortest."""
        done = 0
        while done < len(bounds):
            size = min(self.max_tokens // max(bounds[done], 1), self.max_items, len(bounds) - done)
            yield int(size)
            done += int(size)

    def _sizes_for(self, ranks: int) -> list[int]:
        """Sizes of batches, the largest halved until each rank has as many of them."""
        sizes = list(self._sizes)
        while len(sizes) % ranks and max(sizes) > 1:
            largest = sizes.index(max(sizes))
            sizes[largest : largest + 1] = [-(-sizes[largest] // 2), sizes[largest] // 2]
        return sizes

    def _batches(self) -> list[list[list[int]]]:
        """The batches of an epoch, those of all ranks side by side."""
        seed = mix(self.sampler._common_seed(), self.sampler.epoch)
        ranks, order = self.sampler.world_size, copy.copy(self.sampler)
        order.rank, order.world_size = 0, 1
        indices = torch.tensor(list(order), device="cpu")
        indices = indices[torch.argsort(self._levels[indices], stable=True)]
        batches = [part.tolist() for part in torch.split(indices, self._sizes_for(ranks))]
        if self.sampler.round_up:  # batches of one item each may not divide
            batches += list(itertools.islice(itertools.cycle(batches), -len(batches) % ranks))
        together = [batches[first : first + ranks] for first in range(0, len(batches), ranks)]
        if not self.sampler.shuffle:
            return together
        generator = torch.Generator().manual_seed(seed % 2**63)
        turns = torch.randperm(len(together), generator=generator, device="cpu")
        return [together[i] for i in turns.tolist()]

    def __iter__(self) -> Iterator[list[int]]:
        rank = self.sampler.rank
        return (batches[rank] for batches in self._batches() if rank < len(batches))

    def __len__(self) -> int:
        ranks = self.sampler.world_size
        return math.ceil(len(self._sizes_for(ranks)) / ranks)

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch that the next iteration has.

        Args:
            epoch: Number of the epoch, counted from 0.
        """
        self.sampler.set_epoch(epoch)


def _lengths_of(dataset: Any, given: Any) -> list[int]:
    """The length of each item."""
    found: Any = getattr(dataset, "lengths", None) if given is None else given
    found = found(*(() if given is None else (dataset,))) if callable(found) else found
    if found is None:
        raise ConfigError(
            f"{type(dataset).__name__} has no lengths",
            help="give it an attribute lengths, or say lengths=, a list or a function of the data "
            "set",
        )
    lengths = [int(length) for length in found]
    if len(lengths) != len(dataset):
        raise ConfigError(
            f"there are {len(lengths)} lengths for the {len(dataset)} items of "
            f"{type(dataset).__name__}"
        )
    if not lengths or min(lengths) < 0:
        raise ConfigError(f"{type(dataset).__name__} has no items, or a length below 0")
    return lengths
