"""Names of `mmengine.runner`: a loader without end, intervals, part of a data set, losses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn
from torch.nn.modules import module as torch_module

from mainspring.checkpoint import load_file
from mainspring.checkpoint.schemes import load_from_ceph  # noqa: F401 - for ``import *``
from mainspring.config import Config, ConfigDict
from mainspring.logging import HistoryBuffer
from mainspring.model.activation_checkpointing import _checkpointed
from mainspring.optim import OptimWrapper, _ParamScheduler
from mainspring.runner.evaluation import split_reported_losses
from mainspring.runner.run_length import EndlessBatches

ConfigType = dict[str, Any] | Config | ConfigDict
ParamSchedulerType = list[_ParamScheduler] | dict[str, list[_ParamScheduler]]
OptimWrapperType = dict[str, Any] | OptimWrapper
wrap_forward = _checkpointed
_InfiniteDataloaderIterator = EndlessBatches
_safe_torch_load = load_file
_IncompatibleKeys = torch_module._IncompatibleKeys


def calc_dynamic_intervals(
    start_interval: int, dynamic_interval_list: Sequence[tuple[int, int]] | None = None
) -> tuple[list[int], list[int]]:
    """Where intervals begin, and how long they are.

    Args:
        start_interval: The first one.
        dynamic_interval_list: Pairs (from here on, interval).
    """
    later = dynamic_interval_list or ()
    return [0, *(begin for begin, _ in later)], [start_interval, *(length for _, length in later)]


class _SlicedDataset:
    """The first items of a data set, of which it has everything else.

    Args:
        dataset: The data set.
        length: How many items.
    """

    def __init__(self, dataset: Any, length: int) -> None:
        self._dataset = dataset
        self._length = length

    def __getattr__(self, name: str) -> Any:
        return getattr(self._dataset, name)

    def __getitem__(self, index: int) -> Any:
        return self._dataset[index]

    def __len__(self) -> int:
        return self._length


def _update_losses(
    outputs: Any, losses: dict[str, HistoryBuffer]
) -> tuple[Any, dict[str, HistoryBuffer]]:
    """Take the losses that a model appended to its predictions into their histories."""
    outputs, reported = split_reported_losses(outputs)
    for name, values in (reported or {}).items():
        history = losses.setdefault(name, HistoryBuffer())
        for value in values if isinstance(values, Sequence) else [values]:
            history.update(value.item())
    return outputs, losses


def _parse_losses(losses: Mapping[str, HistoryBuffer], stage: str) -> dict[str, float]:
    """The mean of each history; the sum of those named ``loss`` as ``{stage}_loss``."""
    means = {name: history.mean() for name, history in losses.items()}
    return {**means, f"{stage}_loss": sum(mean for name, mean in means.items() if "loss" in name)}


def _save_to_state_dict(
    module: nn.Module, destination: dict[str, Any], prefix: str, keep_vars: bool
) -> None:
    """Put a module's own parameters and buffers into a state dict, also those not persistent."""
    for name, value in (*module._parameters.items(), *module._buffers.items()):
        if value is not None:
            destination[prefix + name] = value if keep_vars else value.detach()


def _get_batch_size(dataloader: Mapping[str, Any]) -> int:
    """Size of the batches of a loader's section."""
    for section in (dataloader, dataloader.get("batch_sampler") or {}):
        if "batch_size" in section:
            return int(section["batch_size"])
    raise ValueError("Please set batch_size in `Dataloader` or `batch_sampler`")
