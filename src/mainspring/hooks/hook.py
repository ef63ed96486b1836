"""The base class of hooks: one empty method for each point in the table of hook points."""

from __future__ import annotations

import copy
import weakref
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, TypeAlias

from mainspring.dataset.any_loader import length_of
from mainspring.hooks.points import HOOK_POINTS, POINT_NAMES, HookPoint
from mainspring.hooks.priority import Priority
from mainspring.hooks.run import Run
from mainspring.logging import warn
from mainspring.registry import HOOKS

__all__ = ["DATA_BATCH", "Hook", "Outputs", "Predicted", "is_nth", "overridden_method"]

DATA_BATCH: TypeAlias = dict[str, Any] | tuple[Any, ...] | list[Any] | None
"""What a loader gives: a dict, tuple or list of inputs and samples."""

Outputs: TypeAlias = dict[str, Any] | None
"""What a training step logs, by name; tensors where they are."""

Predicted: TypeAlias = Sequence[Any] | None
"""What a model predicts of a batch."""


@HOOKS.register_module()
class Hook:
    """Acts at points of a run; `mainspring.hooks.points` shows which there are.

    Override the methods of the points that matter; those that are not overridden cost nothing.

    Attributes:
        priority: Place among the hooks of the same point; equal ones keep their order of
            registration.
        stages: The names of all points, in call order.

    Example:
        >>> from mainspring.hooks import Run
        >>> class ShowLoss(Hook):
        ...     def after_train_iter(self, runner: Run, batch_idx, data_batch=None, outputs=None):
        ...         if self.every_n_train_iters(runner, 100):
        ...             print(runner.iter, outputs["loss"].item())
        >>> custom_hooks = [ShowLoss()]
    """

    priority: int | str | Priority = "NORMAL"
    stages: ClassVar[tuple[str, ...]] = POINT_NAMES
    _run: weakref.ref[Any] | None = None
    _first_state: dict[str, Any] | None = None

    def _take_priority(self, priority: int | str | Priority | None) -> None:
        """Take a priority over that was given; ``None`` keeps that of the class."""
        if priority is not None:
            self.priority = priority

    def _without_effect(self, why: str, **given: bool) -> None:
        """Say which of the arguments that were given have no effect, and why."""
        for name in (name for name, is_given in given.items() if is_given):
            warn(f"{type(self).__name__}: {name} has no effect {why}")

    def before_run(self, runner: Run) -> None:
        """Act before weights are initialised or a checkpoint is loaded.

        Args:
            runner: The runner of this run.
        """

    def after_run(self, runner: Run) -> None:
        """Act at the very end of a run.

        Args:
            runner: The runner of this run.
        """

    def before_train(self, runner: Run) -> None:
        """Act before the first training iteration.

        Args:
            runner: The runner of this run.
        """

    def after_train(self, runner: Run) -> None:
        """Act after the last training iteration and validation.

        Args:
            runner: The runner of this run.
        """

    def before_val(self, runner: Run) -> None:
        """Act before validation.

        Args:
            runner: The runner of this run.
        """

    def after_val(self, runner: Run) -> None:
        """Act after validation.

        Args:
            runner: The runner of this run.
        """

    def before_test(self, runner: Run) -> None:
        """Act before the test.

        Args:
            runner: The runner of this run.
        """

    def after_test(self, runner: Run) -> None:
        """Act after the test.

        Args:
            runner: The runner of this run.
        """

    def before_save_checkpoint(self, runner: Run, checkpoint: dict[str, Any]) -> None:
        """Add to a checkpoint, or change it, before it is written (on the main process).

        Args:
            runner: The runner of this run.
            checkpoint: What will be written.
        """

    def after_load_checkpoint(self, runner: Run, checkpoint: dict[str, Any]) -> None:
        """Read a checkpoint, or change it, before its content is applied.

        Args:
            runner: The runner of this run.
            checkpoint: What was read.
        """

    def before_train_epoch(self, runner: Run) -> None:
        """Act before a training epoch.

        Args:
            runner: The runner of this run.
        """
        self._before_epoch(runner, mode="train")

    def before_val_epoch(self, runner: Run) -> None:
        """Act before the first validation batch.

        Args:
            runner: The runner of this run.
        """
        self._before_epoch(runner, mode="val")

    def before_test_epoch(self, runner: Run) -> None:
        """Act before the first test batch.

        Args:
            runner: The runner of this run.
        """
        self._before_epoch(runner, mode="test")

    def after_train_epoch(self, runner: Run) -> None:
        """Act after a training epoch, whose index `runner.epoch` still is.

        Args:
            runner: The runner of this run.
        """
        self._after_epoch(runner, mode="train")

    def after_val_epoch(self, runner: Run, metrics: dict[str, Any] | None = None) -> None:
        """Act after the metrics of a validation are computed.

        Args:
            runner: The runner of this run.
            metrics: The metrics by name.
        """
        self._after_epoch(runner, mode="val")

    def after_test_epoch(self, runner: Run, metrics: dict[str, Any] | None = None) -> None:
        """Act after the metrics of a test are computed.

        Args:
            runner: The runner of this run.
            metrics: The metrics by name.
        """
        self._after_epoch(runner, mode="test")

    def before_train_iter(self, runner: Run, batch_idx: int, data_batch: DATA_BATCH = None) -> None:
        """Act on a training batch before its step.

        Args:
            runner: The runner of this run.
            batch_idx: Index of the batch in its epoch (in the run, for a loop by iterations).
            data_batch: What the loader gave.
        """
        self._before_iter(runner, batch_idx=batch_idx, data_batch=data_batch, mode="train")

    def before_val_iter(self, runner: Run, batch_idx: int, data_batch: DATA_BATCH = None) -> None:
        """Act on a validation batch before it is predicted.

        Args:
            runner: The runner of this run.
            batch_idx: Index of the batch in its data set.
            data_batch: What the loader gave.
        """
        self._before_iter(runner, batch_idx=batch_idx, data_batch=data_batch, mode="val")

    def before_test_iter(self, runner: Run, batch_idx: int, data_batch: DATA_BATCH = None) -> None:
        """Act on a test batch before it is predicted.

        Args:
            runner: The runner of this run.
            batch_idx: Index of the batch in its data set.
            data_batch: What the loader gave.
        """
        self._before_iter(runner, batch_idx=batch_idx, data_batch=data_batch, mode="test")

    def after_train_iter(
        self, runner: Run, batch_idx: int, data_batch: DATA_BATCH = None, outputs: Outputs = None
    ) -> None:
        """Act after a training step, whose index `runner.iter` still is.

        Args:
            runner: The runner of this run.
            batch_idx: Index of the batch in its epoch (in the run, for a loop by iterations).
            data_batch: What the loader gave.
            outputs: The logged values by name, tensors where they are.
        """
        self._after_iter(
            runner, batch_idx=batch_idx, data_batch=data_batch, outputs=outputs, mode="train"
        )

    def after_val_iter(
        self, runner: Run, batch_idx: int, data_batch: DATA_BATCH = None, outputs: Predicted = None
    ) -> None:
        """Act after a validation batch was predicted.

        Args:
            runner: The runner of this run.
            batch_idx: Index of the batch in its data set.
            data_batch: What the loader gave.
            outputs: What the model predicted.
        """
        self._after_iter(
            runner, batch_idx=batch_idx, data_batch=data_batch, outputs=outputs, mode="val"
        )

    def after_test_iter(
        self, runner: Run, batch_idx: int, data_batch: DATA_BATCH = None, outputs: Predicted = None
    ) -> None:
        """Act after a test batch was predicted.

        Args:
            runner: The runner of this run.
            batch_idx: Index of the batch in its data set.
            data_batch: What the loader gave.
            outputs: What the model predicted.
        """
        self._after_iter(
            runner, batch_idx=batch_idx, data_batch=data_batch, outputs=outputs, mode="test"
        )

    def _before_epoch(self, runner: Run, mode: str = "train") -> None:
        """Act before an epoch of any mode."""

    def _after_epoch(self, runner: Run, mode: str = "train") -> None:
        """Act after an epoch of any mode."""

    def _before_iter(
        self, runner: Run, batch_idx: int, data_batch: DATA_BATCH = None, mode: str = "train"
    ) -> None:
        """Act on a batch of any mode before its step."""

    def _after_iter(
        self,
        runner: Run,
        batch_idx: int,
        data_batch: DATA_BATCH = None,
        outputs: Sequence[Any] | dict[str, Any] | None = None,
        mode: str = "train",
    ) -> None:
        """Act on a batch of any mode after its step."""

    def every_n_epochs(self, runner: Run, n: int, start: int = 0) -> bool:
        """Whether the current epoch is an n-th one.

        Args:
            runner: The runner of this run.
            n: Epochs between two hits; never for 0 or less.
            start: Epoch to count from.
        """
        return is_nth(runner.epoch + 1 - start, n)

    def every_n_inner_iters(self, batch_idx: int, n: int) -> bool:
        """Whether the current batch is an n-th one of its epoch.

        Args:
            batch_idx: Index of the batch.
            n: Batches between two hits; never for 0 or less.
        """
        return is_nth(batch_idx + 1, n)

    def every_n_train_iters(self, runner: Run, n: int, start: int = 0) -> bool:
        """Whether the current training iteration is an n-th one of the run.

        Args:
            runner: The runner of this run.
            n: Iterations between two hits; never for 0 or less.
            start: Iteration to count from.
        """
        return is_nth(runner.iter + 1 - start, n)

    def end_of_epoch(self, dataloader: Any, batch_idx: int) -> bool:
        """Whether the current batch is the last one of its loader.

        Args:
            dataloader: A loader; of a stream, no batch is known to be the last.
            batch_idx: Index of the batch.
        """
        return bool(batch_idx + 1 == length_of(dataloader))

    def is_last_train_epoch(self, runner: Run) -> bool:
        """Whether the current epoch is the last one of the run.

        Args:
            runner: The runner of this run.
        """
        return bool(runner.epoch + 1 == runner.max_epochs)

    def is_last_train_iter(self, runner: Run) -> bool:
        """Whether the current training iteration is the last one of the run.

        Args:
            runner: The runner of this run.
        """
        return bool(runner.iter + 1 == runner.max_iters)

    def get_triggered_stages(self) -> list[str]:
        """The names of the points where this hook does something, in call order."""
        return [point.name for point in HOOK_POINTS if overridden_method(self, point) is not None]

    def state_dict(self) -> dict[str, Any]:
        """What this hook must remember for a resumed run to go on as if nothing had happened.

        Plain types and tensors only; empty for a hook that remembers nothing.
        """
        return {}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take back what `state_dict` gave.

        Args:
            state_dict: The state of this hook in a checkpoint.
        """

    def begin_run(self, runner: Run) -> None:
        """Forget an earlier run, if another one begins with this hook.

        Args:
            runner: The runner of the run that begins, or goes on.
        """
        if self._run is None or self._run() is not runner:
            self._run = weakref.ref(runner)
            self.start_anew()

    def start_anew(self) -> None:
        """Be as before the first run, of which `state_dict` tells what there was to remember."""
        if self._first_state is None:
            try:
                self._first_state = copy.deepcopy(self.state_dict())
            except Exception:  # noqa: BLE001 - there may be none before the hook's first point
                self._first_state = {}
        elif self._first_state:
            self.load_state_dict(copy.deepcopy(self._first_state))

    def abandon(self, runner: Run, mode: str) -> None:
        """Undo what holds for the time of a loop only, because an exception ended the loop.

        The points ``after_train``, ``after_val`` and so on are not reached then.

        Args:
            runner: The runner of this run.
            mode: ``"train"``, ``"val"`` or ``"test"``.
        """


def overridden_method(hook: object, point: HookPoint) -> str | None:
    """Which method of a hook does the work at a point.

    Args:
        hook: A hook; it need not derive from `Hook`.
        point: A point of the table.

    Returns:
        The name of the point's own method, or of its family's method where only that one is
        overridden, or ``None`` for a hook that does nothing there.
    """
    if not isinstance(hook, Hook):
        return point.name if callable(getattr(hook, point.name, None)) else None
    if _overrides(hook, point.name):
        return point.name
    if point.family is not None and _overrides(hook, point.family):
        return point.family
    return None


def _overrides(hook: Hook, name: str) -> bool:
    return name in vars(hook) or getattr(type(hook), name) is not getattr(Hook, name)


def is_nth(count: int, n: int) -> bool:
    """Whether a count is a multiple of `n`, and at least 0; never for an `n` of 0 or less."""
    return count >= 0 and n > 0 and count % n == 0
