"""The table of hook points: where in a run a hook can act, and with what.

This is what a run does, with every point in its place::

    before_run(runner)
    if there is a checkpoint to start from:
        after_load_checkpoint(runner, checkpoint)

    # runner.train()
    before_train(runner)
    for each epoch:
        before_train_epoch(runner)
        for batch_idx, data_batch in enumerate(train_dataloader):
            before_train_iter(runner, batch_idx, data_batch)
            outputs = model.train_step(data_batch, optim_wrapper)
            after_train_iter(runner, batch_idx, data_batch, outputs)
        after_train_epoch(runner)

        # also runner.val()
        if validation is due:
            before_val(runner)
            before_val_epoch(runner)
            for batch_idx, data_batch in enumerate(val_dataloader):
                before_val_iter(runner, batch_idx, data_batch)
                outputs = model.val_step(data_batch)
                after_val_iter(runner, batch_idx, data_batch, outputs)
            after_val_epoch(runner, metrics)
            after_val(runner)

        # wherever a checkpoint is written: the checkpoint hook does so inside of
        # after_train_iter, after_train_epoch, after_val_epoch and after_val
        before_save_checkpoint(runner, checkpoint)
    after_train(runner)

    # runner.test()
    before_test(runner)
    before_test_epoch(runner)
    for batch_idx, data_batch in enumerate(test_dataloader):
        before_test_iter(runner, batch_idx, data_batch)
        outputs = model.test_step(data_batch)
        after_test_iter(runner, batch_idx, data_batch, outputs)
    after_test_epoch(runner, metrics)
    after_test(runner)
    after_run(runner)

A loop by iterations is one long epoch to the hooks, and it validates between two iterations.
Everything after ``runner`` is passed by keyword. ``data_batch`` is what the loader gave, before the
data preprocessor; ``outputs`` of a training iteration is the dict of logged values, as tensors
where they are; ``metrics`` is the dict that the evaluation returned.

Points that come in several modes share a family: `Hook.before_train_epoch` as inherited calls
``_before_epoch(runner, mode="train")``, and so on, so that a hook can act alike in all modes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, cast

__all__ = [
    "FAMILIES",
    "HOOK_POINTS",
    "POINTS_BY_NAME",
    "POINT_NAMES",
    "HookPoint",
    "HookPointName",
    "Mode",
]

Mode = Literal["train", "val", "test"]

HookPointName = Literal[
    "before_run",
    "after_load_checkpoint",
    "before_train",
    "before_train_epoch",
    "before_train_iter",
    "after_train_iter",
    "after_train_epoch",
    "before_val",
    "before_val_epoch",
    "before_val_iter",
    "after_val_iter",
    "after_val_epoch",
    "after_val",
    "before_save_checkpoint",
    "after_train",
    "before_test",
    "before_test_epoch",
    "before_test_iter",
    "after_test_iter",
    "after_test_epoch",
    "after_test",
    "after_run",
]


@dataclass(frozen=True, slots=True)
class HookPoint:
    """A place in a run where hooks are called.

    Attributes:
        name: Name of the point and of the method that a hook overrides.
        when: When it is reached.
        arguments: What is passed by keyword after the runner.
        recurs: Whether the point may be reached in several places of a run, so that the table's
            order says nothing about it.
    """

    name: HookPointName
    when: str
    arguments: tuple[str, ...] = ()
    recurs: bool = False

    @property
    def mode(self) -> Mode | None:
        """``"train"``, ``"val"`` or ``"test"`` for points of a family."""
        _, mode, *within = self.name.split("_")
        return cast("Mode", mode) if within in (["epoch"], ["iter"]) else None

    @property
    def family(self) -> str | None:
        """Method that the inherited one forwards to, such as ``_before_iter``.

        ``None`` for points that stand alone.
        """
        return None if self.mode is None else "_" + self.name.replace(f"_{self.mode}", "")


_CHECKPOINT = ("checkpoint",)
_BATCH = ("batch_idx", "data_batch")
_RESULT = ("batch_idx", "data_batch", "outputs")
_METRICS = ("metrics",)

HOOK_POINTS: tuple[HookPoint, ...] = (
    HookPoint("before_run", "Once, before weights are initialised or a checkpoint is loaded."),
    HookPoint(
        "after_load_checkpoint",
        "After a checkpoint was read, before its content is applied.",
        _CHECKPOINT,
        recurs=True,
    ),
    HookPoint("before_train", "Once, before the first training iteration."),
    HookPoint("before_train_epoch", "Before each training epoch."),
    HookPoint("before_train_iter", "After a batch is loaded, before its step.", _BATCH),
    HookPoint("after_train_iter", "After the step; `iter` still is its index.", _RESULT),
    HookPoint("after_train_epoch", "After each training epoch; `epoch` still is its index."),
    HookPoint("before_val", "Before validation."),
    HookPoint("before_val_epoch", "Before the first validation batch."),
    HookPoint("before_val_iter", "Before each validation batch.", _BATCH),
    HookPoint("after_val_iter", "After each validation batch.", _RESULT),
    HookPoint("after_val_epoch", "After the metrics are computed.", _METRICS),
    HookPoint("after_val", "After validation."),
    HookPoint(
        "before_save_checkpoint",
        "Before a checkpoint is written; what is put into it is saved.",
        _CHECKPOINT,
        recurs=True,
    ),
    HookPoint("after_train", "Once, after the last training iteration and validation."),
    HookPoint("before_test", "Before the test."),
    HookPoint("before_test_epoch", "Before the first test batch."),
    HookPoint("before_test_iter", "Before each test batch.", _BATCH),
    HookPoint("after_test_iter", "After each test batch.", _RESULT),
    HookPoint("after_test_epoch", "After the metrics are computed.", _METRICS),
    HookPoint("after_test", "After the test."),
    HookPoint("after_run", "Once, at the very end."),
)
"""All points, in the order in which a run reaches them first."""

POINT_NAMES: tuple[HookPointName, ...] = tuple(point.name for point in HOOK_POINTS)
"""The names of all points, in the same order."""

POINTS_BY_NAME: dict[str, HookPoint] = {point.name: point for point in HOOK_POINTS}
"""The points by name."""

FAMILIES: dict[str, tuple[str, ...]] = {
    "_before_epoch": ("mode",),
    "_after_epoch": ("mode",),
    "_before_iter": (*_BATCH, "mode"),
    "_after_iter": (*_RESULT, "mode"),
}
"""The shared methods and what is passed to them by keyword after the runner."""
