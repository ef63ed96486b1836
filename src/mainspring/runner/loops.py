"""The visible loops: what happens, in which order, with the hook points at the left margin.

`mainspring.hooks.points` shows the same as a diagram. Reading a loop from top to bottom tells the
story of a run; what is not the story lives in `progress`, `evaluation` and the hooks.
"""

from __future__ import annotations

from abc import ABCMeta, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch

from mainspring.dataset import DataLoader, InfiniteSampler
from mainspring.dataset.resumable_loader import ResumableLoader
from mainspring.evaluator import Evaluator
from mainspring.evaluator.evaluator import OneMetric
from mainspring.registry import LOOPS
from mainspring.runner.device_copies import copies_for
from mainspring.runner.evaluation import (
    EvaluationSet,
    LossAverage,
    evaluation_sets,
    losses_of,
    merge_metrics,
    precision,
    quiet_generators,
    split_reported_losses,
)
from mainspring.runner.interruption import interruptible, validation_of
from mainspring.runner.progress import (
    EndlessBatches,
    IntervalSchedule,
    checked_length,
    draws_from_global_generator,
    set_loader_epoch,
)

__all__ = [
    "BaseLoop",
    "EpochBasedTrainLoop",
    "IterBasedTrainLoop",
    "TestLoop",
    "ValLoop",
]


class BaseLoop(metaclass=ABCMeta):
    """What every loop has: the runner and a loader.

    Args:
        runner: The runner that carries out the loop.
        dataloader: A loader, or the dict to build it from.
    """

    def __init__(self, runner: Any, dataloader: Iterable[Any] | Mapping[str, Any]) -> None:
        self._runner = runner
        self.dataloader = runner.ready_dataloader(dataloader)

    @property
    def runner(self) -> Any:
        """The runner that carries out this loop."""
        return self._runner

    @abstractmethod
    def run(self) -> Any:
        """Carry out the loop."""


