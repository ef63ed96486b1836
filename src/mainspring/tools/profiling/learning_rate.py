"""The learning rate range test: Smith, "Cyclical Learning Rates", 2017, arXiv:1506.01186.

The learning rate rises exponentially from iteration to iteration, from far too small to far too
large. Where the smoothed loss falls fastest the learning rate is good; beyond its minimum it is too
large.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from mainspring.errors import ConfigError
from mainspring.hooks.run import Run
from mainspring.optim import OptimWrapperDict
from mainspring.tools.profiling.planned_run import PlannedTrial, run_trial

__all__ = ["FEWEST_LOSSES", "RangeTest", "learning_rates", "range_test", "smoothed", "suggest"]

_PAST = 0.9
_DIVERGED = 4.0
FEWEST_LOSSES = 5
"""Of fewer losses, nothing is concluded."""


@dataclass(frozen=True, slots=True)
class RangeTest:
    """The outcome of a range test.

    Attributes:
        learning_rates: The learning rates that were tried, rising.
        losses: The loss at each.
        smoothed: The same, smoothed; see `smoothed`.
        steepest: Learning rate where the smoothed loss falls fastest; ``None`` if it never falls.
        at_minimum: Learning rate at the smallest smoothed loss; ``None`` as above.
        diverged: Whether the test ended because the loss grew beyond four times its smallest.
    """

    learning_rates: list[float]
    losses: list[float]
    smoothed: list[float]
    steepest: float | None
    at_minimum: float | None
    diverged: bool

    @property
    def below_minimum(self) -> float | None:
        """A tenth of the learning rate at the minimum, another common choice."""
        return None if self.at_minimum is None else self.at_minimum / 10

    @property
    def line(self) -> str | None:
        """What to write: the suggestion as a change of the config; ``None`` without one."""
        return None if self.steepest is None else f"optim_wrapper.optimizer.lr={self.steepest:.2g}"


def range_test(
    cfg: Any, lowest: float = 1e-7, highest: float = 10.0, iterations: int = 100
) -> RangeTest:
    """Train with a rising learning rate until the loss diverges.

    The weights are not kept, and schedulers do not act. Parameter groups keep the ratios of their
    learning rates. Where gradients are accumulated, a learning rate holds for a whole group of
    iterations, whose mean loss counts.

    Args:
        cfg: The config; not changed, as its work directory is not.
        lowest: First learning rate.
        highest: Last one.
        iterations: How many learning rates to try.

    Returns:
        Losses and suggestions.

    Raises:
        ConfigError: The config has a mistake, several optimizers, or one without learning rate; or
            the range is empty.
        Exception: Whatever the training raises.
    """
    if not 0 < lowest < highest < math.inf:
        raise ConfigError(
            f"the learning rates are to go from {lowest:g} to {highest:g}",
            help="give two positive numbers, the smaller one first",
        )
    counts = (cfg.get("optim_wrapper") or {}).get("accumulative_counts", 1)
    counts = counts if isinstance(counts, int) and counts > 0 else 1
    watch = _RisingRate(learning_rates(lowest, highest, iterations), counts)
    run_trial(cfg, watch, iterations * counts)
    averages = smoothed(watch.losses)
    rates = list(watch.rates[: len(averages)])
    steepest, at_minimum = suggest(rates, averages) or (None, None)
    return RangeTest(rates, watch.losses, averages, steepest, at_minimum, watch.diverged)


def learning_rates(lowest: float, highest: float, count: int) -> list[float]:
    """Learning rates at equal distances on a logarithmic scale.

    Args:
        lowest: The first.
        highest: The last.
        count: How many.
    """
    rates: list[float] = np.geomspace(lowest, highest, count).tolist()
    return rates


def smoothed(losses: Sequence[float], weight: float = 0.8) -> list[float]:
    """Averages over neighbours on both sides, so that the curve is not shifted.

    A running average of past losses alone, as is common, lags behind by a factor of several
    learning rates. Losses above where the curve began count as that, so that a loss that explodes
    does not reach back.

    Args:
        losses: The losses.
        weight: Weight of a neighbour; of one at distance d its d-th power.
    """
    if not losses:
        return []
    count = len(losses)
    capped = np.minimum(losses, max(losses[: max(FEWEST_LOSSES, count // 10)]))
    near = weight ** abs(np.arange(1 - count, count))
    averages = np.convolve(capped, near, "valid") / np.convolve(np.ones(count), near, "valid")
    return [float(average) for average in averages]


def suggest(rates: Sequence[float], losses: Sequence[float]) -> tuple[float, float] | None:
    """Where the loss falls fastest by the logarithm of the learning rate, and where it is smallest.

    Args:
        rates: Learning rates, rising by a constant factor.
        losses: Their smoothed losses.

    Returns:
        Both learning rates; ``None`` when the loss never falls, or there are too few.
    """
    if len(losses) < FEWEST_LOSSES:
        return None
    lowest = min(range(len(losses)), key=losses.__getitem__)
    inner = range(1, lowest)
    if not inner:
        return None
    steepest = min(inner, key=lambda index: losses[index + 1] - losses[index - 1])
    if losses[steepest + 1] >= losses[steepest - 1]:
        return None
    return rates[steepest], rates[lowest]


class _RisingRate(PlannedTrial):
    """Sets the learning rate of each iteration and reads its loss."""

    may_diverge = True

    def __init__(self, rates: Sequence[float], counts: int) -> None:
        self.rates = rates
        self.counts = counts
        self.losses: list[float] = []
        self.diverged = False
        self._rate = 0.0
        self._groups: list[tuple[dict[str, Any], float]] = []

    def plan(self, runner: Run) -> Iterator[None]:
        """Train with one learning rate after the other."""
        runner.param_schedulers = None
        self._groups = _groups_with_ratios(runner.optim_wrapper)
        best, average = math.inf, 0.0
        for rate in self.rates:
            self._rate = rate
            total = 0.0
            for _ in range(self.counts):
                yield
                total += loss_of(self.outputs)
            loss = total / self.counts
            if not math.isfinite(loss):
                self.diverged = True
                return
            self.losses.append(loss)
            average = _PAST * average + (1 - _PAST) * loss
            current = average / (1 - _PAST ** len(self.losses))
            best = min(best, current)
            if len(self.losses) > FEWEST_LOSSES and current > best + (_DIVERGED - 1) * abs(best):
                self.diverged = True
                return

    def batch_came(self, runner: Run, data_batch: Any) -> None:
        """Set the learning rate of the iteration to come."""
        for group, ratio in self._groups:
            if isinstance(group["lr"], torch.Tensor):
                group["lr"].fill_(self._rate * ratio)
            else:
                group["lr"] = self._rate * ratio


def loss_of(outputs: Any) -> float:
    """The loss in what a training step returned: ``loss``, else the sum of what is called a loss.

    Args:
        outputs: The logged values by name.

    Raises:
        ConfigError: There is none.
    """
    values = dict(outputs or {})
    if "loss" in values:
        return float(values["loss"])
    parts = [float(value) for name, value in values.items() if "loss" in str(name)]
    if not parts:
        raise ConfigError(
            f"the training step returned {sorted(map(str, values)) or 'nothing'}, and no loss",
            config_path="model",
            help="return it as 'loss', so that it can be followed",
        )
    return sum(parts)


def _groups_with_ratios(optim_wrapper: Any) -> list[tuple[dict[str, Any], float]]:
    """Parameter groups with their learning rate as a multiple of the optimizer's own."""
    optimizer = getattr(optim_wrapper, "optimizer", None)
    if isinstance(optim_wrapper, OptimWrapperDict) or optimizer is None:
        raise ConfigError(
            "several optimizers train the model, and each has a learning rate of its own",
            config_path="optim_wrapper",
            help="try them one by one, with the others' learning rates fixed",
        )
    groups = list(optimizer.param_groups)
    if not all("lr" in group for group in groups):
        raise ConfigError(
            f"{type(optimizer).__name__} has no learning rate",
            config_path="optim_wrapper.optimizer",
        )
    base = float(optimizer.defaults.get("lr") or max(float(group["lr"]) for group in groups))
    return [(group, float(group["lr"]) / base if base else 1.0) for group in groups]
