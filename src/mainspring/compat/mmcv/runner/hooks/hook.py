"""The base of MMCV's hooks: a method for each point of a run, which gets the runner alone."""

from __future__ import annotations

from typing import Any, ClassVar

from mainspring.registry import Registry

__all__ = ["HOOKS", "Hook"]

HOOKS = Registry("mmcv hook", scope="mainspring")

_INNER = ("before_{}_epoch", "before_{}_iter", "after_{}_iter", "after_{}_epoch")
_STAGES = tuple(stage.format(mode) for mode in ("train", "val") for stage in _INNER)


class Hook:
    """Acts at points of a run; a derived class defines the methods of those that it wants.

    ``before_epoch``, ``after_epoch``, ``before_iter`` and ``after_iter`` stand for those of both
    training and validation.
    """

    priority: int
    stages: ClassVar[tuple[str, ...]] = ("before_run", *_STAGES, "after_run")

    def before_run(self, runner: Any) -> None:
        """Act before the run."""

    def after_run(self, runner: Any) -> None:
        """Act after the run."""

    def before_epoch(self, runner: Any) -> None:
        """Act before an epoch."""

    def after_epoch(self, runner: Any) -> None:
        """Act after an epoch."""

    def before_iter(self, runner: Any) -> None:
        """Act before an iteration."""

    def after_iter(self, runner: Any) -> None:
        """Act after an iteration."""

    def before_train_epoch(self, runner: Any) -> None:
        """Act before an epoch of training."""
        self.before_epoch(runner)

    def before_val_epoch(self, runner: Any) -> None:
        """Act before an epoch of validation."""
        self.before_epoch(runner)

    def after_train_epoch(self, runner: Any) -> None:
        """Act after an epoch of training."""
        self.after_epoch(runner)

    def after_val_epoch(self, runner: Any) -> None:
        """Act after an epoch of validation."""
        self.after_epoch(runner)

    def before_train_iter(self, runner: Any) -> None:
        """Act before an iteration of training."""
        self.before_iter(runner)

    def before_val_iter(self, runner: Any) -> None:
        """Act before an iteration of validation."""
        self.before_iter(runner)

    def after_train_iter(self, runner: Any) -> None:
        """Act after an iteration of training."""
        self.after_iter(runner)

    def after_val_iter(self, runner: Any) -> None:
        """Act after an iteration of validation."""
        self.after_iter(runner)

    def every_n_epochs(self, runner: Any, n: int) -> bool:
        """Whether the epoch ends a group of `n`."""
        return n > 0 and (runner.epoch + 1) % n == 0

    def every_n_inner_iters(self, runner: Any, n: int) -> bool:
        """Whether the iteration ends a group of `n` in its epoch."""
        return n > 0 and (runner.inner_iter + 1) % n == 0

    def every_n_iters(self, runner: Any, n: int) -> bool:
        """Whether the iteration ends a group of `n`."""
        return n > 0 and (runner.iter + 1) % n == 0

    def end_of_epoch(self, runner: Any) -> bool:
        """Whether the iteration is the last of its epoch."""
        return bool(runner.inner_iter + 1 == len(runner.data_loader))

    def is_last_epoch(self, runner: Any) -> bool:
        """Whether the epoch is the last of the run."""
        return bool(runner.epoch + 1 == runner.max_epochs)

    def is_last_iter(self, runner: Any) -> bool:
        """Whether the iteration is the last of the run."""
        return bool(runner.iter + 1 == runner.max_iters)

    def get_triggered_stages(self) -> list[str]:
        """The points at which this hook acts."""
        own = {name for name in dir(Hook) if getattr(type(self), name) is not getattr(Hook, name)}
        own |= {name for name in self.stages if name in vars(self)}
        return [
            stage
            for stage in Hook.stages
            if stage in own or stage.replace("train_", "").replace("val_", "") in own
        ]
