"""The loops of validation and test, with the hook points at the left margin."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

import torch

from mainspring.checkpoint.sharded import is_sharded
from mainspring.dataset.any_loader import no_batch_error, set_loader_epoch
from mainspring.dataset.dealing import comparing_ranks, every_item_once, require_equal_batches
from mainspring.evaluator import Evaluator
from mainspring.evaluator.evaluator import OneMetric
from mainspring.hooks import Run
from mainspring.registry import LOOPS
from mainspring.rng.states import quiet_generators
from mainspring.runner.agreement import agreed_metrics
from mainspring.runner.base_loop import BaseLoop
from mainspring.runner.evaluation import (
    EvaluationSet,
    LossAverage,
    evaluation,
    evaluation_sets,
    losses_of,
    number_of_samples,
    precision,
    require_step,
    samples_in,
    split_reported_losses,
)
from mainspring.runner.interruption import interruptible

if TYPE_CHECKING:
    from mainspring.runner.runner import Runner

__all__ = ["TestLoop", "ValLoop"]


class _EvaluationLoop(BaseLoop):
    """Evaluate on one or several data sets, with one sequence of hook points for all.

    Attributes:
        sets: The named data sets with their evaluators.
        evaluator: Evaluator of the set that is being evaluated.
        dataloader: Loader of the set that is being evaluated.
        batches: How many it gave so far.
        fp16: Whether to run the model under autocast.
        compute_loss: Whether to compute the losses as well.
    """

    mode: str

    def __init__(
        self,
        runner: Run,
        dataloader: Iterable[Any] | Mapping[str, Any],
        evaluator: Evaluator | OneMetric | Sequence[OneMetric] | Mapping[str, Any] | None,
        fp16: bool = False,
        compute_loss: bool = False,
    ) -> None:
        self._runner = cast("Runner", runner)
        self.sets = evaluation_sets(self._runner, dataloader, evaluator, self.mode)
        self.fp16 = fp16
        self.compute_loss = compute_loss
        if type(self).run_iter is _EvaluationLoop.run_iter and not compute_loss:
            require_step(self._runner.model, self.mode)
        self._enter(self.sets[0])

    def _enter(self, evaluation_set: EvaluationSet) -> None:
        self.dataloader = evaluation_set.dataloader
        self.evaluator = evaluation_set.evaluator
        self._losses = LossAverage()
        self._samples = self.batches = 0
        metainfo = getattr(getattr(self.dataloader, "dataset", None), "metainfo", None)
        if metainfo is not None:
            if self.evaluator is not None:
                self.evaluator.dataset_meta = metainfo
            self._runner.visualizer.dataset_meta = metainfo

    def run(self) -> dict[str, Any]:
        """Evaluate; returns the metrics by name."""
        call_hook, mode = self.runner.call_hook, self.mode
        metrics: dict[str, Any] = {}
        with (
            evaluation(self.runner, self, mode),
            quiet_generators(self.runner.sample_rng == "sample"),
        ):
            call_hook(f"before_{mode}")
            call_hook(f"before_{mode}_epoch")
            self.runner.model.eval()
            for evaluation_set in self.sets:
                self._enter(evaluation_set)
                set_loader_epoch(self.dataloader, 0)
                with self._dealt_out(evaluation_set) as batches:
                    for idx, data_batch in enumerate(interruptible(self.runner, batches)):
                        self.run_iter(idx, data_batch)
                if not self.batches and batches != ():  # other ranks have the few items there are
                    raise no_batch_error(f"{mode}_dataloader")
                prefix = f"{evaluation_set.name}/" if evaluation_set.name else ""
                metrics |= {f"{prefix}{key}": value for key, value in self._measured().items()}
            metrics = agreed_metrics(metrics)
            call_hook(f"after_{mode}_epoch", metrics=metrics)
        call_hook(f"after_{mode}")
        return metrics

    @contextmanager
    def _dealt_out(self, evaluation_set: EvaluationSet) -> Iterator[Iterable[Any]]:
        """This rank's batches of a data set."""
        loader, name = evaluation_set.dataloader, evaluation_set.name
        section = f"{self.mode}_dataloader.{name}" if name else f"{self.mode}_dataloader"
        if is_sharded(self._runner.model):  # the ranks compute each batch together
            require_equal_batches(loader, section)
            yield loader
            return
        with every_item_once(loader) as batches, evaluation_set.drawing_as_before():
            if not evaluation_set.is_compared:
                batches = comparing_ranks(batches, loader, section)
                evaluation_set.is_compared = True
            yield batches

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
        samples = samples_in(outputs, data_batch)
        self._samples += samples
        self.batches = idx + 1
        if losses:
            self._losses.add(losses, samples)
        if self.evaluator is not None:
            self.evaluator.process(data_samples=outputs, data_batch=data_batch)
        for act in runner.acting_at(f"after_{mode}_iter"):
            act(runner, batch_idx=idx, data_batch=data_batch, outputs=outputs)

    def _predict(self, data_batch: Any) -> tuple[Any, Mapping[str, Any] | None]:
        model: Any = self._runner.model
        if self.compute_loss and hasattr(model, "loss_and_predict"):
            losses, outputs = model.loss_and_predict(data_batch)
            return outputs, losses
        step = model.val_step if self.mode == "val" else model.test_step
        losses = losses_of(model, data_batch) if self.compute_loss else None
        outputs, reported = split_reported_losses(step(data_batch))
        return outputs, losses if losses is not None else reported

    def _measured(self) -> dict[str, Any]:
        losses = self._losses.result(self.mode)
        if self.evaluator is None:
            return losses
        size = number_of_samples(self.dataloader, self._samples)
        return {**self.evaluator.evaluate(size), **losses}


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

    Example:
        >>> val_cfg = dict(type="ValLoop", compute_loss=True)
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

    Example:
        >>> test_cfg = dict(type="TestLoop", fp16=True)
    """

    __test__ = False
    mode = "test"
