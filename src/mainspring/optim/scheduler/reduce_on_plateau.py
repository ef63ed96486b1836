"""Lowers a parameter when a metric stops improving."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from mainspring.errors import ConfigError, MetricError, did_you_mean
from mainspring.optim.scheduler.base import (
    INF,
    Optimized,
    _ParamScheduler,
    check_optimizer,
    refuse_conversion,
)
from mainspring.registry import PARAM_SCHEDULERS

__all__ = ["ReduceOnPlateauParamScheduler"]


@PARAM_SCHEDULERS.register_module()
class ReduceOnPlateauParamScheduler(_ParamScheduler):
    """Scales the parameter by a factor when a metric of validation has not improved for a while.

    Args:
        optimizer: Optimizer or optimizer wrapper.
        param_name: Name of the parameter in the groups.
        monitor: Name of the metric.
        rule: ``"less"`` or ``"greater"`` is better.
        factor: The factor, less than 1.
        patience: Validations without improvement that are tolerated.
        threshold: How much better a metric must be to count.
        threshold_rule: Whether `threshold` is a share of the best value (``"rel"``) or a difference
            (``"abs"``).
        cooldown: Validations after a change that do not count.
        min_value: The lowest value, for all groups or each.
        eps: Changes that are not larger are not made.
        begin: First step at which to act.
        end: Step before which to stop acting.
        last_step: Steps done before; -1 for a fresh start.
        by_epoch: Must be true: metrics come with validations.
        verbose: Whether to say each value.
        convert_to_iter_based: In a config, whether to convert epochs to iterations.

    Raises:
        ConfigError: An argument is beyond its range.

    Example:
        >>> optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
        >>> scheduler = ReduceOnPlateauParamScheduler(optimizer, "lr", monitor="loss", patience=1)
        >>> for loss in (1.0, 0.9, 0.9, 0.9):
        ...     scheduler.step(dict(loss=loss))
        >>> optimizer.param_groups[0]["lr"]
        0.1
    """

    need_val_args = True

    def __init__(
        self,
        optimizer: Optimized,
        param_name: str,
        monitor: str = "loss",
        rule: Literal["less", "greater"] = "less",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_rule: Literal["rel", "abs"] = "rel",
        cooldown: int = 0,
        min_value: float | Sequence[float] = 0.0,
        eps: float = 1e-8,
        begin: int = 0,
        end: int = INF,
        last_step: int = -1,
        by_epoch: bool = True,
        verbose: bool = False,
        *,
        convert_to_iter_based: bool = False,
    ) -> None:
        refuse_conversion(convert_to_iter_based)
        if not by_epoch:
            raise ConfigError(
                f"{type(self).__name__} steps after validation, so by_epoch must be True"
            )
        if factor >= 1.0:
            raise ConfigError(f"factor is {factor!r}", help="it is less than 1")
        if threshold < 0:
            raise ConfigError(f"threshold is {threshold!r}", help="it is at least 0")
        if rule not in ("less", "greater"):
            raise ConfigError(f"rule is {rule!r}", help="it is 'less' or 'greater'")
        if threshold_rule not in ("rel", "abs"):
            raise ConfigError(f"threshold_rule is {threshold_rule!r}", help="it is 'rel' or 'abs'")
        groups = len(check_optimizer(optimizer).param_groups)
        own = groups - (getattr(optimizer, "base_param_settings", None) is not None)
        if isinstance(min_value, Sequence):
            if len(min_value) not in (own, groups):
                raise ConfigError(f"min_value has {len(min_value)} entries for {own} groups")
            self.min_values = list(min_value)
        else:
            self.min_values = [min_value] * groups
        self.monitor = monitor
        self.rule = rule
        self.factor = factor
        self.patience = patience
        self.threshold = threshold
        self.threshold_rule = threshold_rule
        self.cooldown = cooldown
        self.eps = eps
        self.cooldown_counter = 0
        self.num_bad_epochs = 0
        self.best: float = INF if rule == "less" else -INF
        self.rule_worse = self.best
        super().__init__(optimizer, param_name, begin, end, last_step, by_epoch, verbose)

    @property
    def in_cooldown(self) -> bool:
        """Whether the last change is so recent that nothing counts yet."""
        return self.cooldown_counter > 0

    def step(self, metrics: Mapping[str, Any] | None = None) -> None:
        """Take a step: an epoch is over, or, with `metrics`, a validation is.

        Epochs decide whether the scheduler acts yet (`begin`, `end`); validations are what it acts
        on.

        Args:
            metrics: Metrics of a validation by name.

        Raises:
            TypeError: `metrics` is no dict.
            MetricError: The metric is not among them.
        """
        self._follow_groups()
        if metrics is None:
            self._global_step += 1
        elif not isinstance(metrics, Mapping):
            raise TypeError(f"metrics is a dict, not {type(metrics).__name__}")
        elif self.begin <= self._global_step < self.end:
            self.last_step += 1
            self._watch(metrics)
        self._last_value = self._current()

    def _watch(self, metrics: Mapping[str, Any]) -> None:
        if self.monitor not in metrics:
            raise MetricError(
                f"{type(self).__name__} monitors {self.monitor!r}, which validation does not give",
                config_path="param_scheduler.monitor",
                help=did_you_mean(self.monitor, metrics) or f"it gives {', '.join(metrics)}",
            )
        current = float(metrics[self.monitor])
        if self._is_better(current):
            self.best = current
            self.num_bad_epochs = 0
        else:
            self.num_bad_epochs += 1
        if self.in_cooldown:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        if self.num_bad_epochs > self.patience:
            self.cooldown_counter = self.cooldown
            self.num_bad_epochs = 0
            self._set(self._get_value())

    def _is_better(self, current: float) -> bool:
        if self.threshold_rule == "rel":
            share = 1.0 - self.threshold if self.rule == "less" else 1.0 + self.threshold
            bound = self.best * share
        else:
            bound = self.best + (-self.threshold if self.rule == "less" else self.threshold)
        return current < bound if self.rule == "less" else current > bound

    def _get_value(self) -> list[float]:
        # Groups that were added, and the default settings of a wrapper, follow the last minimum.
        minima = itertools.chain(self.min_values, itertools.repeat(self.min_values[-1]))
        lowered = [
            max(value * self.factor, lowest)
            for value, lowest in zip(self._current(), minima, strict=False)
        ]
        return [
            new if value - new > self.eps else value
            for value, new in zip(self._current(), lowered, strict=True)
        ]
