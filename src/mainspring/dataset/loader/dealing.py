"""How the items of a loader are dealt out over the ranks of a run.

A loader that knows nothing of ranks gives all of them the same items. Torch's own samplers are
therefore replaced by ones that deal their order out; one that nobody knows is refused if it gives
every rank the same indices. What has no indices is compared when its first batches are there.
"""

from __future__ import annotations

import copy
import hashlib
import itertools
import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.utils.data import (
    BatchSampler,
    DistributedSampler,
    IterableDataset,
    RandomSampler,
    SequentialSampler,
    SubsetRandomSampler,
    WeightedRandomSampler,
)
from torch.utils.data import DataLoader as TorchDataLoader

from mainspring.dataset.any_loader import length_of
from mainspring.dataset.loader.data_loader import DataLoader
from mainspring.dataset.order.samplers import DealtOrder, DefaultSampler, InfiniteSampler
from mainspring.dataset.order.token_batches import TokenBudgetBatchSampler
from mainspring.dist import all_gather_object, all_reduce, get_world_size
from mainspring.errors import ConfigError
from mainspring.logging import print_log, warn
from mainspring.rng.states import quiet_generators
from mainspring.structures.nested import tensors_in

__all__ = [
    "comparing_ranks",
    "dealt_out",
    "every_item_once",
    "require_equal_batches",
    "unequal_batches",
    "until_one_ends",
]

_LOOKED_AT = 64
"""Indices (or batches of them) by which samplers of different ranks are compared."""
_OVER = object()
_DEAL = "take every get_world_size()-th from the get_rank()-th on (both from mainspring.dist)"


def dealt_out(loader: Any, seed: int, section: str) -> Any:
    """A loader whose items are dealt out over the ranks (all ranks).

    Args:
        loader: A loader, ours or torch's. Of torch's a copy is returned, so that whoever made it
            still has the whole data.
        seed: Seed of the order, the same on all ranks.
        section: Where the config describes it, for messages.

    Raises:
        ConfigError: Its sampler would give the same items to all ranks.
    """
    is_map = isinstance(loader, TorchDataLoader) and not isinstance(loader.dataset, IterableDataset)
    if get_world_size() == 1 or not is_map:
        return loader
    batches = loader.batch_sampler
    if type(batches) is BatchSampler:
        sampler: Any = batches.sampler
    else:
        sampler = loader.sampler if batches is None else batches
    deals = isinstance(sampler, DefaultSampler | InfiniteSampler | DistributedSampler)
    if deals or isinstance(sampler, TokenBudgetBatchSampler):
        return loader
    kind = type(sampler)
    if kind is SequentialSampler or (kind is RandomSampler and sampler._num_samples is None):
        if kind is RandomSampler and sampler.replacement:
            dealt: DefaultSampler = DealtOrder(sampler, seed)
        else:
            dealt = DefaultSampler(sampler.data_source, kind is RandomSampler, seed)
    elif kind in (RandomSampler, SubsetRandomSampler, WeightedRandomSampler):
        dealt = DealtOrder(sampler, seed)
    else:
        _refuse_same_indices(sampler, loader.dataset, section)
        return loader
    print_log(
        f"{section}: the order of {kind.__name__} is dealt out over the {get_world_size()} ranks; "
        f"each takes batches of {loader.batch_size}",
        logger="current",
    )
    return _with_sampler(loader, dealt)


def _with_sampler(loader: TorchDataLoader[Any], sampler: DefaultSampler) -> TorchDataLoader[Any]:
    # Torch forbids to assign what is assigned here.
    if isinstance(loader, DataLoader):
        loader.use_sampler(sampler)
        return loader
    loader = copy.copy(loader)
    loader.__dict__["sampler"] = sampler
    if loader.batch_sampler is not None:
        batches = BatchSampler(sampler, loader.batch_size or 1, loader.drop_last)
        loader.__dict__["batch_sampler"] = batches
    return loader


def _refuse_same_indices(sampler: Any, dataset: Any, section: str) -> None:
    first = all_gather_object(_first_indices(sampler, dataset))
    if first[0] and all(other == first[0] for other in first):
        raise ConfigError(
            f"{type(sampler).__name__} gives each rank the same items: all "
            f"{get_world_size()} ranks would work on the same data",
            config_path=section,
            help=f"let the sampler deal its order out: {_DEAL}; or use a DistributedSampler, or "
            "mainspring.dataset.DataLoader with shuffle=..., which do so",
        )


def _first_indices(sampler: Any, dataset: Any) -> list[Any]:
    """What a sampler begins with, asked of a copy and without a trace in the generators."""
    with quiet_generators():
        torch.default_generator.manual_seed(0)
        try:
            copied = copy.deepcopy(sampler, {id(dataset): dataset})
            return [_plain(item) for item in itertools.islice(copied, _LOOKED_AT)]
        except Exception:  # noqa: BLE001 - what fails in a copy fails, or does not, where it is used
            return []


