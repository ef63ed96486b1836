"""A plain network and a loss function, made into a model that loops can run."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn

from mainspring.errors import ConfigError, DataError
from mainspring.model.base_model.base_model import BaseModel
from mainspring.model.base_model.steps import ModelSteps
from mainspring.model.samples import as_batch, split_samples
from mainspring.registry import MODELS

__all__ = ["Supervised"]


@MODELS.register_module()
class Supervised(BaseModel):
    """Makes a plain `torch.nn.Module` trainable.

    A batch is a pair (inputs, targets), or a dict or dataclass with these two fields and perhaps
    others. Lists of equally shaped tensors or of numbers are stacked, so that any collate function
    will do. A dict of such batches by name, as several loaders give it, has the losses of each,
    named ``NAME_loss``; they are added up.

    For evaluation every sample is a dict with ``prediction``, the row of the network's output, and
    ``target``, the row of the targets where the batch has them.

    Example:
        ``Supervised(SmallCNN(), nn.CrossEntropyLoss(), metrics=dict(accuracy=accuracy))``

    Args:
        net: The network; called with the inputs. A dict is built.
        loss: Called with outputs and targets; returns a tensor, a `NormalizedLoss`, or a dict of
            losses by name. A dict is built.
        data_preprocessor: Module that prepares batches on the device, or a dict for one; by
            default batches are moved to the device.
        metrics: Functions of outputs and targets by name, computed without gradient and logged
            beside the loss in training.

    Raises:
        ConfigError: `net` is no module, `loss` cannot be called, or the name of a metric contains
            ``loss`` and would be minimised.

    Example:
        >>> model = Supervised(nn.Linear(4, 3), nn.CrossEntropyLoss())
        >>> samples = model.val_step((torch.zeros(2, 4), torch.tensor([0, 1])))
        >>> len(samples), samples[1]["prediction"].shape, samples[1]["target"]
        (2, torch.Size([3]), tensor(1))
    """

    def __init__(
        self,
        net: nn.Module | Mapping[str, Any],
        loss: Callable[..., Any] | Mapping[str, Any],
        *,
        data_preprocessor: nn.Module | Mapping[str, Any] | None = None,
        metrics: Mapping[str, Callable[..., torch.Tensor]] | None = None,
    ) -> None:
        super().__init__(data_preprocessor)
        network: Any = MODELS.build(net) if isinstance(net, Mapping) else net
        criterion: Any = MODELS.build(loss) if isinstance(loss, Mapping) else loss
        _check_parts(network, criterion, metrics)
        self.net = network
        self.loss = criterion
        self.metrics = dict(metrics or {})

    def forward(self, inputs: Any, targets: Any = None, mode: str = "tensor") -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]  # - ours
        """Run the network.

        Args:
            inputs: Inputs of the network, batch first.
            targets: Targets, batch first.
            mode: ``"loss"``: the losses by name. ``"predict"``: a dict for each sample.
                ``"tensor"``: the network's output.

        Raises:
            DataError: The losses are asked for and there are no targets.
            ValueError: Another mode.
        """
        inputs = as_batch(inputs)
        outputs = self.net(inputs)
        if mode == "tensor":
            return outputs
        targets = as_batch(targets, like=inputs)
        if mode == "loss":
            return self._losses(outputs, targets)
        if mode == "predict":
            return split_samples(outputs, targets)
        raise ValueError(f"mode must be 'loss', 'predict' or 'tensor', but got {mode!r}")

    def _losses(self, outputs: Any, targets: Any) -> dict[str, Any]:
        if targets is None:
            raise DataError(
                "Supervised got a batch without targets in training",
                help="let the data set give (input, target) pairs",
            )
        loss = self.loss(outputs, targets)
        losses = dict(loss) if isinstance(loss, Mapping) else {"loss": loss}
        if self.metrics:
            with torch.no_grad():
                for name, metric in self.metrics.items():
                    losses[name] = torch.as_tensor(metric(outputs, targets), dtype=torch.float)
        return losses

    def _run_forward(self, data: Any, mode: str) -> Any:
        if isinstance(data, list | tuple) and len(data) == 2:
            return self(data[0], data[1], mode=mode)
        if dataclasses.is_dataclass(data):
            fields = {field.name: getattr(data, field.name) for field in dataclasses.fields(data)}
            data = tuple(fields.values()) if len(fields) == 2 else fields
            return self._run_forward(data, mode)
        if isinstance(data, Mapping) and "inputs" in data:
            return self(data["inputs"], data.get("targets"), mode=mode)
        if mode == "loss" and isinstance(data, Mapping) and all(map(_is_batch, data.values())):
            of_each = {name: self._run_forward(batch, mode) for name, batch in data.items()}
            return {f"{n}_{key}": loss for n, each in of_each.items() for key, loss in each.items()}
        raise DataError(
            f"Supervised needs batches of (inputs, targets), but got {_describe(data)}",
            help="let the data set give (input, target) pairs, or dicts of 'inputs' and 'targets'",
        )


def _check_parts(net: Any, loss: Any, metrics: Mapping[str, Any] | None) -> None:
    if not isinstance(net, nn.Module):
        raise ConfigError(
            f"net of Supervised must be a torch.nn.Module, but got {net!r}",
            help="give an instance: Supervised(Net(), loss)" if isinstance(net, type) else None,
        )
    if isinstance(net, ModelSteps):
        raise ConfigError(
            f"{type(net).__name__} computes its own losses; it needs no Supervised around it"
        )
    if not callable(loss) or isinstance(loss, type):
        raise ConfigError(
            f"loss of Supervised must be a function of outputs and targets, but got {loss!r}",
            help="give an instance: nn.CrossEntropyLoss()" if isinstance(loss, type) else None,
        )
    for name in metrics or {}:
        if "loss" in name:
            raise ConfigError(
                f"the metric {name!r} would be added to the loss, because its name contains 'loss'",
                help="rename it",
            )


def _is_batch(value: Any) -> bool:
    is_pair = isinstance(value, list | tuple) and len(value) == 2
    return is_pair or isinstance(value, Mapping) or dataclasses.is_dataclass(value)


def _describe(data: Any) -> str:
    if isinstance(data, Mapping):
        return f"a dict with the keys {sorted(map(str, data))}"
    if isinstance(data, list | tuple):
        return f"a {type(data).__name__} of {len(data)}"
    return f"a {type(data).__name__}"
