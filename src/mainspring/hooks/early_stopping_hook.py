"""Ends a training that no longer gets better."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from typing import Any

from mainspring.errors import ConfigError
from mainspring.hooks.hook import Hook
from mainspring.hooks.metric_rule import Rule, is_better, metric_value, rule_for, worst_score
from mainspring.hooks.priority import Priority
from mainspring.hooks.run import Run
from mainspring.registry import HOOKS

__all__ = ["EarlyStoppingHook"]


@HOOKS.register_module()
class EarlyStoppingHook(Hook):
    """Stops training when a metric has not improved for a number of validations.

    What it counts is saved in checkpoints, so that an interrupted run stops where the uninterrupted
    one would have.

    Args:
        monitor: Name of the metric.
        rule: ``"greater"`` or ``"less"``; inferred from the name by default.
        min_delta: What a score must differ from the best one to count as better; with 0, any
            better one counts, and an equal one does not. The default suits metrics in percent; for
            metrics between 0 and 1 choose a smaller one.
        strict: Whether a validation without the metric is an error; else it is warned about.
        check_finite: Whether to stop when the metric is infinite or NaN.
        patience: Validations without improvement after which to stop; 0 is 1.
        stopping_threshold: Score beyond which training is good enough and stops.
        priority: Place among the hooks of a point; by default that of the class.

    Raises:
        ConfigError: The rule is unknown or cannot be inferred.

    Example:
        >>> custom_hooks = [EarlyStoppingHook(monitor="accuracy/top1", min_delta=0.1, patience=3)]
    """

    priority: int | str | Priority = "LOWEST"

    def __init__(
        self,
        monitor: str,
        rule: Rule | None = None,
        min_delta: float = 0.1,
        strict: bool = False,
        check_finite: bool = True,
        patience: int = 5,
        stopping_threshold: float | None = None,
        *,
        priority: int | str | Priority | None = None,
    ) -> None:
        self._take_priority(priority)
        if patience < 0:
            raise ConfigError(f"EarlyStoppingHook: patience is {patience}", help="give 1 or more")
        self.monitor = monitor
        self.rule: Rule = rule_for(monitor, rule)
        self.min_delta = min_delta if self.rule == "greater" else -min_delta
        self.strict = strict
        self.check_finite = check_finite
        self.patience = patience
        self.stopping_threshold = stopping_threshold
        self.wait_count = 0
        self.best_score = worst_score(self.rule)
        self._seen = False

    def before_run(self, runner: Run) -> None:
        """Check that the training loop can be stopped.

        Raises:
            ConfigError: It has no attribute ``stop_training``.
        """
        if runner._train_loop is None or isinstance(runner._train_loop, Mapping):
            return  # nothing is trained
        if not hasattr(runner.train_loop, "stop_training"):
            raise ConfigError(
                f"EarlyStoppingHook cannot stop {type(runner.train_loop).__name__}, which has no "
                "attribute stop_training",
                help="derive it from mainspring.runner.BaseLoop, or leave the hook out",
            )

    def before_train(self, runner: Run) -> None:
        """End a resumed run that had reached its end, unless what is asked of it has changed."""
        threshold = self.stopping_threshold
        is_good_enough = threshold is not None and is_better(self.best_score, threshold, self.rule)
        if is_good_enough or 0 < self.wait_count >= self.patience:
            runner.train_loop.stop_training = True
            runner.logger.info(
                f"early stopping: the run had ended when its checkpoint was written; the best "
                f"{self.monitor} was {self.best_score:.4f}, {self.wait_count} validations before"
            )

    def after_val_epoch(self, runner: Run, metrics: dict[str, Any] | None = None) -> None:
        """Judge the metric, and stop training if it is time to.

        Raises:
            MetricError: The metric is missing.
        """
        metrics = metrics or {}
        if self.monitor not in metrics and not self.strict:
            warnings.warn(
                f"early stopping: this validation gave no {self.monitor!r}, but "
                f"{', '.join(map(str, metrics)) or 'nothing'}, so it is not counted",
                stacklevel=2,
            )
            return
        score = metric_value(metrics, self.monitor, "EarlyStoppingHook")
        if not self._seen and abs(self.min_delta) >= 0.1 and abs(score) <= 1:
            runner.logger.warning(
                f"early stopping: min_delta = {abs(self.min_delta)} is large for {self.monitor} = "
                f"{score:.4f}; smaller improvements count as none"
            )
        self._seen = True
        reason = self._reason_to_stop(score)
        if reason is not None:
            runner.train_loop.stop_training = True
            runner.logger.info(f"early stopping: {reason}")

    def state_dict(self) -> dict[str, Any]:
        """Best score so far and validations since then."""
        return {"best_score": self.best_score, "wait_count": self.wait_count, "seen": self._seen}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on counting where `state_dict` stood."""
        self.best_score = float(state_dict["best_score"])
        self.wait_count = int(state_dict["wait_count"])
        self._seen = bool(state_dict["seen"])

    def _reason_to_stop(self, score: float) -> str | None:
        if self.check_finite and not math.isfinite(score):
            return f"{self.monitor} is {score}; its best value was {self.best_score:.4f}"
        threshold = self.stopping_threshold
        if threshold is not None and is_better(score, threshold, self.rule):
            self.best_score = score
            return f"{self.monitor} = {score:.4f} is beyond stopping_threshold = {threshold}"
        required = self.best_score + self.min_delta
        is_new = is_better(score, self.best_score, self.rule)
        if is_new and not is_better(required, score, self.rule):
            self.best_score, self.wait_count = score, 0
            return None
        self.wait_count += 1
        if self.wait_count < self.patience:
            return None
        return (
            f"{self.monitor} = {score:.4f} has not improved for {self.wait_count} validations; "
            f"its best value was {self.best_score:.4f} (min_delta = {abs(self.min_delta)})"
        )