def _plain(indices: Any) -> Any:
    return list(indices) if isinstance(indices, Iterable) else indices


@contextmanager
def every_item_once(loader: Any) -> Iterator[Any]:
    """Let samplers leave out the items that they repeat to give every rank as many.

    The ranks may then have different numbers of batches.

    Args:
        loader: The loader; in the block, what the context manager gives is to be iterated.
    """
    sampler: Any = getattr(loader, "sampler", None)
    inner: Any = getattr(getattr(loader, "batch_sampler", None), "sampler", sampler)
    items, world_size = length_of(getattr(inner, "dataset", None)) or 0, get_world_size()
    changed: dict[str, Any] = {}
    if isinstance(inner, DefaultSampler) and inner.round_up:
        changed = {"round_up": False}
    elif type(inner) is DistributedSampler and not inner.drop_last:
        own = math.ceil((items - inner.rank) / inner.num_replicas)
        changed = {"num_samples": own, "total_size": items}
    if world_size == 1 or not changed:
        yield loader
        return
    kept = {name: getattr(inner, name) for name in changed}
    for name, value in changed.items():
        setattr(inner, name, value)
    try:
        yield loader if inner.rank < items else ()
    finally:
        for name, value in kept.items():
            setattr(inner, name, value)


def unequal_batches(loader: Any) -> str | None:
    """How the numbers of batches differ between the ranks, if they do (all ranks).

    Args:
        loader: The loader.
    """
    if get_world_size() == 1:
        return None
    lengths = all_gather_object(length_of(loader))
    other = next((rank for rank, length in enumerate(lengths) if length != lengths[0]), None)
    return None if other is None else f"{lengths[0]} on rank 0, {lengths[other]} on rank {other}"


def require_equal_batches(loader: Any, section: str) -> None:
    """Refuse a loader that has different numbers of batches on different ranks (all ranks).

    Args:
        loader: The loader.
        section: Where the config describes it.

    Raises:
        ConfigError: The numbers differ.
    """
    numbers = unequal_batches(loader)
    if numbers is not None:
        raise ConfigError(
            f"{section} has different numbers of batches: {numbers}; the ranks would wait for "
            "each other for ever",
            config_path=section,
            help="let every rank have as many: leave the last ones out or repeat the first",
        )


def until_one_ends(batches: Iterable[Any], section: str) -> Iterator[Any]:
    """The batches of a stream for as long as every rank has one (all ranks).

    Whether all have is asked before each batch, of all ranks: a rank that trains alone waits for
    the gradients of the others.

    Args:
        batches: What this rank has of a pass.
        section: Where the config describes it.
    """
    own = iter(batches)
    for given in itertools.count():
        batch = next(own, _OVER)
        all_have_one = torch.tensor(int(batch is not _OVER))
        all_reduce(all_have_one, "min")
        if all_have_one:
            yield batch
            continue
        over = all_gather_object(batch is _OVER)
        if not all(over):
            warn(
                f"{section}: the streams of the ranks differ in length: {given} batches on rank "
                f"{over.index(True)}, at least {given + 1} on rank {over.index(False)}. The epoch "
                "ends with the shortest, and what the others have left is not trained on"
            )
        return


def comparing_ranks(batches: Iterable[Any], loader: Any, section: str) -> Iterable[Any]:
    """Say if all ranks were given the same first batch by a loader without indices (all ranks).

    Args:
        batches: What is to be iterated once.
        loader: Where it comes from.
        section: Where the config describes it.

    Returns:
        The same batches.
    """
    has_indices = isinstance(loader, TorchDataLoader) and not isinstance(
        loader.dataset, IterableDataset
    )
    if get_world_size() == 1 or has_indices:
        return batches
    batches = iter(batches)
    first = list(itertools.islice(batches, 1))
    digests = all_gather_object(_digest(first))
    if digests[0] is not None and all(digest == digests[0] for digest in digests):
        what = type(getattr(loader, "dataset", loader)).__name__
        warn(
            f"{section}: all ranks were given the same first batch by {what}. If each rank reads "
            f"the same data, they are used {get_world_size()} times: {_DEAL}"
        )
    return itertools.chain(first, batches)


def _digest(first: list[Any]) -> str | None:
    """What two batches with equal tensors share; ``None`` if there is none."""
    if not first:
        return None
    digest = hashlib.sha256()
    tensors = [tensor for tensor in tensors_in(first) if tensor.layout == torch.strided]
    for tensor in tensors:
        plain = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
        digest.update(plain.numpy().data)
    return digest.hexdigest() if tensors else repr(first)