class _TrainLoop(BaseLoop):
    """Counters and validation, shared by the train loops.

    Attributes:
        by_epoch: Whether the length of the run is counted in epochs.
        stop_training: Set to ``True`` to end the run at the next place where it can end.
    """

    by_epoch: bool

    def __init__(
        self,
        runner: Any,
        dataloader: Iterable[Any] | Mapping[str, Any],
        val_begin: int,
        val_interval: int,
        dynamic_intervals: Sequence[tuple[int, int]] | None,
    ) -> None:
        super().__init__(runner, dataloader)
        self.val_begin = val_begin
        self.val_interval = val_interval
        self.dynamic_intervals = IntervalSchedule(val_interval, dynamic_intervals)
        self.stop_training = False
        self._epoch = 0
        self._iter = 0
        self._completed_epochs = 0
        self._completed_iters = 0
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

    def _continue_at(self, state: Mapping[str, int]) -> None:
        self._epoch = self._completed_epochs = state["epoch"]
        self._iter = self._completed_iters = state["iter"]
        self._validated_at = state.get("validated_at", -1)
        self._decide_current_val_interval()

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
        with validation_of(self.runner):
            self._validated_at = self._iter
            self.runner.val_loop.run()


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
    """

    by_epoch = True

    def __init__(
        self,
        runner: Any,
        dataloader: Iterable[Any] | Mapping[str, Any],
        max_epochs: int,
        val_begin: int = 1,
        val_interval: int = 1,
        dynamic_intervals: Sequence[tuple[int, int]] | None = None,
    ) -> None:
        super().__init__(runner, dataloader, val_begin, val_interval, dynamic_intervals)
        self._max_epochs = checked_length("max_epochs", max_epochs)
        self._max_iters = self._max_epochs * len(self.dataloader)
        self._first_batch = 0
        self._epoch_began_at = 0

    @property
    def max_epochs(self) -> int:
        """Epochs of the whole run."""
        return self._max_epochs

    @property
    def max_iters(self) -> int:
        """Iterations of the whole run."""
        return self._max_iters

    def run(self) -> torch.nn.Module:
        """Train to the end; returns the model."""
        self.runner.call_hook("before_train")
        if self._first_batch == 0 and self._validation_is_due(self._epoch, self._max_epochs):
            self._validate()
        while self._epoch < self._max_epochs and not self.stop_training:
            self.run_epoch()
            self._decide_current_val_interval()
            if self._validation_is_due(self._epoch, self._max_epochs):
                self._validate()
        self.runner.call_hook("after_train")
        model: torch.nn.Module = self.runner.model
        return model

    def run_epoch(self) -> None:
        """Train through the data once, from wherever an interrupted epoch stopped."""
        first_batch, self._first_batch = self._first_batch, 0
        self._epoch_began_at = self._iter - first_batch
        set_loader_epoch(self.dataloader, self._epoch)
        self.runner.call_hook("before_train_epoch")
        self.runner.model.train()
        for idx, batch in enumerate(self.source.batches(self._epoch, first_batch), first_batch):
            self.run_iter(idx, batch)
        self._completed_epochs = self._epoch + 1
        self.runner.call_hook("after_train_epoch")
        self._epoch += 1
        self._epoch_began_at = self._iter

    def run_iter(self, idx: int, data_batch: Any) -> None:
        """Train on one batch.

        Args:
            idx: Index of the batch in this epoch.
            data_batch: What the loader gave.
        """
        runner = self._runner
        for act in runner.acting_at("before_train_iter"):
            act(runner, batch_idx=idx, data_batch=data_batch)
        outputs = runner.model.train_step(data_batch, optim_wrapper=runner.optim_wrapper)
        self._completed_iters = self._iter + 1
        for act in runner.acting_at("after_train_iter"):
            act(runner, batch_idx=idx, data_batch=data_batch, outputs=outputs)
        self._iter += 1

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
    """

    by_epoch = False

    def __init__(
        self,
        runner: Any,
        dataloader: Iterable[Any] | Mapping[str, Any],
        max_iters: int,
        val_begin: int = 1,
        val_interval: int = 1000,
        dynamic_intervals: Sequence[tuple[int, int]] | None = None,
    ) -> None:
        super().__init__(runner, dataloader, val_begin, val_interval, dynamic_intervals)
        self._max_iters = checked_length("max_iters", max_iters)
        self._max_epochs = 1
        self._batches: EndlessBatches | None = None
        if draws_from_global_generator(self.dataloader):
            self._batches = EndlessBatches(self.source)

    @property
    def max_epochs(self) -> int:
        """Always 1: the whole run is one epoch to the hooks."""
        return self._max_epochs

    @property
    def max_iters(self) -> int:
        """Iterations of the whole run."""
        return self._max_iters

    @property
    def dataloader_iterator(self) -> EndlessBatches:
        """The batches, pass after pass through the loader."""
        if self._batches is None:
            self._batches = EndlessBatches(self.source)
        return self._batches

    def run(self) -> torch.nn.Module:
        """Train to the end; returns the model."""
        runner = self.runner
        runner.call_hook("before_train")
        runner.call_hook("before_train_epoch")
        if self._validation_is_due(self._iter, self._max_iters):
            self._validate()
        runner.model.train()
        batches = self.dataloader_iterator
        changes = len(self.dynamic_intervals.intervals) > 1
        while self._iter < self._max_iters and not self.stop_training:
            self.run_iter(next(batches))
            if changes:
                self._decide_current_val_interval()
            is_nth = self._iter % self.val_interval == 0 or self._iter == self._max_iters
            if is_nth and self._validation_is_due(self._iter, self._max_iters):
                self._validate()
                runner.model.train()
        self._completed_epochs = self._epoch + 1
        runner.call_hook("after_train_epoch")
        self._epoch += 1
        runner.call_hook("after_train")
        model: torch.nn.Module = runner.model
        return model

    def run_iter(self, data_batch: Any) -> None:
        """Train on one batch.

        Args:
            data_batch: What the loader gave.
        """
        runner, idx = self._runner, self._iter
        for act in runner.acting_at("before_train_iter"):
            act(runner, batch_idx=idx, data_batch=data_batch)
        outputs = runner.model.train_step(data_batch, optim_wrapper=runner.optim_wrapper)
        self._completed_iters = idx + 1
        for act in runner.acting_at("after_train_iter"):
            act(runner, batch_idx=idx, data_batch=data_batch, outputs=outputs)
        self._iter += 1

    def state_dict(self) -> dict[str, int]:
        """The position: finished iterations, pass through the loader, batches of that pass."""
        batches = self.dataloader_iterator
        return {
            "epoch": self.completed_epochs,
            "iter": self.completed_iters,
            "pass": batches.epoch,
            "batches": batches.delivered,
            "validated_at": self._validated_at,
        }

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        """Continue from a position that `state_dict` recorded."""
        self._continue_at(state)
        number, batches = state.get("pass"), state.get("batches", state["iter"])
        if number is None:
            number, batches = self._begin_behind(batches)
        self._batches = EndlessBatches(self.source, number, batches)

    def _begin_behind(self, iterations: int) -> tuple[int, int]:
        """Pass and batches of it, for checkpoints of others, which count iterations only."""
        loader = self.dataloader
        is_endless = isinstance(getattr(loader, "sampler", None), InfiniteSampler)
        length = len(loader) if hasattr(loader, "__len__") and not is_endless else 0
        number, batches = divmod(iterations, length) if length else (0, iterations)
        if isinstance(loader, DataLoader):
            loader.load_state_dict({"epoch": number, "batches": batches, "seed": loader.seed})
        return number, batches


