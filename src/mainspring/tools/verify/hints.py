"""What may be behind a difference, and what to change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mainspring.tools.verify.first_difference import Difference
from mainspring.tools.verify.observation import Observation

__all__ = ["on_accumulation", "on_loading", "on_ranks", "on_resuming", "on_seed", "on_workers"]

_ITEMS = "an item may depend on its index and on the generators of random, numpy and torch only"


def on_seed(found: Sequence[Difference], device: str) -> str:
    """Why the same training twice differs.

    Args:
        found: What differs.
        device: Kind of the device of the model.
    """
    if found[0].is_batch:
        return f"the data differs: {_ITEMS}, not on the time, hashes or generators of its own"
    if device != "cpu":
        return "non-deterministic kernels: set randomness=dict(deterministic=True)"
    return (
        "the batches are equal, so the model or a hook depends on something else: the time, the "
        "order of a set, a generator of its own, or the number of threads"
    )


def on_resuming(found: Sequence[Difference], seed_is_broken: bool) -> str:
    """Why a training that went on differs from one that was left alone.

    Args:
        found: What differs.
        seed_is_broken: Whether two trainings that are left alone differ as well.
    """
    if seed_is_broken:
        return "two trainings that nothing interrupts differ already: see same-seed"
    first = found[0]
    if first.is_batch:
        return f"the data differs: {_ITEMS}, not on what was loaded before it (a counter, a cache)"
    if first.name.split()[0] in ("optimizer", "param_scheduler"):
        return (
            "the checkpoint holds no such state: leave save_optimizer and save_param_scheduler on"
        )
    return (
        "the batches are equal, so training has changed something that no state_dict holds: keep "
        "it in a buffer (register_buffer), or give its hook a state_dict and a load_state_dict"
    )


def on_loading(found: Sequence[Difference]) -> str:
    """Why a model that was loaded differs.

    Args:
        found: What differs.
    """
    if found[0].name.startswith("weight "):
        return "loading changes the weights: look at the model's load_state_dict and its hooks"
    return (
        "the weights are equal and the outputs are not: the model keeps something that its "
        "state_dict does not hold, such as an attribute or a buffer with persistent=False"
    )


def on_workers(none: Observation, some: Observation) -> str:
    """Why workers load other batches.

    Args:
        none: The batches without workers.
        some: Those with workers.
    """
    without, with_workers = ([entry.value for entry in side.log] for side in (none, some))
    if len(with_workers) > len(without) or _repeats(with_workers) > _repeats(without):
        return (
            "workers give items twice: an iterable data set must leave out what other workers "
            "give, see torch.utils.data.get_worker_info"
        )
    return (
        f"{_ITEMS}, not on the worker or on what was loaded before; with sample_rng='worker', "
        "torch's own DataLoader or an iterable data set, random numbers belong to the workers: use "
        "mainspring.dataset.DataLoader"
    )


def _repeats(values: Sequence[Any]) -> int:
    return len(values) - len(set(values))


def on_accumulation(facts: Mapping[str, Any], ratio: float) -> str:
    """Why two half batches differ from a whole one.

    Args:
        facts: What the trial said about the model.
        ratio: Norm of the gradients of the halves over that of the whole.
    """
    norms = facts["batch_norms"]
    if norms:
        return (
            f"BatchNorm in training mode ({_some(norms)}) normalises by the samples of each half: "
            "use GroupNorm or LayerNorm, or accept it"
        )
    if abs(ratio - 0.5) < 0.01:
        return (
            "the loss is a sum over the batch: return the mean over its samples; or all that "
            "counts lies in one half: return a NormalizedLoss"
        )
    return (
        "the loss is not a mean over the samples, but over something of which the halves have "
        "unequal numbers, such as valid tokens: return a NormalizedLoss with that number"
    )


def on_ranks(facts: Mapping[str, Any], is_batch: bool, seed_is_broken: bool) -> str:
    """Why two ranks differ from one.

    Args:
        facts: What the trial said about the model.
        is_batch: Whether the samples differ already.
        seed_is_broken: Whether two trainings on one rank differ as well.
    """
    if is_batch and seed_is_broken:
        return "two trainings on one rank differ already: see same-seed"
    if is_batch:
        return (
            "the ranks do not share out the batches of one: use mainspring.dataset.DataLoader with "
            "DefaultSampler (shuffle=True), sample_rng='sample' and diff_rank_seed=False; and "
            f"{_ITEMS}"
        )
    norms = facts["batch_norms"]
    if norms:
        return (
            f"BatchNorm ({_some(norms)}) normalises by the samples of each rank: set "
            "sync_bn='torch', or use GroupNorm"
        )
    return (
        "the loss of a rank is not the mean over its samples: return a NormalizedLoss; and nothing "
        "may depend on the rank"
    )


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:2])
    return f"{shown} and {len(names) - 2} more" if len(names) > 2 else shown
