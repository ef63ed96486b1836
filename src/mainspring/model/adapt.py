"""Models that compute their own loss, such as Hugging Face's, made ready for the loops."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

import torch
from torch import nn

from mainspring.errors import ConfigError, mark_user_mistake
from mainspring.model.base_model.data_preprocessor import BaseDataPreprocessor
from mainspring.model.base_model.steps import ModelSteps
from mainspring.model.samples import split_samples

__all__ = ["TARGET_KEYS", "LossReturningModel", "adapt_model"]

ModelT = TypeVar("ModelT", bound=nn.Module)
TARGET_KEYS = ("labels", "label", "targets", "target")
"""Names of the targets in a batch, of which the first that there is counts."""


def adapt_model(model: ModelT) -> ModelT:
    """Give a model that returns its loss the steps that loops ask for.

    The model is the same object afterwards, with the same weights under the same names: its class
    becomes one that adds `LossReturningModel` to the model's own class, under the same name, as
    `torch.distributed.fsdp.fully_shard` does. A model that has a ``train_step`` is left alone.

    Args:
        model: A module whose forward takes the batch's entries (labels included) and returns an
            object or dict with ``loss``. Whether it does shows in the first step.

    Returns:
        The model.

    Raises:
        ConfigError: The class cannot be extended, as with TorchScript modules.
    """
    if hasattr(model, "train_step"):
        return model
    try:
        own: Any = type(model)
        model.__class__ = _adapted_class(own)
    except TypeError as error:
        raise ConfigError(
            f"{type(model).__name__} has no train_step and cannot be given one ({error})",
            config_path="model",
            help="wrap it: mainspring.model.Supervised(net, loss)",
        ) from error
    return model


class LossReturningModel(ModelSteps):
    """The steps of a model whose own forward computes the loss.

    Its losses are ``loss`` alone. Its predictions are a dict for each sample: ``prediction``, the
    row of ``logits`` (or of all other outputs), and ``target`` where the batch has ``labels``.
    """

    _own_class: type[nn.Module]
    parameters: Callable[[], Iterator[nn.Parameter]]

    def forward(self, *args: Any, mode: str | None = None, **kwargs: Any) -> Any:
        """Run the model's own forward, and take out what the mode asks for.

        Args:
            args: The batch, by position.
            mode: ``"loss"``, ``"predict"``, or ``None`` or ``"tensor"`` for the plain output.
            kwargs: The batch, by name.
        """
        outputs = self._own_class.forward(self, *args, **kwargs)
        if mode == "loss":
            return {"loss": self._loss_of(outputs, kwargs)}
        if mode == "predict":
            targets = next((kwargs[key] for key in TARGET_KEYS if key in kwargs), None)
            return split_samples(_predictions_of(outputs), targets)
        return outputs

    def data_preprocessor(self, data: Any, training: bool = False) -> Any:
        """Move a batch to the device of the first parameter.

        It is no submodule, so that the model keeps just the parts it was made with.
        """
        parameter = next(self.parameters(), None)
        return data if parameter is None else _mover(parameter.device).cast_data(data)

    def _run_forward(self, data: Any, mode: str) -> Any:
        if isinstance(data, torch.Tensor):
            return self(data, mode=mode)
        return super()._run_forward(data, mode)

    def _loss_of(self, outputs: Any, batch: Mapping[str, Any]) -> torch.Tensor:
        loss = (
            outputs.get("loss") if isinstance(outputs, Mapping) else getattr(outputs, "loss", None)
        )
        if isinstance(loss, torch.Tensor):
            return loss
        name = type(self).__name__
        if _has_loss_entry(outputs):
            raise mark_user_mistake(
                TypeError(
                    f"{name} returned loss={loss!r}: did the batch have labels? "
                    f"It had {sorted(batch) or 'no named entries'}"
                )
            )
        raise mark_user_mistake(
            TypeError(
                f"{name} has no train_step, and its forward returned "
                f"{type(outputs).__name__} without a loss; wrap it: "
                f"mainspring.model.Supervised({name}(...), loss)"
            )
        )

    def __reduce_ex__(self, protocol: Any) -> Any:
        # The class was made at run time, so that copies and pickles name the model's own class.
        return _rebuild, (self._own_class,), self.__getstate__()


def _rebuild(own: type) -> Any:
    return object.__new__(_adapted_class(own))


def _has_loss_entry(outputs: Any) -> bool:
    return "loss" in outputs if isinstance(outputs, Mapping) else hasattr(outputs, "loss")


def _predictions_of(outputs: Any) -> Any:
    """The logits if the output names them, else all of it but the loss."""
    if isinstance(outputs, torch.Tensor):
        return outputs
    fields = outputs if isinstance(outputs, Mapping) else getattr(outputs, "__dict__", None)
    if fields is None:
        return outputs
    if isinstance(fields.get("logits"), torch.Tensor):
        return fields["logits"]
    return {key: value for key, value in fields.items() if key != "loss" and value is not None}


@functools.cache
def _adapted_class(own: type) -> type:
    namespace: dict[str, Any] = {
        "__module__": own.__module__,
        "__qualname__": own.__qualname__,
        "__doc__": own.__doc__,
        "_own_class": own,
        **{step: getattr(own, step) for step in ("val_step", "test_step") if hasattr(own, step)},
    }
    if hasattr(own, "from_pretrained"):
        # Such a model initialised or loaded its weights when it was made.
        namespace["init_weights"] = _keep_weights
    return type(own)(own.__name__, (LossReturningModel, own), namespace)


def _keep_weights(self: nn.Module) -> None:
    """Nothing: the weights are there already."""


@functools.lru_cache(maxsize=16)
def _mover(device: torch.device) -> BaseDataPreprocessor:
    return BaseDataPreprocessor().to(device)
