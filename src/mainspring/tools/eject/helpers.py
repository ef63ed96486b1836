"""Functions that scripts get copies of; nothing here is used in place."""

# mypy: disable-error-code="name-defined, no-untyped-call"

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

ACCUMULATE = 1
DEVICE = "cpu"
SCHEDULES: list[Any] = []


def mix(state: int, word: int) -> int:
    """Take a number into 64 bits: the step of SplitMix64."""
    mask = (1 << 64) - 1
    state = ((state ^ (word & mask)) + 0x9E3779B97F4A7C15) & mask
    state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & mask
    state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & mask
    return state ^ (state >> 31)


def twister_words(key: int, twister: int) -> Any:
    """The 624 words that a Mersenne twister begins with: SplitMix64's numbers from the key on."""
    first = 312 * twister + 1
    steps = np.arange(first, first + 312, dtype=np.uint64)
    state = np.uint64(key) + steps * np.uint64(0x9E3779B97F4A7C15)
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return (state ^ (state >> np.uint64(31))).view(np.uint32)


def to_device(data: Any) -> Any:
    """Move the tensors in a batch to the device."""
    if isinstance(data, dict):
        return {key: to_device(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [to_device(value) for value in data]
    return data.to(DEVICE) if hasattr(data, "to") else data


def listed(items: list[Any]) -> Any:
    """Put items together without stacking them: a dict, or a list, of lists."""
    if isinstance(items[0], dict):
        return {key: listed([item[key] for item in items]) for key in items[0]}
    if isinstance(items[0], tuple | list):
        return [listed(list(column)) for column in zip(*items, strict=True)]
    return items


def total_loss(losses: dict[str, Any]) -> torch.Tensor:
    """The sum of all that is named a loss; of a list, the sum of its means."""
    means: dict[str, Any] = {
        name: sum(item.mean() for item in value) if isinstance(value, list) else value.mean()
        for name, value in losses.items()
    }
    terms = [mean for name, mean in means.items() if "loss" in name]
    total: torch.Tensor = terms[0]
    for term in terms[1:]:
        total = total + term
    return total


def group_size(iteration: int, total: int) -> int:
    """Iterations whose gradients are added up for a step; the last group may be smaller."""
    rest = total % ACCUMULATE
    return rest if iteration >= total - rest else ACCUMULATE


@torch.no_grad()
def average(averaged: nn.Module, model: nn.Module, momentum: float) -> None:
    """Move the averaged weights towards those of the model; buffers are copied."""
    for mean, new in zip(averaged.parameters(), model.parameters(), strict=True):
        mean.lerp_(new, momentum)
    for old, buffer in zip(averaged.buffers(), model.buffers(), strict=True):
        old.copy_(buffer)


def parameter_groups(model: nn.Module, groups: Any) -> list[dict[str, Any]]:
    """The parameters of each group, with its settings."""
    parameters = dict(model.named_parameters())
    return [{"params": [parameters[name] for name in names], **own} for own, names in groups]


def follow_schedules(optimizer: torch.optim.Optimizer, unit: str | None, step: int) -> None:
    """Set what schedules change at a step that is counted in `unit`; at step 0, in both."""
    for counted, name, begin, end, curve in SCHEDULES:
        for group in optimizer.param_groups:
            base = group.setdefault(f"initial_{name}", group[name])
            if unit in (counted, None) and begin <= step < end:
                group[name] = curve(group[name], base, step - begin)
