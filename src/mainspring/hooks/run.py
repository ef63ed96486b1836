"""A run as hooks and loops see it, which lie below the runner or are a user's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from torch import nn

from mainspring.config import Config
from mainspring.logging import MessageHub, MMLogger
from mainspring.visualization import Visualizer

__all__ = ["LogText", "Run"]


class LogText(Protocol):
    """What makes log lines of scalars, such as `mainspring.runner.LogProcessor`."""

    def get_log_after_iter(
        self, runner: Run, batch_idx: int, mode: str
    ) -> tuple[dict[str, Any], str]:
        """Scalars and text for an iteration of ``"train"``, ``"val"`` or ``"test"``."""
        ...

    def get_log_after_epoch(
        self, runner: Run, batch_idx: int, mode: str, with_non_scalar: bool = False
    ) -> tuple[dict[str, Any], str]:
        """Scalars and text for an evaluation or an epoch."""
        ...


class Run(Protocol):
    """What hooks and loops may use of a run; `mainspring.runner.Runner` is one.

    Attributes:
        cfg: The whole config.
        work_dir: Where checkpoints and logs go.
        model: The model, in its wrapper if it has one.
        optim_wrapper: The optimizer wrapper, an `OptimWrapper` or `OptimWrapperDict`; before
            training, what describes it.
        param_schedulers: The schedulers: a list, or a dict of lists by optimizer; before training,
            what describes them.
        logger: The logger of the run.
        message_hub: Scalars and information that parts of the run share.
        visualizer: Where scalars and images are sent.
        log_processor: What makes log lines of scalars.
        train_loop: The train loop, built when first asked for.
        val_loop: The validation loop, built when first asked for; ``None`` when there is none.
        test_loop: The test loop, built when first asked for; ``None`` when there is none.
        train_dataloader: Loader of the training data.
        val_dataloader: Loader of the validation data.
        test_dataloader: Loader of the test data.
        val_evaluator: Evaluator of the validation.
        test_evaluator: Evaluator of the test.
        is_training: Whether the train loop runs.
        _resume: Whether this run goes on from a checkpoint.
        _train_loop: The train loop; before it is built, what describes it.
    """

    cfg: Config
    work_dir: str
    model: nn.Module
    optim_wrapper: Any
    param_schedulers: Any
    logger: MMLogger
    message_hub: MessageHub
    visualizer: Visualizer
    log_processor: LogText
    train_loop: Any
    val_loop: Any
    test_loop: Any
    train_dataloader: Any
    val_dataloader: Any
    test_dataloader: Any
    val_evaluator: Any
    test_evaluator: Any
    is_training: bool
    _resume: bool
    _train_loop: Any

    @property
    def epoch(self) -> int:
        """Finished epochs of training."""
        ...

    @property
    def iter(self) -> int:
        """Finished iterations of training; inside an iteration, its index."""
        ...

    @property
    def max_epochs(self) -> int:
        """Epochs of the whole training; 0 where none is described."""
        ...

    @property
    def max_iters(self) -> int:
        """Iterations of the whole training; 0 where none is described."""
        ...

    @property
    def val_interval(self) -> int:
        """Epochs or iterations between two validations."""
        ...

    @property
    def val_begin(self) -> int:
        """First epoch or iteration after which to validate."""
        ...

    @property
    def hooks(self) -> list[Any]:
        """The hooks, in the order in which they are called."""
        ...

    @property
    def experiment_name(self) -> str:
        """Name of the run."""
        ...

    @property
    def timestamp(self) -> str:
        """Time of this start, ``YYYYmmdd_HHMMSS``."""
        ...

    @property
    def log_dir(self) -> str:
        """Directory of this start's log files."""
        ...

    @property
    def seed(self) -> int:
        """Seed of the run."""
        ...

    @property
    def rank(self) -> int:
        """Number of this process."""
        ...

    @property
    def world_size(self) -> int:
        """Number of processes."""
        ...

    def train(self) -> nn.Module:
        """Train the model."""
        ...

    def val(self) -> dict[str, Any]:
        """Validate the model, also in the midst of a training; returns the metrics by name."""
        ...

    def test(self) -> dict[str, Any]:
        """Test the model; returns the metrics by name."""
        ...

    def call_hook(self, fn_name: str, **kwargs: Any) -> None:
        """Call a hook point, of the table or of one's own."""
        ...

    def register_hook(self, hook: Any, priority: str | int | None = None) -> None:
        """Add a hook after the last one of equal or higher priority."""
        ...

    def wrap_model(
        self, model_wrapper_cfg: Mapping[str, Any] | None, model: nn.Module
    ) -> nn.Module:
        """Put a model on its device and wrap it for the processes of this run."""
        ...

    def load_checkpoint(self, filename: str | Path) -> Mapping[str, Any]:
        """Load the weights of a checkpoint into the model; returns the checkpoint."""
        ...

    def save_checkpoint(
        self,
        out_dir: str | Path,
        filename: str | None = None,
        file_client_args: dict[str, Any] | None = None,
        save_optimizer: bool = True,
        save_param_scheduler: bool = True,
        meta: dict[str, Any] | None = None,
        by_epoch: bool = True,
        backend_args: dict[str, Any] | None = None,
        *,
        async_save: bool = False,
        then: Callable[[], None] | None = None,
    ) -> None:
        """Write a checkpoint; to be called on all ranks, rank 0 writes."""
        ...

    def reserve_for_saving(self) -> None:
        """Take the memory that asynchronous saves copy the state to, in the background."""
        ...

    def finish_saving(self) -> BaseException | None:
        """Wait for an asynchronous save; returns why it failed, once."""
        ...

    def roll_back(
        self, filename: str | Path, about_to_be_written: dict[str, Any] | None = None
    ) -> None:
        """Take weights and optimizer state of an earlier moment, and go on from here with them."""
        ...
