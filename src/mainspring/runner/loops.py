"""The visible loops: what happens, in which order, with the hook points at the left margin.

`mainspring.hooks.points` shows the same as a diagram. Reading a loop from top to bottom tells the
story of a training; validation and test are in `evaluation`, what is not the story in
`progress` and the hooks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch

from mainspring.dataset.any_loader import length_of, no_batch_error, set_loader_epoch
from mainspring.dataset.loader.dealing import require_equal_batches, unequal_batches, until_one_ends
from mainspring.dataset.loader.resumable_loader import ResumableLoader
from mainspring.dist import get_world_size
from mainspring.hooks import Run
from mainspring.registry import LOOPS
from mainspring.runner import run_length
from mainspring.runner.agreement import agree
from mainspring.runner.base_loop import BaseLoop
from mainspring.runner.building.device_copies import copies_for
from mainspring.runner.evaluation import TestLoop, ValLoop, evaluation
from mainspring.runner.interruption import all_end, validation_of
from mainspring.runner.state.second_call import call_again

__all__ = ["BaseLoop", "EpochBasedTrainLoop", "IterBasedTrainLoop", "TestLoop", "ValLoop"]


class _TrainLoop(BaseLoop):
    """Counters and validation, shared by the train loops.

    Attributes:
        by_epoch: Whether the length of the run is counted in epochs.
        stop_training: Set to ``True`` to end the run at the next place where it can end.
    """

    by_epoch: bool

    def __init__(
        self,
        runner: Run,
        dataloader: Iterable[Any] | Mapping[str, Any],
        val_begin: int,
        val_interval: int,
        dynamic_intervals: Sequence[tuple[int, int]] | None,
    ) -> None:
        super().__init__(runner, dataloader)
        run_length.check_interval("val_begin", val_begin, 0)
        run_length.check_interval("val_interval", val_interval, 1)
        self.val_begin = val_begin
        self.val_interval = val_interval
        self.dynamic_intervals = run_length.IntervalSchedule(val_interval, dynamic_intervals)
        self.stop_training = False
        self._epoch = 0
        self._iter = 0
        self._completed_epochs = 0
        self._begun_iters = self._completed_iters = 0
        self._validated_at = -1
        self._source: ResumableLoader | None = None
        dataset: Any = getattr(self.dataloader, "dataset", None)
        if hasattr(dataset, "metainfo"):
            runner.visualizer.dataset_meta = dataset.metainfo

    @property
    def source(self) -> ResumableLoader:
        """The loader as something that can begin in the middle of a pass."""
        if self._source is None or self._source.loader is not self.dataloader:
            seed = self.runner.seed if self.runner.sample_rng == "sample" else None
            self._source = ResumableLoader(self.dataloader, seed, copies_for(self.runner.model))
        return self._source

    @property
    def epoch(self) -> int:
        """Number of finished epochs."""
        return self._epoch

    @property
    def iter(self) -> int:
        """Number of finished iterations; inside an iteration, its index."""
        return self._iter

    @property
    def completed_epochs(self) -> int:
        """Finished epochs, counting one whose `after_train_epoch` hooks are running now."""
        return max(self._epoch, self._completed_epochs)

    @property
    def completed_iters(self) -> int:
        """Finished iterations, counting one whose `after_train_iter` hooks are running now."""
        return max(self._iter, self._completed_iters)

    @property
    def has_batch_ahead(self) -> bool:
        """Whether a batch was loaded that no step has been made with."""
        return self._begun_iters > self.completed_iters

    def run_iter(self, idx: int, data_batch: Any) -> None:
        """Train on one batch.

        Args:
            idx: Index of the batch in this epoch; in the run, for a loop by iterations.
            data_batch: What the loader gave.
        """
        runner = self._runner
        model: Any = runner.model
        self._begun_iters = self._iter + 1
        for act in runner.acting_at("before_train_iter"):
            act(runner, batch_idx=idx, data_batch=data_batch)
        outputs = model.train_step(data_batch, optim_wrapper=runner.optim_wrapper)
        self._completed_iters = self._iter + 1
        for act in runner.acting_at("after_train_iter"):
            act(runner, batch_idx=idx, data_batch=data_batch, outputs=outputs)
        self._iter += 1

    def _continue_at(self, state: Mapping[str, int]) -> None:
        self._epoch = self._completed_epochs = state["epoch"]
        self._iter = self._begun_iters = self._completed_iters = state["iter"]
        self._validated_at = state.get("validated_at", -1)
        self._decide_current_val_interval()

    def _begin(self, point: str, *, again: bool) -> None:
        """Call a hook point that the run may have come by before it was interrupted."""
        call_again(self.runner, point) if again else self.runner.call_hook(point)

    def _decide_current_val_interval(self) -> None:
        completed = self._epoch if self.by_epoch else self._iter
        self.val_interval = self.dynamic_intervals.at(completed)

    def _validation_is_due(self, completed: int, last: int) -> bool:
        """Whether to validate after `completed` of `last` epochs or iterations."""
        return (
            self.runner.val_loop is not None
            and completed > 0
            and completed >= self.val_begin
            and (completed % self.val_interval == 0 or completed == last)
            and self._validated_at != self._iter
        )

    def _validate(self) -> None:
        loop, before = self.runner.val_loop, self._validated_at
        with validation_of(self.runner), evaluation(self.runner, loop, "val"):
            self._validated_at = self._iter
            try:
                loop.run()
            except BaseException:
                self._validated_at = before
                raise
        self._agree_on_course()

    def _agree_on_course(self) -> None:
        """Let all ranks go on alike (all ranks): any may end the run, rank 0 names the interval."""
        self.stop_training, self.val_interval = agree(
            (self.stop_training, self.val_interval),
            lambda of_ranks: (any(stop for stop, _ in of_ranks), of_ranks[0][1]),
        )


@LOOPS.register_module()
class EpochBasedTrainLoop(_TrainLoop):
    """Train for a number of passes through the training data.

    Args:
        runner: The runner that carries out the loop.
        dataloader: A loader, or the dict to build it from.
        max_epochs: Number of passes.
        val_begin: First epoch after which to validate.
        val_interval: Epochs between two validations.
        dynamic_intervals: Pairs (epoch, interval): from that epoch on, validate at that interval.

    Example:
        >>> train_cfg = dict(by_epoch=True, max_epochs=12, val_begin=3, dynamic_intervals=[(10, 1)])
    """

    by_epoch = True

    def __init__(
        self,
        runner: Run,
        dataloader: Iterable[Any] | Mapping[str, Any],
        max_epochs: int,
        val_begin: int = 1,
        val_interval: int = 1,
        dynamic_intervals: Sequence[tuple[int, int]] | None = None,
    ) -> None:
        super().__init__(runner, dataloader, val_begin, val_interval, dynamic_intervals)
        self._max_epochs = run_length.checked_length("max_epochs", max_epochs)
        require_equal_batches(self.dataloader, "train_dataloader")
        self._epoch_length = length_of(self.dataloader) or 0
        self._said_length = False
        self._first_batch = 0
        self._epoch_began_at = 0

    @property
    def max_epochs(self) -> int:
        """Epochs of the whole run."""
        return self._max_epochs

    @property
    def max_iters(self) -> int:
        """Iterations of the whole run; 0 if the loader is a stream, which knows no length."""
        return self._max_epochs * self._epoch_length

    def run(self) -> torch.nn.Module:
        """Train to the end; returns the model."""
        self._begin("before_train", again=self._iter > 0)
        if self._first_batch == 0 and self._validation_is_due(self._epoch, self._max_epochs):
            self._validate()
        while self._epoch < self._max_epochs and not self.stop_training:
            self.run_epoch()
            self._decide_current_val_interval()
            self._agree_on_course()
            if self._validation_is_due(self._epoch, self._max_epochs):
                self._validate()
        self.runner.call_hook("after_train")
        return self.runner.model

    def run_epoch(self) -> None:
        """Train through the data once, from wherever an interrupted epoch stopped."""
        first_batch, self._first_batch = self._first_batch, 0
        self._epoch_began_at = self._iter - first_batch
        set_loader_epoch(self.dataloader, self._epoch)
        self._begin("before_train_epoch", again=first_batch > 0)
        self.runner.modes.train(self.runner.model)
        batches = self.source.batches(self._epoch, first_batch)
        if not self._epoch_length and get_world_size() > 1:
            batches = until_one_ends(batches, "train_dataloader")
        for idx, batch in enumerate(batches, first_batch):
            self.run_iter(idx, batch)
        if self._iter == self._epoch_began_at:
            raise no_batch_error("train_dataloader")
        self._say_other_length(self._iter - self._epoch_began_at)
        self._completed_epochs = self._epoch + 1
        self.runner.call_hook("after_train_epoch")
        self._epoch += 1
        self._epoch_began_at = self._iter

    def _say_other_length(self, batches: int) -> None:
        """Say, once, that an epoch has another length than the run was laid out for."""
        if self._epoch_length in (0, batches) or self._said_length:
            return
        self._said_length = True
        self.runner.logger.warning(
            f"epoch {self._epoch + 1} had {batches} batches, and the training data had "
            f"{self._epoch_length} when the run began. What counts iterations (schedules, also "
            "those that convert_to_iter_based made so, and max_iters) goes by the latter"
        )

    def state_dict(self) -> dict[str, int]:
        """The position: finished epochs and iterations, and batches of the unfinished epoch."""
        within = self.completed_iters - self._epoch_began_at
        return {
            "epoch": self.completed_epochs,
            "iter": self.completed_iters,
            "pass": self.completed_epochs,
            "batches": within if self.completed_epochs == self._epoch else 0,
            "validated_at": self._validated_at,
        }

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        """Continue from a position that `state_dict` recorded."""
        self._continue_at(state)
        self._first_batch = state.get("batches", 0)
        self._epoch_began_at = self._iter - self._first_batch


@LOOPS.register_module()
class IterBasedTrainLoop(_TrainLoop):
    """Train for a number of iterations, starting the data anew whenever it ends.

    Args:
        runner: The runner that carries out the loop.
        dataloader: A loader, or the dict to build it from.
        max_iters: Number of iterations.
        val_begin: First iteration after which to validate.
        val_interval: Iterations between two validations.
        dynamic_intervals: Pairs (iteration, interval): from there on, validate at that interval.

    Example:
        >>> train_cfg = dict(by_epoch=False, max_iters=80_000, val_interval=8_000)
    """

    by_epoch = False

    def __init__(
        self,
        runner: Run,
        dataloader: Iterable[Any] | Mapping[str, Any],
        max_iters: int,
        val_begin: int = 1,
        val_interval: int = 1000,
        dynamic_intervals: Sequence[tuple[int, int]] | None = None,
    ) -> None:
        super().__init__(runner, dataloader, val_begin, val_interval, dynamic_intervals)
        self._max_iters = run_length.checked_length("max_iters", max_iters)
        numbers = unequal_batches(self.dataloader)
        if numbers is not None:
            runner.logger.warning(
                f"train_dataloader has different numbers of batches: {numbers}; the ranks begin "
                "their passes through the data at different iterations"
            )
        self._max_epochs = 1
        self._batches: run_length.EndlessBatches | None = None
        self._undone = 0
        if run_length.draws_from_global_generator(self.dataloader):
            self._batches = run_length.EndlessBatches(self.source)

    @property
    def max_epochs(self) -> int:
        """Always 1: the whole run is one epoch to the hooks."""
        return self._max_epochs

    @property
    def max_iters(self) -> int:
        """Iterations of the whole run."""
        return self._max_iters

    @property
    def dataloader_iterator(self) -> run_length.EndlessBatches:
        """The batches, pass after pass through the loader."""
        if self._batches is None:
            self._batches = run_length.EndlessBatches(self.source)
        return self._batches

    def run(self) -> torch.nn.Module:
        """Train to the end; returns the model."""
        runner = self.runner
        self._begin("before_train", again=self._iter > 0)
        self._begin("before_train_epoch", again=self._iter > 0)
        if self._validation_is_due(self._iter, self._max_iters):
            self._validate()
        runner.modes.train(runner.model)
        batches = self.dataloader_iterator
        changes = len(self.dynamic_intervals.intervals) > 1
        while self._iter < self._max_iters and not (
            self.stop_training and all_end(runner, self._iter)
        ):
            batch = next(batches)
            try:
                self.run_iter(batch)
            except BaseException:
                self._undone = int(self._completed_iters == self._iter)
                raise
            if changes:
                self._decide_current_val_interval()
            is_nth = self._iter % self.val_interval == 0 or self._iter == self._max_iters
            if is_nth and self._validation_is_due(self._iter, self._max_iters):
                self._validate()
        self._completed_epochs = self._epoch + 1
        runner.call_hook("after_train_epoch")
        self._epoch += 1
        runner.call_hook("after_train")
        return runner.model

    def run_iter(self, data_batch: Any) -> None:  # type: ignore[override]  # - as in MMEngine
        """Train on one batch.

        Args:
            data_batch: What the loader gave.
        """
        super().run_iter(self._iter, data_batch)

    def state_dict(self) -> dict[str, int]:
        """The position: finished iterations, pass through the loader, batches of that pass."""
        batches = self.dataloader_iterator
        return {
            "epoch": self.completed_epochs,
            "iter": self.completed_iters,
            "pass": batches.epoch,
            "batches": batches.delivered - self._undone,
            "validated_at": self._validated_at,
        }

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        """Continue from a position that `state_dict` recorded."""
        self._continue_at(state)
        number, batches = state.get("pass"), state.get("batches", state["iter"])
        if number is None:
            number, batches = run_length.begin_behind(self.dataloader, batches)
        self._batches = run_length.EndlessBatches(self.source, number, batches)
        self._undone = 0