class _EvaluationLoop(BaseLoop):
    """Evaluate on one or several data sets, with one sequence of hook points for all.

    Attributes:
        sets: The named data sets with their evaluators.
        evaluator: Evaluator of the set that is being evaluated.
        dataloader: Loader of the set that is being evaluated.
        fp16: Whether to run the model under autocast.
        compute_loss: Whether to compute the losses as well.
    """

    mode: str

    def __init__(
        self,
        runner: Any,
        dataloader: Iterable[Any] | Mapping[str, Any],
        evaluator: Evaluator | OneMetric | Sequence[OneMetric] | Mapping[str, Any] | None,
        fp16: bool = False,
        compute_loss: bool = False,
    ) -> None:
        self._runner = runner
        self.sets: list[EvaluationSet] = evaluation_sets(runner, dataloader, evaluator, self.mode)
        self.fp16 = fp16
        self.compute_loss = compute_loss
        self._enter(self.sets[0])

    def _enter(self, evaluation_set: EvaluationSet) -> None:
        self.dataloader = evaluation_set.dataloader
        self.evaluator = evaluation_set.evaluator
        self._losses = LossAverage()
        metainfo = getattr(getattr(self.dataloader, "dataset", None), "metainfo", None)
        if metainfo is not None:
            if self.evaluator is not None:
                self.evaluator.dataset_meta = metainfo
            self._runner.visualizer.dataset_meta = metainfo

    def run(self) -> dict[str, Any]:
        """Evaluate; returns the metrics by name."""
        call_hook, mode = self.runner.call_hook, self.mode
        metrics: dict[str, Any] = {}
        with quiet_generators(self.runner.sample_rng == "sample"):
            call_hook(f"before_{mode}")
            call_hook(f"before_{mode}_epoch")
            self.runner.model.eval()
            for evaluation_set in self.sets:
                self._enter(evaluation_set)
                set_loader_epoch(self.dataloader, 0)
                for idx, data_batch in enumerate(interruptible(self.runner, self.dataloader)):
                    self.run_iter(idx, data_batch)
                merge_metrics(metrics, self._metrics_of_set(), evaluation_set.name)
            call_hook(f"after_{mode}_epoch", metrics=metrics)
        call_hook(f"after_{mode}")
        return metrics

    @torch.no_grad()
    def run_iter(self, idx: int, data_batch: Any) -> None:
        """Evaluate one batch.

        Args:
            idx: Index of the batch in its data set.
            data_batch: What the loader gave.
        """
        runner, mode = self._runner, self.mode
        for act in runner.acting_at(f"before_{mode}_iter"):
            act(runner, batch_idx=idx, data_batch=data_batch)
        with precision(self.fp16):
            outputs, losses = self._predict(data_batch)
        if losses:
            self._losses.add(losses, len(outputs) if isinstance(outputs, Sequence) else 1)
        if self.evaluator is not None:
            self.evaluator.process(data_samples=outputs, data_batch=data_batch)
        for act in runner.acting_at(f"after_{mode}_iter"):
            act(runner, batch_idx=idx, data_batch=data_batch, outputs=outputs)

    def _predict(self, data_batch: Any) -> tuple[Any, Mapping[str, Any] | None]:
        model = self._runner.model
        if self.compute_loss and hasattr(model, "loss_and_predict"):
            losses, outputs = model.loss_and_predict(data_batch)
            return outputs, losses
        step = model.val_step if self.mode == "val" else model.test_step
        losses = losses_of(model, data_batch) if self.compute_loss else None
        outputs, reported = split_reported_losses(step(data_batch))
        return outputs, losses if losses is not None else reported

    def _metrics_of_set(self) -> dict[str, Any]:
        metrics: dict[str, Any] = {}
        if self.evaluator is not None:
            metrics.update(self.evaluator.evaluate(len(self.dataloader.dataset)))
        return {**metrics, **self._losses.result(self.mode)}


@LOOPS.register_module()
class ValLoop(_EvaluationLoop):
    """Validate.

    Args:
        runner: The runner that carries out the loop.
        dataloader: A loader (or its dict), a list of them, or a dict from name to loader.
        evaluator: An evaluator, or what describes it; a dict by name beside named loaders.
        fp16: Whether to run the model under autocast.
        compute_loss: Whether to compute the losses as well; they join the metrics under their own
            names and as ``val_loss``.
    """

    mode = "val"


@LOOPS.register_module()
class TestLoop(_EvaluationLoop):
    """Test.

    Args:
        runner: The runner that carries out the loop.
        dataloader: A loader (or its dict), a list of them, or a dict from name to loader.
        evaluator: An evaluator, or what describes it; a dict by name beside named loaders.
        fp16: Whether to run the model under autocast.
        compute_loss: Whether to compute the losses as well; they join the metrics under their own
            names and as ``test_loss``.
    """

    __test__ = False
    mode = "test"
