"""Running averages of a model's weights: EMA and SWA."""

from __future__ import annotations

import copy
from abc import abstractmethod
from collections import defaultdict
from collections.abc import Callable
from typing import Any, TypeAlias

import torch
from torch import nn
from torch.nn.parameter import UninitializedBuffer, is_lazy

from mainspring.logging import print_log
from mainspring.registry import MODELS

__all__ = [
    "BaseAveragedModel",
    "ExponentialMovingAverage",
    "MomentumAnnealingEMA",
    "StochasticWeightAverage",
]

# torch's functions on lists of tensors, which it leaves out of its types.
_lists: Any = torch


class BaseAveragedModel(nn.Module):
    """A copy of a model whose weights are an average over training.

    The first update copies the weights; after that every `interval`-th update averages them.

    Subclasses say how: in `avg_func`, for one tensor, and for speed in `avg_tensors` too, for all
    tensors in one call. A subclass that overrides only `avg_func` is asked tensor by tensor.

    Args:
        model: The model to average; copied.
        interval: Updates between two averages.
        device: Where the average lives; where the model is by default.
        update_buffers: Average floating-point buffers too. Other buffers, and all of them when this
            is off, are copied.

    Attributes:
        module: The averaged model; its parameters need no gradient.
        steps: Number of updates so far, a buffer. It stays on the CPU, so that reading it never
            waits for a device.

    Example:
        >>> class Latest(BaseAveragedModel):
        ...     def avg_func(self, averaged_param, source_param, steps):
        ...         averaged_param.copy_(source_param)
        >>> model = nn.Linear(1, 1)
        >>> average = Latest(model)
        >>> _ = nn.init.ones_(model.weight)
        >>> average.update_parameters(model)
        >>> average.module.weight.item()
        1.0
    """

    steps: torch.Tensor

    def __init__(
        self,
        model: nn.Module,
        interval: int = 1,
        device: torch.device | None = None,
        update_buffers: bool = False,
    ) -> None:
        super().__init__()
        lazy = [buffer for buffer in model.buffers() if is_lazy(buffer)]  # which torch cannot copy
        alike: Any = UninitializedBuffer
        copies = {id(b): alike(device=b.device, dtype=b.dtype) for b in lazy}
        self.module = copy.deepcopy(model, copies)
        for parameter in self.module.parameters():
            parameter.requires_grad = False  # lazy ones have no requires_grad_()
        self.interval = interval
        if device is not None:
            self.module.to(device)
        self.register_buffer("steps", torch.tensor(0, dtype=torch.long))
        self.update_buffers = update_buffers
        self._pairing: _Pairing | None = None

    @abstractmethod
    def avg_func(
        self, averaged_param: torch.Tensor, source_param: torch.Tensor, steps: torch.Tensor
    ) -> None:
        """Average one tensor in place.

        Args:
            averaged_param: The average, changed in place.
            source_param: The newest value, on the same device.
            steps: Number of updates before this one.
        """

    def avg_tensors(
        self,
        averaged: list[torch.Tensor],
        source: list[torch.Tensor],
        steps: torch.Tensor,
    ) -> None:
        """Average all tensors of one device and type in place; one by one unless overridden."""
        for average, newest in zip(averaged, source, strict=True):
            self.avg_func(average, newest, steps)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Run the averaged model."""
        return self.module(*args, **kwargs)

    @torch.no_grad()
    def update_parameters(self, model: nn.Module) -> None:
        """Take the newest weights of a model into the average.

        Raises:
            KeyError: The model lacks a parameter or buffer of the averaged one.
        """
        if self._pairing is None or self._pairing.source_model is not model:
            _give_shapes(self.module, model)
            self._pairing = _Pairing(self.module, model, self.update_buffers)
        pairing = self._pairing
        steps = int(self.steps)
        if steps == 0:
            for group in pairing.averaged:
                group.copy()
        elif steps % self.interval == 0:
            average = self._average_function()
            for group in pairing.averaged:
                average(*group.tensors(), self.steps)
        for group in pairing.copied:
            group.copy()
        self.steps.add_(1)

    def _average_function(self) -> Callable[..., None]:
        """`avg_tensors`, or the loop over `avg_func` where a subclass overrides only that."""
        for kind in type(self).__mro__:
            if "avg_tensors" in vars(kind):
                return self.avg_tensors
            if "avg_func" in vars(kind):
                break
        return lambda *tensors: BaseAveragedModel.avg_tensors(self, *tensors)

    def _apply(self, fn: Callable[[torch.Tensor], torch.Tensor], recurse: bool = True) -> Any:
        steps = self.steps
        applied = super()._apply(fn, recurse)  # type: ignore[no-untyped-call]  # - torch's
        self.steps = steps
        return applied

    def __getstate__(self) -> dict[str, Any]:
        # The pairing refers to the source model, which a copy of the average must not copy along.
        return {**self.__dict__, "_pairing": None}


@MODELS.register_module()
class StochasticWeightAverage(BaseAveragedModel):
    """The mean of all weights taken so far: ``avg += (new - avg) / (steps // interval + 1)``.

    Reference: Izmailov et al., "Averaging weights leads to wider optima and better generalization",
    UAI 2018.

    Args:
        model: The model to average; copied.
        interval: Updates between two averages.
        device: Where the average lives; where the model is by default.
        update_buffers: Average floating-point buffers too.

    Example:
        >>> model = nn.Linear(1, 1)
        >>> _ = nn.init.zeros_(model.weight)
        >>> average = StochasticWeightAverage(model)
        >>> average.update_parameters(model)
        >>> _ = nn.init.ones_(model.weight)
        >>> average.update_parameters(model)
        >>> round(average.module.weight.item(), 4)
        0.5
    """

    def avg_func(
        self, averaged_param: torch.Tensor, source_param: torch.Tensor, steps: torch.Tensor
    ) -> None:
        """Average one tensor in place."""
        averaged_param.add_(source_param - averaged_param, alpha=self._share(steps))

    def avg_tensors(
        self,
        averaged: list[torch.Tensor],
        source: list[torch.Tensor],
        steps: torch.Tensor,
    ) -> None:
        """Average all tensors of one device and type in place."""
        change = _lists._foreach_sub(source, averaged)
        _lists._foreach_add_(averaged, change, alpha=self._share(steps))

    def _share(self, steps: torch.Tensor) -> float:
        """Weight of the newest value in the mean."""
        return 1 / (int(steps) // self.interval + 1)


@MODELS.register_module()
class ExponentialMovingAverage(BaseAveragedModel):
    """The exponential average of the weights: ``avg += momentum * (new - avg)``.

    Computed by `torch.lerp`, which for momenta of one half and more starts from the other end.

    Args:
        model: The model to average; copied.
        momentum: Weight of the newest value, in (0, 1); small, unlike a "decay".
        interval: Updates between two averages.
        device: Where the average lives; where the model is by default.
        update_buffers: Average floating-point buffers too.

    Raises:
        AssertionError: `momentum` is not between 0 and 1.

    Example:
        >>> model = nn.Linear(1, 1)
        >>> _ = nn.init.zeros_(model.weight)
        >>> average = ExponentialMovingAverage(model, momentum=0.1)
        >>> average.update_parameters(model)
        >>> _ = nn.init.ones_(model.weight)
        >>> average.update_parameters(model)
        >>> round(average.module.weight.item(), 4)
        0.1
    """

    def __init__(
        self,
        model: nn.Module,
        momentum: float = 0.0002,
        interval: int = 1,
        device: torch.device | None = None,
        update_buffers: bool = False,
    ) -> None:
        if not 0.0 < momentum < 1.0:
            raise AssertionError(f"momentum must be in range (0.0, 1.0), but got {momentum}")
        super().__init__(model, interval, device, update_buffers)
        if momentum > 0.5:
            print_log(
                f"momentum={momentum} of the moving average is the weight of the newest value and "
                f"usually small; was {1 - momentum:g} meant?",
                logger="current",
                level=30,
            )
        self.momentum = momentum

    def momentum_at(self, steps: torch.Tensor) -> float:
        """Weight of the newest value after so many updates."""
        return self.momentum

    def avg_func(
        self, averaged_param: torch.Tensor, source_param: torch.Tensor, steps: torch.Tensor
    ) -> None:
        """Average one tensor in place."""
        averaged_param.lerp_(source_param, self.momentum_at(steps))

    def avg_tensors(
        self,
        averaged: list[torch.Tensor],
        source: list[torch.Tensor],
        steps: torch.Tensor,
    ) -> None:
        """Average all tensors of one device and type in place."""
        _lists._foreach_lerp_(averaged, source, self.momentum_at(steps))


@MODELS.register_module()
class MomentumAnnealingEMA(ExponentialMovingAverage):
    """An exponential average that is quick at first: ``max(momentum, gamma / (gamma + steps))``.

    Args:
        model: The model to average; copied.
        momentum: Final weight of the newest value.
        gamma: Pace of the annealing, in updates; larger is slower.
        interval: Updates between two averages.
        device: Where the average lives; where the model is by default.
        update_buffers: Average floating-point buffers too.

    Raises:
        AssertionError: `gamma` is not positive, or `momentum` not between 0 and 1.

    Example:
        >>> model = nn.Linear(1, 1)
        >>> _ = nn.init.zeros_(model.weight)
        >>> average = MomentumAnnealingEMA(model, momentum=0.1, gamma=1)
        >>> average.update_parameters(model)
        >>> _ = nn.init.ones_(model.weight)
        >>> average.update_parameters(model)
        >>> round(average.module.weight.item(), 4)
        0.5
    """

    def __init__(
        self,
        model: nn.Module,
        momentum: float = 0.0002,
        gamma: int = 100,
        interval: int = 1,
        device: torch.device | None = None,
        update_buffers: bool = False,
    ) -> None:
        super().__init__(model, momentum, interval, device, update_buffers)
        if gamma <= 0:
            raise AssertionError(f"gamma must be greater than 0, but got {gamma}")
        self.gamma = gamma

    def momentum_at(self, steps: torch.Tensor) -> float:
        """Weight of the newest value after so many updates."""
        return max(self.momentum, self.gamma / (self.gamma + int(steps)))


# A tensor by its place: the dict that a module keeps it in, and its key. Places stay right when the
# tensor object is replaced, as loading with `assign=True` does.
_Place: TypeAlias = tuple[dict[str, Any], str]


class _Group:
    """Tensors of one device and type in the average, with their sources."""

    def __init__(self) -> None:
        self.averaged: list[_Place] = []
        self.source: list[_Place] = []

    def tensors(self) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
        """The tensors as they are now, the sources on the device of the average."""
        averaged = [table[key] for table, key in self.averaged]
        source = [table[key] for table, key in self.source]
        device = averaged[0].device
        if source[0].device != device:
            source = [tensor.to(device) for tensor in source]
        return averaged, source

    def copy(self) -> None:
        """Copy the sources into the average."""
        averaged, source = self.tensors()
        _lists._foreach_copy_(averaged, source)


def _give_shapes(averaged: nn.Module, source: nn.Module) -> None:
    """Let lazy parameters and buffers be those of a model that has got its shapes since."""
    known = {**dict(source.named_parameters()), **dict(source.named_buffers())}
    for name, tensor in (*averaged.named_parameters(), *averaged.named_buffers()):
        if is_lazy(tensor) and name in known:
            tensor.materialize(known[name].shape, tensor.device, known[name].dtype)


class _Pairing:
    """Which tensor of the average belongs to which of the source; found once, by name."""

    def __init__(self, average: nn.Module, source: nn.Module, update_buffers: bool) -> None:
        self.source_model = source
        self._average_modules = dict(average.named_modules(remove_duplicate=False))
        self._source_modules = dict(source.named_modules(remove_duplicate=False))
        averaged: defaultdict[tuple[Any, ...], _Group] = defaultdict(_Group)
        copied: defaultdict[tuple[Any, ...], _Group] = defaultdict(_Group)
        for name, _ in average.named_parameters():
            self._pair(averaged, name, "_parameters")
        for name, tensor in average.named_buffers():
            owner, _, key = name.rpartition(".")
            persistent = key not in self._average_modules[owner]._non_persistent_buffers_set
            is_averaged = update_buffers and persistent and tensor.is_floating_point()
            self._pair(averaged if is_averaged else copied, name, "_buffers")
        self.averaged = list(averaged.values())
        self.copied = list(copied.values())

    def _pair(self, groups: defaultdict[tuple[Any, ...], _Group], name: str, kind: str) -> None:
        owner, _, key = name.rpartition(".")
        table = getattr(self._average_modules[owner], kind)
        tensor = table[key]
        try:
            source_table = getattr(self._source_modules[owner], kind)
            newest = source_table[key]
        except KeyError as error:
            raise KeyError(
                f"the average has {name!r}, but {type(self.source_model).__name__} has not; "
                "average the model that the average was made from"
            ) from error
        group = groups[tensor.device, tensor.dtype, newest.device]
        group.averaged.append((table, key))
        group.source.append((source_table, key))
