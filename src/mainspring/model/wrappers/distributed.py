"""A model copied into every process, gradients averaged."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from typing import Any, TypedDict, Unpack

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from mainspring.dist import all_reduce
from mainspring.model.anomalous_params import detect_anomalous_params
from mainspring.model.base_model.steps import ModelSteps
from mainspring.registry import MODEL_WRAPPERS
from mainspring.structures.normalized_loss import NormalizedLoss

__all__ = ["DistributedOptions", "MMDistributedDataParallel"]

BUCKET_ORDER = "_mainspring_bucket_order"
"""Where a wrapper keeps in which order its reducer was given the parameters, if in another one."""
_SHOWN = 8


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

    Example:
        >>> wrapper = dict(type="MMDistributedDataParallel", find_unused_parameters=True)
        >>> model_wrapper_cfg = wrapper
    """

    _run_forward = ModelSteps._run_forward

    def __init__(
        self,
        module: nn.Module,
        detect_anomalous_params: bool = False,
        **kwargs: Unpack[_AllOptions],
    ) -> None:
        self._set_up(module, kwargs)
        self.detect_anomalous_params = detect_anomalous_params

    def _set_up(self, module: nn.Module, options: _AllOptions) -> None:
        with warnings.catch_warnings():
            # Newer torch renames the option, but its new name does more: keep the meaning.
            warnings.filterwarnings("ignore", "`broadcast_buffers` is deprecated", FutureWarning)
            DistributedDataParallel.__init__(self, module=module, **options)
        self._options = options
        self._own = list(module.parameters())
        self._trains = [parameter.requires_grad for parameter in self._own]

    def follow_freezing(self) -> None:
        """Exchange the gradients of what trains now, if that is not what trained at first.

        The reducer knows the parameters that trained when it was made: it would leave out those
        that are unfrozen later, and wait for those that are frozen.
        """
        if self._trains == [parameter.requires_grad for parameter in self._own]:
            return
        for parameter, trained in zip(self._own, self._trains, strict=True):
            # What a group of micro-batches has summed up waits for an exchange that never comes.
            if trained and not parameter.requires_grad and parameter.grad is not None:
                all_reduce(parameter.grad, "mean", self.process_group)
        kept = self.training, self.require_backward_grad_sync
        hooks = self._comm_hooks
        if hasattr(self.reducer, "_remove_autograd_hooks"):
            self.reducer._remove_autograd_hooks()
        self._set_up(self.module, self._options)
        for hook, state in hooks:
            self.register_comm_hook(state, hook)
        vars(self).pop(BUCKET_ORDER, None)
        self.training, self.require_backward_grad_sync = kept

    def _pre_forward(self, *inputs: Any, **kwargs: Any) -> Any:
        if torch.is_grad_enabled():
            self.follow_freezing()
        try:
            return super()._pre_forward(*inputs, **kwargs)  # type: ignore[no-untyped-call]  # - torch's
        except RuntimeError as error:
            _name_unused(error, self)
            raise

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
        try:
            self._check_reducer_finalized()  # type: ignore[no-untyped-call]  # - torch's
        except RuntimeError as error:
            _name_unused(error, self)
            raise
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


def _name_unused(error: RuntimeError, wrapper: Any) -> None:
    """Say which parameters torch means by numbers, and what to set."""
    said = re.search(r"did not receive grad for rank \d+: ([\d ]+)", str(error))
    if said is None:
        return
    parameters, _ = wrapper._build_params_for_reducer()
    names = wrapper._build_debug_param_to_name_mapping(parameters)
    order = getattr(wrapper, BUCKET_ORDER, range(len(parameters)))
    unused = [names[order[int(index)]] for index in said.group(1).split()]
    more = f" and {len(unused) - _SHOWN} more" if len(unused) > _SHOWN else ""
    error.add_note(
        f"the loss does not depend on {', '.join(unused[:_SHOWN])}{more}: set "
        "find_unused_parameters=True in model_wrapper_cfg=dict(type='MMDistributedDataParallel', "
        "...), freeze them with requires_grad_(False), or take them out of the model"
    )
