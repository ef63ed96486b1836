"""What is exported of a model: tensors in, tensors out, and a batch of examples."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from mainspring.errors import ConfigError
from mainspring.infer import ExportsForward
from mainspring.model import Supervised, merged_adapters
from mainspring.model.adapt import LossReturningModel, _predictions_of
from mainspring.model.base_model.data_preprocessor import BaseDataPreprocessor
from mainspring.model.base_model.img_data_preprocessor import ImgDataPreprocessor
from mainspring.model.samples import as_batch

__all__ = ["ExportTarget", "target_of"]

_TARGETS = ("labels", "label", "targets", "target", "data_samples")


@dataclass(frozen=True)
class ExportTarget:
    """What is exported.

    Attributes:
        module: Takes the examples by position; in evaluation mode, on the CPU.
        names: Names of its inputs.
        examples: A batch of two for each input.
        contains: What is in it besides the network, such as ``normalisation``.
    """

    module: nn.Module
    names: tuple[str, ...]
    examples: tuple[Tensor, ...]
    contains: str = ""


class _Forward(nn.Module):
    """A model as a function of tensors.

    Args:
        model: The model.
        names: Names of the inputs.
    """

    def __init__(self, model: Any, names: tuple[str, ...]) -> None:
        super().__init__()
        self.model = model
        self.names = names

    def forward(self, *inputs: Tensor) -> Any:
        model: Any = self.model
        if isinstance(model, ExportsForward):
            return model.export_forward(*inputs)
        batch: dict[str, Any] = dict(zip(self.names, inputs, strict=True))
        if isinstance(model, LossReturningModel):
            return _predictions_of(model(**batch))
        prepare = model.data_preprocessor
        if type(prepare) is ImgDataPreprocessor:
            # What it does to a batch that is a tensor already, without asking for the device.
            batch[self.names[0]] = prepare._pad(prepare._colours(inputs[0]))
        elif type(prepare) is not BaseDataPreprocessor:
            batch = prepare(batch, False)
        return model.net(*batch.values()) if type(model) is Supervised else model(**batch)


def target_of(model: nn.Module, batch: Any) -> ExportTarget:
    """What is exported of a model.

    `ExportsForward` of the model says it, with pre- and postprocessing. Else it is the network of a
    `Supervised`; the logits of a model that returns its loss; and ``forward(mode="tensor")`` of any
    other, with the normalisation of an `ImgDataPreprocessor`.

    Args:
        model: The model.
        batch: A batch of two or more, as the loader gives it; targets are left out.

    Raises:
        ConfigError: The batch has nothing that the model takes.
    """
    model = merged_adapters(model.cpu().eval())
    is_own = isinstance(model, ExportsForward)
    owner: Any = model if is_own else getattr(model, "_own_class", type(model))
    function: Any = owner.export_forward if is_own else owner.forward
    parameters = list(inspect.signature(function).parameters)[0 if is_own else 1 :]
    if isinstance(batch, Mapping):
        given = {name: as_batch(value) for name, value in batch.items() if name not in _TARGETS}
        if not is_own and not isinstance(model, LossReturningModel):
            given = {name: given[name] for name in parameters[:1] if name in given}
    else:
        first = batch[0] if isinstance(batch, list | tuple) else batch
        given = {parameters[0]: as_batch(first)}
    examples = {name: value for name, value in given.items() if isinstance(value, Tensor)}
    if not examples:
        raise ConfigError(
            f"the batch has no tensors for {type(model).__name__}, which takes "
            f"{', '.join(parameters)}",
            config_path="test_dataloader",
            help="give the model export_forward(...), or items of equal shape",
        )
    names = tuple(examples)
    contains = "what export_forward says" if is_own else ""
    if type(getattr(model, "data_preprocessor", None)) is ImgDataPreprocessor and not is_own:
        contains = "normalisation and padding"
    return ExportTarget(_Forward(model, names).eval(), names, tuple(examples.values()), contains)


def batches_of(examples: tuple[Tensor, ...], size: int) -> tuple[Tensor, ...]:
    """The examples repeated, and turned around, as a batch of another size.

    Args:
        examples: Tensors, batch first.
        size: The size.
    """
    index = torch.arange(size).flip(0) % len(examples[0])
    return tuple(example[index] for example in examples)
