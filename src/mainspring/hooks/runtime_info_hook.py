"""Keeps the message hub up to date: position in the run, learning rates, outputs, metrics."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mainspring.checkpoint.apply import unwrap
from mainspring.errors import ArgumentTypeError
from mainspring.hooks.hook import DATA_BATCH, Hook, Outputs
from mainspring.hooks.priority import Priority
from mainspring.hooks.run import Run
from mainspring.logging import warn
from mainspring.optim import OptimWrapper
from mainspring.registry import HOOKS
from mainspring.version import MMENGINE_VERSION

__all__ = ["RuntimeInfoHook"]

_OURS = frozenset(("step", "iter", "epoch", "time", "data_time", "memory", "lr", "base_lr"))
"""What the run records of itself among the scalars of training."""


@HOOKS.register_module()
class RuntimeInfoHook(Hook):
    """Writes what other parts read from the message hub.

    Runtime information: ``cfg``, ``seed``, ``experiment_name``, ``mmengine_version``,
    ``loop_stage``, ``epoch``, ``iter``, ``max_epochs``, ``max_iters``, ``dataset_meta``. Scalars:
    ``train/lr`` (``train/base_lr``, ``train/{name}.lr``), ``train/{output}``, ``val/{metric}``,
    ``test/{metric}``; metrics that are no numbers become runtime information.

    Args:
        priority: Place among the hooks of a point; by default that of the class.

    Example:
        >>> default_hooks = dict(runtime_info=RuntimeInfoHook())
    """

    priority: int | str | Priority = "VERY_HIGH"

    def __init__(self, *, priority: int | str | Priority | None = None) -> None:
        self._take_priority(priority)
        self._read_rates: Callable[[], dict[str, Any]] | None = None
        self._read_from: Any = None
        self.last_loop_stage: str | None = None
        self._has_said_names = False

    def before_run(self, runner: Run) -> None:
        """Record what is fixed for the whole run."""
        runner.message_hub.update_info_dict(
            {
                "cfg": runner.cfg.pretty_text,
                "seed": runner.seed,
                "experiment_name": runner.experiment_name,
                "mmengine_version": MMENGINE_VERSION,
            }
        )

    def before_train(self, runner: Run) -> None:
        """Record position, length and data set of the training."""
        hub = runner.message_hub
        hub.update_info("loop_stage", "train")
        hub.update_info("epoch", runner.epoch)
        hub.update_info("iter", runner.iter)
        hub.update_info("max_epochs", runner.max_epochs)
        hub.update_info("max_iters", runner.max_iters)
        # A resumed hub brought those of the checkpoint along.
        hub.update_info("cfg", runner.cfg.pretty_text)
        hub.update_info("experiment_name", runner.experiment_name)
        dataset: Any = getattr(runner.train_dataloader, "dataset", None)
        if hasattr(dataset, "metainfo"):
            hub.update_info("dataset_meta", dataset.metainfo)

    def after_train(self, runner: Run) -> None:
        """Record that training is over."""
        runner.message_hub.pop_info("loop_stage")

    def before_train_epoch(self, runner: Run) -> None:
        """Record the epoch."""
        runner.message_hub.update_info("epoch", runner.epoch)

    def before_train_iter(self, runner: Run, batch_idx: int, data_batch: DATA_BATCH = None) -> None:
        """Record the iteration and its learning rates."""
        hub = runner.message_hub
        hub.update_info("iter", runner.iter)
        if self._read_rates is None or self._read_from is not runner.optim_wrapper:
            self._read_from = runner.optim_wrapper
            self._read_rates = _rate_reader(runner.optim_wrapper)
        hub.record("train", self._read_rates())

    def after_train_iter(
        self, runner: Run, batch_idx: int, data_batch: DATA_BATCH = None, outputs: Outputs = None
    ) -> None:
        """Record what the training step logged, leaving tensors where they are."""
        if type(outputs) is not dict and not isinstance(outputs, Mapping | None):
            raise ArgumentTypeError(
                f"train_step of {type(unwrap(runner.model)).__name__} returned a "
                f"{type(outputs).__name__}, not a dict of what to log",
                help="return dict(loss=loss.detach()), or nothing",
            )
        if outputs:
            if not _OURS.isdisjoint(outputs):
                outputs = self._renamed(outputs)
            runner.message_hub.record("train", outputs)

    def _renamed(self, outputs: dict[str, Any]) -> dict[str, Any]:
        """The outputs of a model, told apart from what the run records under the same names."""
        clashing = [name for name in outputs if name in _OURS]
        if not self._has_said_names:
            self._has_said_names = True
            warn(
                f"the model's output {' and '.join(map(repr, clashing))} is recorded as "
                f"{' and '.join(repr(f'model_{name}') for name in clashing)}: the run itself "
                "records values of that name"
            )
        return {f"model_{name}" if name in _OURS else name: outputs[name] for name in outputs}

    def before_val(self, runner: Run) -> None:
        """Record that validation is going on."""
        self.last_loop_stage = runner.message_hub.get_info("loop_stage")
        runner.message_hub.update_info("loop_stage", "val")

    def after_val_epoch(self, runner: Run, metrics: dict[str, Any] | None = None) -> None:
        """Record the metrics of a validation."""
        _record_metrics(runner.message_hub, "val", metrics)

    def after_val(self, runner: Run) -> None:
        """Go back to the stage that validation interrupted."""
        runner.message_hub.pop_info("loop_stage")
        if self.last_loop_stage is not None:
            runner.message_hub.update_info("loop_stage", self.last_loop_stage)
            self.last_loop_stage = None

    def abandon(self, runner: Run, mode: str) -> None:
        """Go back to the stage outside of what was ended."""
        if runner.message_hub.get_info("loop_stage") == mode:
            self.after_val(runner)

    def before_test(self, runner: Run) -> None:
        """Record that the test is going on."""
        runner.message_hub.update_info("loop_stage", "test")

    def after_test(self, runner: Run) -> None:
        """Record that the test is over."""
        runner.message_hub.pop_info("loop_stage")

    def after_test_epoch(self, runner: Run, metrics: dict[str, Any] | None = None) -> None:
        """Record the metrics of a test."""
        _record_metrics(runner.message_hub, "test", metrics)


def _rate_reader(optim_wrapper: Any) -> Callable[[], dict[str, Any]]:
    """A function that reads the rates to log: those of the first parameter group.

    The ordinary wrapper lists the rates of all groups, of which a finely tuned model has hundreds;
    that list is only made for wrappers with a `get_lr` of their own.
    """
    if getattr(type(optim_wrapper), "get_lr", None) is getattr(OptimWrapper, "get_lr", ...):

        def read() -> dict[str, Any]:
            settings = optim_wrapper.base_param_settings
            rate = optim_wrapper.optimizer.param_groups[0]["lr"]
            return {"lr": rate} if settings is None else {"base_lr": settings["lr"], "lr": rate}

        return read

    def read_all() -> dict[str, Any]:
        rates = optim_wrapper.get_lr()
        if not isinstance(rates, dict):
            raise ArgumentTypeError(
                f"get_lr of {type(optim_wrapper).__name__} gives a {type(rates).__name__}",
                help="let it give a dict of lists of rates, by name",
            )
        return {
            name: of_groups[0]
            for name, of_groups in rates.items()
            if isinstance(of_groups, Sequence) and of_groups
        }

    return read_all


def _record_metrics(hub: Any, mode: str, metrics: dict[str, Any] | None) -> None:
    for name, value in (metrics or {}).items():
        # One number: Python's, NumPy's, or a tensor or array of one element.
        size = value.numel() if hasattr(value, "numel") else getattr(value, "size", 0)
        if isinstance(value, int | float) or (hasattr(value, "item") and size == 1):
            hub.update_scalar(f"{mode}/{name}", value)
        else:
            hub.update_info(f"{mode}/{name}", value)
