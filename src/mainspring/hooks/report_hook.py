"""Leaves pictures of a run in its work directory: ``curves.png`` and ``report.html``."""

from __future__ import annotations

import functools
import logging
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, cast

from mainspring.dataset.any_loader import is_named_loaders
from mainspring.dist import get_world_size, is_main_process
from mainspring.errors import ConfigError
from mainspring.hooks.checkpoint_hook import CheckpointHook
from mainspring.hooks.hook import DATA_BATCH, Hook, Predicted
from mainspring.hooks.iter_timer_hook import IterTimerHook
from mainspring.hooks.priority import Priority
from mainspring.hooks.run import Run
from mainspring.registry import HOOKS

if TYPE_CHECKING:
    from mainspring.report.evaluation import Evaluation
    from mainspring.report.record import StartRecord

__all__ = ["ReportHook"]

P = ParamSpec("P")

_SECONDS_BETWEEN_NOTES = 1.0
_SHARE = 0.01
"""Part of the time of a run that its pictures may take, until it ends."""


def _never_fatal(method: Callable[P, None]) -> Callable[P, None]:
    """Let a method act on rank 0 only, and no more once it has failed, which is said."""

    @functools.wraps(method)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> None:
        hook, runner = cast("tuple[ReportHook, Run]", args[:2])
        name = method.__name__
        if name in hook._failed or not is_main_process():
            return
        try:
            method(*args, **kwargs)
        except Exception as error:  # a picture is no reason to lose a training
            hook._failed.add(name)
            # What a package or a full disk refuses is no mistake in the code.
            explains_itself = isinstance(error, ImportError | OSError)
            runner.logger.warning(
                f"the report of this run is incomplete: ReportHook.{name} failed with "
                f"{type(error).__name__}: {error}",
                exc_info=None if explains_itself else error,
            )

    return guarded


