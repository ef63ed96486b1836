"""A model copied into every process, gradients averaged."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, TypedDict, Unpack

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from mainspring.model.anomalous_params import detect_anomalous_params
from mainspring.model.base_model.steps import ModelSteps
from mainspring.registry import MODEL_WRAPPERS
from mainspring.structures.normalized_loss import NormalizedLoss

__all__ = ["DistributedOptions", "MMDistributedDataParallel"]


class DistributedOptions(TypedDict, total=False):
    """Further arguments of `torch.nn.parallel.DistributedDataParallel`."""

    device_ids: Sequence[int | torch.device] | None
    output_device: int | torch.device | None
    dim: int
    init_sync: bool
    process_group: Any
    bucket_cap_mb: float | None
    check_reduction: bool
    gradient_as_bucket_view: bool
    static_graph: bool
    delay_all_reduce_named_params: Any
    param_to_hook_all_reduce: Any
    mixed_precision: Any
    device_mesh: Any
    skip_all_reduce_unused_params: bool


class _AllOptions(DistributedOptions, total=False):
    broadcast_buffers: bool
    find_unused_parameters: bool


@MODEL_WRAPPERS.register_module()
class MMDistributedDataParallel(DistributedDataParallel):
    """`torch.nn.parallel.DistributedDataParallel` with the steps of a model.

    The training step goes through the wrapper's own forward, so that gradients are synchronised;
    validation and test go to the model directly.

    Args:
        module: A model with ``data_preprocessor``, ``parse_losses``, ``val_step``, ``test_step``.
        detect_anomalous_params: Log an error for parameters that the loss does not depend on;
            slow, for finding mistakes.
        **kwargs: Arguments of the base class, such as ``device_ids``, ``broadcast_buffers``,
            ``find_unused_parameters``.
    """

    _run_forward = ModelSteps._run_forward

    def __init__(
        self,
        module: nn.Module,
        detect_anomalous_params: bool = False,
        **kwargs: Unpack[_AllOptions],
    ) -> None:
        with warnings.catch_warnings():
            # Newer torch renames the option, but its new name does more: keep the meaning.
            warnings.filterwarnings("ignore", "`broadcast_buffers` is deprecated", FutureWarning)
            super().__init__(module=module, **kwargs)
        self.detect_anomalous_params = detect_anomalous_params

    def train_step(self, data: Any, optim_wrapper: Any) -> dict[str, torch.Tensor]:
        """Preprocess, compute the losses, and let the optimizer wrapper update the parameters.

        Args:
            data: A batch, as the loader gives it.
            optim_wrapper: `mainspring.optim.OptimWrapper`; its context is entered with the
                wrapper, so that accumulation can leave out the synchronisation.

        Returns:
            The values to log by name, detached tensors, ``loss`` first.
        """
        model: Any = self.module
        with optim_wrapper.optim_context(self):
            data = model.data_preprocessor(data, True)
            losses = self._run_forward(data, mode="loss")
        log_vars: dict[str, torch.Tensor]
        loss, log_vars = model.parse_losses(losses)
        optim_wrapper.update_params(loss)
        if self.detect_anomalous_params:
            value = loss.value if isinstance(loss, NormalizedLoss) else loss
            detect_anomalous_params(value, model=self)
        return log_vars

    def val_step(self, data: Any) -> list[Any]:
        """Predict on a batch of the validation set with the model itself."""
        predictions: list[Any] = self.module.val_step(data)
        return predictions

    def test_step(self, data: Any) -> list[Any]:
        """Predict on a batch of the test set with the model itself."""
        predictions: list[Any] = self.module.test_step(data)
        return predictions
