"""Validation and test: their loops, with the hook points at the left margin, and what these share.

That is named data sets with evaluators, losses, and quiet generators.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import torch

from mainspring.checkpoint.apply import unwrap
from mainspring.checkpoint.sharded import is_sharded
from mainspring.dataset import any_loader
from mainspring.dataset.loader.dealing import (
    comparing_ranks,
    every_item_once,
    require_equal_batches,
)
from mainspring.device import autocast, get_device
from mainspring.dist import all_gather_object
from mainspring.errors import ConfigError
from mainspring.evaluator import Evaluator
from mainspring.evaluator.evaluator import OneMetric, forget_results
from mainspring.hooks import Run
from mainspring.model.samples import batch_size
from mainspring.registry import LOOPS
from mainspring.rng.states import quiet_generators
from mainspring.runner.agreement import agree, agreed_metrics
from mainspring.runner.base_loop import BaseLoop
from mainspring.runner.interruption import interruptible
from mainspring.structures import BaseDataElement

if TYPE_CHECKING:
    from mainspring.runner.runner import Runner

__all__ = [
    "EvaluationSet",
    "TestLoop",
    "ValLoop",
    "evaluation",
    "precision",
    "split_reported_losses",
]


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
        self.sets = _evaluation_sets(self._runner, dataloader, evaluator, self.mode)
        self.fp16 = fp16
        self.compute_loss = compute_loss
        if type(self).run_iter is _EvaluationLoop.run_iter and not compute_loss:
            _require_step(self._runner.model, self.mode)
        self._enter(self.sets[0])

    def _enter(self, evaluation_set: EvaluationSet) -> None:
        self.dataloader = evaluation_set.dataloader
        self.evaluator = evaluation_set.evaluator
        self._losses = _LossAverage()
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
                any_loader.set_loader_epoch(self.dataloader, 0)
                with self._dealt_out(evaluation_set) as batches:
                    for idx, data_batch in enumerate(interruptible(self.runner, batches)):
                        self.run_iter(idx, data_batch)
                if not self.batches and batches != ():  # other ranks have the few items there are
                    raise any_loader.no_batch_error(f"{mode}_dataloader")
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

    def run_iter(self, idx: int, data_batch: Any) -> None:
        """Evaluate one batch.

        Args:
            idx: Index of the batch in its data set.
            data_batch: What the loader gave.
        """
        runner, mode = self._runner, self.mode
        with torch.set_grad_enabled(False):  # sooner than no_grad
            for act in runner.acting_at(f"before_{mode}_iter"):
                act(runner, batch_idx=idx, data_batch=data_batch)
            with precision(self.fp16):
                outputs, losses = self._predict(data_batch)
            samples = _samples_in(outputs, data_batch)
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
        losses = _losses_of(model, data_batch) if self.compute_loss else None
        outputs, reported = split_reported_losses(step(data_batch))
        return outputs, losses if losses is not None else reported

    def _measured(self) -> dict[str, Any]:
        losses = self._losses.result(self.mode)
        if self.evaluator is None:
            return losses
        size = _number_of_samples(self.dataloader, self._samples)
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


# What they share


@contextmanager
def evaluation(runner: Runner, loop: Any, mode: str) -> Iterator[None]:
    """A validation or test: begins without what an earlier one left, and leaves nothing behind.

    However it ends, a model that is being trained has its modes again, and an exception lets hooks
    undo what they changed for its time.

    Args:
        runner: The run.
        loop: The loop that evaluates.
        mode: ``"val"`` or ``"test"``.
    """
    for evaluator in [each.evaluator for each in getattr(loop, "sets", [loop])]:
        forget_results(evaluator)
    with runner.modes.evaluating(runner.model, then_train=runner.is_training):
        try:
            yield
        except BaseException as error:
            runner.abandon(mode, error)
            raise


@dataclass
class EvaluationSet:
    """One data set to evaluate on.

    Attributes:
        name: Prefix of its metrics; empty when it is the only one.
        dataloader: Its loader.
        evaluator: Its evaluator; ``None`` when only losses are wanted.
        is_compared: Whether it is known if all ranks are given the same data.
        had_workers: Whether, in the run that this one continues, workers stood ready for it.
    """

    name: str
    dataloader: Any
    evaluator: Any
    is_compared: bool = False
    had_workers: bool = False

    @contextmanager
    def drawing_as_before(self) -> Iterator[None]:
        """Draw no base seed where workers that are started anew take the place of such as go on."""
        replaced = self.had_workers and not any_loader.workers_stand_ready(self.dataloader)
        self.had_workers = False
        if not replaced:
            yield
            return
        attributes = vars(self.dataloader)
        kept, attributes["generator"] = attributes["generator"], torch.Generator()
        try:
            yield
        finally:
            attributes["generator"] = kept


def _evaluation_sets(
    runner: Runner, dataloader: Any, evaluator: Any, section: str
) -> list[EvaluationSet]:
    """Pair loaders with evaluators.

    Args:
        runner: Builds what is still a dict.
        dataloader: One loader (or its dict; a list of batches is one, too), a list of them, or a
            dict from name to loader.
        evaluator: One evaluator (or what describes it) for every loader, or, beside named loaders,
            a dict from the same names to evaluators.
        section: ``"val"`` or ``"test"``, for error messages.

    Raises:
        ConfigError: The names of loaders and evaluators differ.
    """
    is_list = isinstance(dataloader, list | tuple) and bool(dataloader)
    is_list = is_list and not any(map(any_loader.is_batch, dataloader))
    if any_loader.is_named_loaders(dataloader):
        loaders = dict(dataloader)
    elif is_list:
        loaders = {str(index): loader for index, loader in enumerate(dataloader)}
    else:
        ready = runner.ready_dataloader(dataloader, f"{section}_dataloader")
        return [EvaluationSet("", ready, runner.ready_evaluator(evaluator, section))]
    if isinstance(evaluator, Mapping) and "type" not in evaluator:
        evaluators = dict(evaluator)
    elif is_list and _is_evaluator_list(evaluator, len(loaders)):
        evaluators = {str(index): item for index, item in enumerate(evaluator)}
    else:
        evaluators = dict.fromkeys(loaders, evaluator)
    if set(evaluators) != set(loaders):
        raise ConfigError(
            f"{section}_dataloader names {', '.join(loaders)}, but {section}_evaluator names "
            f"{', '.join(map(str, evaluators))}",
            config_path=f"{section}_evaluator",
            help="use the same names in both, or one evaluator for all",
        )
    sets = []
    for name, loader in loaders.items():
        ready = runner.ready_dataloader(loader, f"{section}_dataloader.{name}")
        evaluator_here = runner.ready_evaluator(evaluators[name], section)
        sets.append(EvaluationSet(name, ready, evaluator_here))
    return sets


def _is_evaluator_list(evaluator: Any, count: int) -> bool:
    """A list of lists (or evaluators), one for each loader, as opposed to a list of metrics."""
    return (
        isinstance(evaluator, list | tuple)
        and len(evaluator) == count
        and all(isinstance(item, list | tuple) or hasattr(item, "evaluate") for item in evaluator)
        and not all(hasattr(item, "compute_metrics") for item in evaluator)
    )


class _LossAverage:
    """Mean of validation losses over a loop and over the ranks, weighted by samples."""

    def __init__(self) -> None:
        self._sums: dict[str, torch.Tensor] = {}
        self._weight = 0

    def add(self, losses: Mapping[str, Any], weight: int) -> None:
        """Add the losses of one batch of `weight` samples."""
        for name, value in losses.items():
            terms = value if isinstance(value, list | tuple) else [value]
            total = torch.stack([term.detach().float().mean() for term in terms]).sum() * weight
            self._sums[name] = self._sums[name] + total if name in self._sums else total
        self._weight += weight

    def result(self, mode: str) -> dict[str, float]:
        """The means by name, and their total as ``val_loss`` (``test_loss``) (all ranks)."""
        own = {name: total.item() for name, total in self._sums.items()}
        sums, weight = agree((own, self._weight), _added)
        if not sums:
            return {}
        means = {name: total / weight for name, total in sums.items()}
        parts = [value for name, value in means.items() if "loss" in name and name != "loss"]
        return {**means, f"{mode}_loss": means["loss"] if "loss" in means else sum(parts)}


def _added(of_ranks: list[tuple[dict[str, float], int]]) -> tuple[dict[str, float], int]:
    sums: dict[str, float] = {}
    for own, _ in of_ranks:
        for name, value in own.items():
            sums[name] = sums.get(name, 0.0) + value
    return sums, sum(weight for _, weight in of_ranks)


def _samples_in(outputs: Any, data_batch: Any) -> int:
    """How many samples a batch has, which is the weight of its losses; 1 if nothing tells."""
    if isinstance(outputs, Sequence) and len(outputs):
        return len(outputs)
    for value in (outputs, data_batch):
        with suppress(TypeError):
            return batch_size(value)
    return 1


def _require_step(model: torch.nn.Module, mode: str) -> None:
    """Refuse a model that cannot be evaluated, before it is trained.

    Raises:
        ConfigError: It has no ``val_step`` or ``test_step``, which the mode asks for.
    """
    model = unwrap(model)
    if not hasattr(model, f"{mode}_step"):
        raise ConfigError(
            f"{type(model).__name__} has no {mode}_step",
            config_path="model",
            help=f"write {mode}_step(self, data), which returns the predictions of a batch, or "
            f"leave {mode}_cfg and what belongs to it out",
        )


def _losses_of(model: torch.nn.Module, data_batch: Any) -> dict[str, torch.Tensor]:
    """The losses of a batch in evaluation mode.

    Raises:
        ConfigError: The model computes no losses outside its training step.
    """
    model = unwrap(model)
    for needed in ("data_preprocessor", "_run_forward", "parse_losses"):
        if not hasattr(model, needed):
            raise ConfigError(
                f"compute_loss=True needs a model that can run forward(mode='loss'), and "
                f"{type(model).__name__} is none",
                config_path="val_cfg.compute_loss",
                help="derive it from mainspring.model.BaseModel, or wrap it in Supervised",
            )
    data = model.data_preprocessor(data_batch, False)  # type: ignore[operator]  # - a Module, see above
    losses = model._run_forward(data, mode="loss")  # type: ignore[operator]  # - checked above
    _, log_vars = model.parse_losses(losses)  # type: ignore[operator]  # - checked above
    return dict(log_vars)


def split_reported_losses(outputs: Any) -> tuple[Any, Mapping[str, Any] | None]:
    """Take the losses off that a model appended to its predictions.

    MMEngine's convention: the last element is a `BaseDataElement` whose only field is ``loss``.
    """
    if not (isinstance(outputs, Sequence) and outputs and not isinstance(outputs, str)):
        return outputs, None
    last = outputs[-1]
    if isinstance(last, BaseDataElement) and list(last.keys()) == ["loss"]:
        return outputs[:-1], last.get("loss")
    return outputs, None


_AS_IT_IS = nullcontext()


def precision(fp16: bool) -> AbstractContextManager[None]:
    """Autocast, or none, also where there is some around; it is entered for every batch.

    Args:
        fp16: Whether to compute in lower precision.
    """
    if not fp16 and not torch.is_autocast_enabled(_device()):
        return _AS_IT_IS
    return autocast(enabled=fp16)


@functools.cache
def _device() -> str:
    return get_device()


def _number_of_samples(dataloader: Any, seen: int) -> int:
    """Samples of a data set; of a stream, or a loader of a user's own, those seen (all ranks).

    Args:
        dataloader: The loader, at the end of a pass.
        seen: Samples that this rank has seen in it.
    """
    size = any_loader.length_of(getattr(dataloader, "dataset", None))
    return sum(all_gather_object(seen)) if size is None else size