@HOOKS.register_module()
class ReportHook(Hook):
    """Draws ``curves.png`` and ``report.html`` into the work directory (rank 0).

    They are there when the run has ended, however it did, and are brought up to date after
    validations as long as that takes no more than a hundredth of the time; ``mainspring report
    --watch`` shows a run as it goes. What the page shows
    beyond scalars, log and checkpoints is noted in ``report.json`` in the log directory: tables by
    class, first predictions and highest losses of the newest validation, where the time went, how
    often each warning came, and what the config changes of its base.

    It costs nothing in training iterations. In validation it looks at each batch of predictions
    (one small copy from the device). With several ranks, samples and classes are those of rank 0's
    share. When something fails here, a warning says so and the run goes on.

    ``mainspring train`` adds this hook; elsewhere, list it in ``custom_hooks``.

    Args:
        samples: How many predictions to show.
        top_losses: How many of the samples with the highest losses to show.
        priority: Place among the hooks of a point; by default that of the class.

    Raises:
        ConfigError: A number is below 0.

    Example:
        >>> custom_hooks = [ReportHook(top_losses=20)]
    """

    priority: int | str | Priority = "LOWEST"

    def __init__(
        self,
        samples: int = 12,
        top_losses: int = 8,
        *,
        priority: int | str | Priority | None = None,
    ) -> None:
        self._take_priority(priority)
        for name, value in (("samples", samples), ("top_losses", top_losses)):
            if value < 0:
                raise ConfigError(f"ReportHook: {name} is {value}", help="give 0 or more")
        self.samples = samples
        self.top_losses = top_losses
        self._failed: set[str] = set()
        self._record: StartRecord | None = None
        self._evaluation: Evaluation | None = None
        self._began = self._drawn_at = self._validation_began = 0.0
        self._noted_at = 0.0
        self._drawing_took = 1.0  # as an estimate, until something was drawn
        self._warnings: _Counter | None = None

    @_never_fatal
    def before_train(self, runner: Run) -> None:
        """Begin to note."""
        from mainspring.report.changes import changes_of
        from mainspring.report.record import StartRecord

        now = time.perf_counter()
        self._began = self._drawn_at = now
        size = getattr(_one_of(runner.train_dataloader), "batch_size", None)
        self._record = StartRecord(
            begins_at=runner.iter,
            iteration=runner.iter,
            device=str(next((weight.device for weight in runner.model.parameters()), "")),
            parameters=sum(weight.numel() for weight in runner.model.parameters()),
            world_size=get_world_size(),
            batch_size=size if isinstance(size, int) else None,
        )
        self._record.seconds["validation"] = 0.0
        self._warnings = _Counter(self._record.warnings)
        runner.logger.addFilter(self._warnings)
        try:
            self._record.base, self._record.changes = changes_of(runner.cfg)
        except Exception as error:  # noqa: BLE001 - a base that cannot be read alone is no mistake
            runner.logger.debug(f"the report shows no difference to the base: {error}")
        self._note(runner, "running")

    @_never_fatal
    def before_val(self, runner: Run) -> None:
        """Begin to look at predictions."""
        from mainspring.report.evaluation import Evaluation

        if self._record is not None:
            self._validation_began = time.perf_counter() - _saving_seconds(runner)
            self._evaluation = Evaluation(self.samples, self.top_losses)

    @_never_fatal
    def after_val_iter(
        self, runner: Run, batch_idx: int, data_batch: DATA_BATCH = None, outputs: Predicted = None
    ) -> None:
        """Look at the predictions of a batch."""
        if self._evaluation is not None and outputs:
            self._evaluation.look(data_batch, outputs)

    @_never_fatal
    def after_val_epoch(self, runner: Run, metrics: dict[str, Any] | None = None) -> None:
        """Note tables and samples."""
        from mainspring.report.samples import Display

        if self._evaluation is None or self._record is None:
            return
        evaluation, self._evaluation = self._evaluation, None
        model: Any = runner.model
        display = Display.of_dataset(
            getattr(_one_of(runner.val_dataloader), "dataset", None),
            getattr(getattr(model, "module", model), "data_preprocessor", None),
        )
        self._record.evaluated_at = runner.iter
        self._record.tables = evaluation.tables(metrics, display)
        self._record.samples = evaluation.samples(display)
        self._record.top_losses = evaluation.top_losses(display)

    @_never_fatal
    def after_val(self, runner: Run) -> None:
        """Bring the pictures up to date, if it is time to."""
        if self._record is None:
            return
        now = time.perf_counter()
        # The best checkpoint is written within.
        validated = now - _saving_seconds(runner) - self._validation_began
        self._record.seconds["validation"] += validated
        if now - self._noted_at > _SECONDS_BETWEEN_NOTES:
            self._note(runner, "running")
        if (now - self._drawn_at) * _SHARE > self._drawing_took:
            self._draw(runner)

    def after_train_epoch(self, runner: Run) -> None:
        """Bring the pictures up to date, if it is time to, also where nothing is validated."""
        if self._record is not None and runner.val_loop is None:
            self._validation_began = time.perf_counter() - _saving_seconds(runner)
            self.after_val(runner)

    @_never_fatal
    def after_train(self, runner: Run) -> None:
        """Note that the training has ended."""
        self._note(runner, "finished")

    @_never_fatal
    def after_run(self, runner: Run) -> None:
        """Draw the pictures, now that everything is written."""
        if self._record is not None:
            self._draw(runner)
            self._end(runner)

    def abandon(self, runner: Run, mode: str) -> None:
        """Draw the pictures of a training that was stopped or has crashed.

        Args:
            runner: The runner.
            mode: Which loop has ended.
        """
        if mode == "train":
            self._abandon(runner)

    @_never_fatal
    def _abandon(self, runner: Run) -> None:
        if self._record is None:
            return
        error = sys.exception()
        is_stop = isinstance(error, KeyboardInterrupt | SystemExit)
        self._record.reason = "" if error is None else f"{type(error).__name__}: {error}"
        self._note(runner, "stopped" if is_stop else "crashed")
        self._draw(runner)
        self._end(runner)

    def _end(self, runner: Run) -> None:
        if self._warnings is not None:
            runner.logger.removeFilter(self._warnings)
        self._record = self._evaluation = self._warnings = None

    def _note(self, runner: Run, state: str) -> None:
        record = self._record
        if record is None:
            return
        record.state = state
        record.updated = time.time()
        record.iteration = runner.iter
        seconds = record.seconds
        seconds["total"] = time.perf_counter() - self._began
        seconds["saving"] = _saving_seconds(runner)
        timer = next((hook for hook in runner.hooks if isinstance(hook, IterTimerHook)), None)
        if timer is not None:
            in_iterations, data = timer.training_seconds
            # What is saved between two iterations counts as waiting for the second one.
            by_epoch = getattr(runner.train_loop, "by_epoch", True)
            saving = 0.0 if by_epoch else seconds["saving"]
            seconds["data"] = data = max(data - saving, 0.0)
            seconds["step"] = max(in_iterations - data - saving, 0.0)
        record.best = [
            {"metric": entry.metric, "score": entry.score, "file": entry.file}
            for hook in runner.hooks
            if isinstance(hook, CheckpointHook) and hook.best is not None
            for entry in hook.best.entries
            if entry.file is not None
        ]
        record.memory = _memory_in_use()
        record.write(runner.log_dir)
        self._noted_at = time.perf_counter()

    def _draw(self, runner: Run) -> None:
        """Draw both pictures; the curves need matplotlib, the page does not."""
        from mainspring.errors import VisualizationError
        from mainspring.report import write_report
        from mainspring.visualization.curves import plot_curves

        began = time.perf_counter()
        folder = Path(runner.work_dir)
        write_report([folder], folder / "report.html")
        try:
            if "curves" not in self._failed:
                plot_curves(folder, folder / "curves.png")
        except VisualizationError:
            pass  # nothing was logged yet
        except ImportError as error:
            self._failed.add("curves")
            runner.logger.info(f"there is no curves.png: {error}")
        self._drawn_at = time.perf_counter()
        self._drawing_took = self._drawn_at - began


def _saving_seconds(runner: Any) -> float:
    return getattr(runner, "saving_seconds", 0.0)  # a runner of another kind counts none


def _one_of(loader: Any) -> Any:
    """A loader; of several by name, the first."""
    return next(iter(loader.values())) if is_named_loaders(loader) else loader


class _Counter(logging.Filter):
    """Counts the warnings of a logger, and lets everything pass.

    Args:
        counts: Where to count them, by their text.
    """

    def __init__(self, counts: dict[str, int]) -> None:
        super().__init__()
        self._counts = counts

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno >= logging.WARNING:
            text = record.getMessage()
            if text in self._counts or len(self._counts) < 200:
                self._counts[text] = self._counts.get(text, 0) + 1
        return True


def _memory_in_use() -> dict[str, float]:
    """Most memory of this process so far, in MB: of the host, and of its GPU."""
    import resource

    import torch

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = {"host": peak / (1 << 20 if sys.platform == "darwin" else 1 << 10)}
    if torch.cuda.is_available():
        found["device"] = torch.cuda.max_memory_reserved() / (1 << 20)
    return found
