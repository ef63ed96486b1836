"""What the training, validation and test steps of a model do, in this order."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import torch

from mainspring.model.base_model.losses import Losses, parse_losses
from mainspring.structures.normalized_loss import NormalizedLoss

__all__ = ["ModelSteps"]


class ModelSteps:
    """The steps that loops ask a model for; mixed into `torch.nn.Module` classes.

    The class beside it brings ``data_preprocessor`` (a callable of data and a flag for training)
    and a ``forward`` that takes ``mode``.
    """

    data_preprocessor: Any
    __call__: Callable[..., Any]

    def train_step(self, data: Any, optim_wrapper: Any) -> dict[str, torch.Tensor]:
        """Preprocess, compute the losses, and let the optimizer wrapper update the parameters.

        Args:
            data: A batch, as the loader gives it.
            optim_wrapper: `mainspring.optim.OptimWrapper`; its context (autocast, no gradient
                synchronisation while accumulating) covers preprocessing and forward.

        Returns:
            The values to log by name, detached tensors, ``loss`` first.
        """
        if getattr(optim_wrapper, "closure_need", "none") != "none":
            return self._train_step_by_closure(data, optim_wrapper)
        with optim_wrapper.optim_context(self):
            data = self.data_preprocessor(data, True)
            losses = self._run_forward(data, mode="loss")
        loss, log_vars = self.parse_losses(losses)
        optim_wrapper.update_params(loss)
        return log_vars

    def _train_step_by_closure(self, data: Any, optim_wrapper: Any) -> dict[str, torch.Tensor]:
        """The same with an optimizer that computes the loss itself; logged is the first one."""
        logged: list[dict[str, torch.Tensor]] = []
        with optim_wrapper.optim_context(self):
            data = self.data_preprocessor(data, True)

        def compute() -> torch.Tensor | NormalizedLoss:
            with optim_wrapper.optim_context(self):
                losses = self._run_forward(data, mode="loss")
            loss, log_vars = self.parse_losses(losses)
            logged.append(log_vars)
            return loss

        optim_wrapper.update_by_closure(compute)
        return logged[0]

    def val_step(self, data: Any) -> list[Any]:
        """Predict on a batch of the validation set; one result for each sample."""
        data = self.data_preprocessor(data, False)
        predictions: list[Any] = self._run_forward(data, mode="predict")
        return predictions

    def test_step(self, data: Any) -> list[Any]:
        """Predict on a batch of the test set; one result for each sample."""
        data = self.data_preprocessor(data, False)
        predictions: list[Any] = self._run_forward(data, mode="predict")
        return predictions

    def parse_losses(
        self, losses: Losses
    ) -> tuple[torch.Tensor | NormalizedLoss, dict[str, torch.Tensor]]:
        """Sum the losses and collect what to log, see `mainspring.model.base_model.losses`."""
        return parse_losses(losses)

    def _run_forward(self: Callable[..., Any], data: Any, mode: str) -> Any:
        """Call the model: a dict as keywords, a list or tuple as positions, an object as it is."""
        if isinstance(data, dict):
            return self(**data, mode=mode)
        if isinstance(data, list | tuple):
            return self(*data, mode=mode)
        if isinstance(data, Mapping):
            return self(**data, mode=mode)
        if dataclasses.is_dataclass(data) or (hasattr(data, "to") and not torch.is_tensor(data)):
            return self(data, mode=mode)
        raise TypeError(
            "Output of `data_preprocessor` should be list, tuple or dict, but got "
            f"{type(data).__name__}: let the data set give dicts, whose keys are the names of "
            "forward's arguments, or tuples"
        )
