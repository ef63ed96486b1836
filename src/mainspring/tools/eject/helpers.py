"""Functions that scripts get copies of; nothing here is used in place."""

# mypy: disable-error-code="name-defined, no-untyped-call"

from __future__ import annotations

import contextlib
import fnmatch
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

ACCUMULATE = 1
DEVICE = "cpu"


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


def total_loss(losses: dict[str, Any]) -> Any:
    """The sum of all that is named a loss; of a list, the sum of its means."""
    named = [value for name, value in losses.items() if "loss" in name]
    several = [value if isinstance(value, list) else [value] for value in named]
    return sum(sum(item.mean() for item in value) for value in several)


def fitting(weights: dict[str, Tensor], model: nn.Module) -> dict[str, Tensor]:
    """Those of some weights that a model has a place for; the rest of it begins anew."""
    shapes = {name: own.shape for name, own in model.state_dict().items()}
    return {name: each for name, each in weights.items() if shapes.get(name) == each.shape}


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
    """The parameters of each group, with its settings: those that the patterns fit."""
    parameters, found = dict(model.named_parameters()), []
    for own, patterns in groups:
        names = [n for n in parameters if any(fnmatch.fnmatchcase(n, each) for each in patterns)]
        found.append({"params": [parameters.pop(name) for name in names], **own})
    return found


class Updates:
    """An optimizer, as the model's `train_step` uses it."""

    def __init__(self, optimizer: torch.optim.Optimizer) -> None:
        self.optimizer = optimizer

    def update_params(self, loss: Tensor) -> None:
        """Make a step against a loss."""
        self.backward(loss)
        self.step()
        self.zero_grad()

    def backward(self, loss: Tensor) -> None:
        """Compute gradients."""
        loss.backward()

    def step(self) -> None:
        """Change the parameters."""
        self.optimizer.step()

    def zero_grad(self) -> None:
        """Clear gradients."""
        self.optimizer.zero_grad()

    def optim_context(self, model: nn.Module) -> Any:
        """What forward runs under: nothing."""
        return contextlib.nullcontext()


class ClippedUpdates(Updates):
    """The same, with gradients that are clipped first."""

    def __init__(self, optimizer: torch.optim.Optimizer, clip: Callable[..., Any]) -> None:
        super().__init__(optimizer)
        self.clip = clip

    def step(self) -> None:
        """Clip gradients, and change the parameters."""
        groups = self.optimizer.param_groups
        self.clip([p for group in groups for p in group["params"] if p.grad is not None])
        self.optimizer.step()


class Patience:
    """Tells when a metric has not improved by `delta` for a number of validations."""

    def __init__(self, patience: int, delta: float, sign: int, enough: float = math.inf) -> None:
        self.patience, self.delta, self.sign, self.enough = patience, delta, sign, enough
        self.best, self.waited = -math.inf, 0

    def is_over(self, score: float) -> bool:
        """Whether to stop, for a new score; the sign is -1 where less is better."""
        score *= self.sign
        if score > self.best and score >= self.best + self.delta:
            self.best, self.waited = score, 0
        else:
            self.waited += 1
        return self.waited >= self.patience or score > self.enough or not math.isfinite(score)


def count_right(scores: Tensor, targets: Tensor, topk: tuple[int, ...]) -> Tensor:
    """How many samples have their class among the best k, for each k, and how many there are."""
    found = scores.argsort(dim=1, descending=True, stable=True) == targets[:, None]
    return torch.tensor([*(int(found[:, :k].sum()) for k in topk), len(targets)])


def accuracy(counts: Tensor, names: tuple[str, ...]) -> dict[str, float]:
    """The shares of `count_right`, in percent."""
    *right, total = counts.tolist()
    return {name: 100.0 * count / total for name, count in zip(names, right, strict=True)}


def follow_schedules(
    optimizer: torch.optim.Optimizer, schedules: list[Any], unit: str | None, step: int
) -> None:
    """Set what schedules change at a step that is counted in `unit`; at step 0, in both."""
    for counted, name, begin, end, curve in schedules:
        for group in optimizer.param_groups:
            base = group.setdefault(f"initial_{name}", group[name])
            if unit in (counted, None) and begin <= step < end:
                group[name] = curve(group[name], base, step - begin)
