"""What validation and test share: named data sets with evaluators, losses, quiet generators."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from mainspring.checkpoint.apply import unwrap
from mainspring.dataset.any_loader import is_batch, is_named_loaders, length_of
from mainspring.device import autocast, get_device
from mainspring.dist import all_gather_object
from mainspring.errors import ConfigError
from mainspring.evaluator.evaluator import forget_results
from mainspring.model.samples import batch_size
from mainspring.runner.agreement import agree
from mainspring.structures import BaseDataElement

if TYPE_CHECKING:
    from mainspring.runner.runner import Runner

__all__ = [
    "EvaluationSet",
    "LossAverage",
    "evaluation",
    "evaluation_sets",
    "losses_of",
    "number_of_samples",
    "precision",
    "require_step",
    "samples_in",
    "split_reported_losses",
]


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

    @property
    def has_workers(self) -> bool:
        """Whether workers of the evaluation before are there to go on."""
        return getattr(self.dataloader, "_iterator", None) is not None

    @contextmanager
    def drawing_as_before(self) -> Iterator[None]:
        """Draw no base seed where workers that are started anew take the place of such as go on."""
        replaced, self.had_workers = self.had_workers and not self.has_workers, False
        if not replaced:
            yield
            return
        attributes = vars(self.dataloader)
        kept, attributes["generator"] = attributes["generator"], torch.Generator()
        try:
            yield
        finally:
            attributes["generator"] = kept


def evaluation_sets(
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
    is_list = is_list and not any(map(is_batch, dataloader))
    if is_named_loaders(dataloader):
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


class LossAverage:
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


def samples_in(outputs: Any, data_batch: Any) -> int:
    """How many samples a batch has, which is the weight of its losses; 1 if nothing tells."""
    if isinstance(outputs, Sequence) and len(outputs):
        return len(outputs)
    for value in (outputs, data_batch):
        with suppress(TypeError):
            return batch_size(value)
    return 1


def require_step(model: torch.nn.Module, mode: str) -> None:
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


def losses_of(model: torch.nn.Module, data_batch: Any) -> dict[str, torch.Tensor]:
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


def number_of_samples(dataloader: Any, seen: int) -> int:
    """Samples of a data set; of a stream, or a loader of a user's own, those seen (all ranks).

    Args:
        dataloader: The loader, at the end of a pass.
        seen: Samples that this rank has seen in it.
    """
    size = length_of(getattr(dataloader, "dataset", None))
    return sum(all_gather_object(seen)) if size is None else size
