"""Each part of a model wrapped on its own, for models with several optimizers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Unpack

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from mainspring.device import get_device
from mainspring.model.wrappers.distributed import DistributedOptions, MMDistributedDataParallel
from mainspring.registry import MODEL_WRAPPERS

__all__ = ["MMSeparateDistributedDataParallel"]


@MODEL_WRAPPERS.register_module()
class MMSeparateDistributedDataParallel(DistributedDataParallel):
    """Wraps every child that has trainable parameters in `MMDistributedDataParallel` of its own.

    For models such as GANs, whose generator and discriminator take turns: one wrapper around both
    would wait for the gradients of the one that is not trained at the moment. The model's own
    ``train_step`` runs the turns.

    Args:
        module: The model; its children are moved to the device and wrapped in place.
        broadcast_buffers: Whether each forward copies the buffers of rank 0 to all.
        find_unused_parameters: Whether to look for parameters without gradient in each forward.
        **kwargs: Other arguments of the wrappers.

    Example:
        >>> wrapper = dict(type="MMSeparateDistributedDataParallel", find_unused_parameters=True)
        >>> model_wrapper_cfg = wrapper
    """

    def __init__(
        self,
        module: nn.Module,
        broadcast_buffers: bool = False,
        find_unused_parameters: bool = False,
        **kwargs: Unpack[DistributedOptions],
    ) -> None:
        # Not the base's: this class only answers to its type, the children's wrappers do the work.
        nn.Module.__init__(self)
        self.module = module
        self.broadcast_buffers = broadcast_buffers
        self.find_unused_parameters = find_unused_parameters
        device = get_device()
        for name, child in module.named_children():
            placed = child.to(device)
            if any(parameter.requires_grad for parameter in placed.parameters()):
                placed = MMDistributedDataParallel(
                    module=placed,
                    broadcast_buffers=broadcast_buffers,
                    find_unused_parameters=find_unused_parameters,
                    **kwargs,
                )
            module._modules[name] = placed

    def train_step(self, data: Any, optim_wrapper: Any) -> dict[str, torch.Tensor]:
        """Run the training step of the model.

        Args:
            data: A batch, as the loader gives it.
            optim_wrapper: `mainspring.optim.OptimWrapperDict`, one wrapper for each optimizer.
        """
        model: Any = self.module
        result: dict[str, torch.Tensor] = model.train_step(data, optim_wrapper)
        return result

    def val_step(self, data: Any) -> list[Any]:
        """Predict on a batch of the validation set."""
        model: Any = self.module
        result: list[Any] = model.val_step(data)
        return result

    def test_step(self, data: Any) -> list[Any]:
        """Predict on a batch of the test set."""
        model: Any = self.module
        result: list[Any] = model.test_step(data)
        return result

    def forward(self, *inputs: Any, **kwargs: Any) -> Any:
        """Call the model; gradients are synchronised by the children's wrappers."""
        return self.module(*inputs, **kwargs)

    @contextmanager
    def no_sync(self) -> Iterator[None]:
        """Leave out the synchronisation of gradients inside, for accumulation."""
        with ExitStack() as stack:
            for child in self.module.children():
                if isinstance(child, DistributedDataParallel):
                    stack.enter_context(child.no_sync())
            yield

    def train(self, mode: bool = True) -> MMSeparateDistributedDataParallel:
        """Set the training mode of the model and everything in it."""
        self.training = mode
        self.module.train(mode)
        return self
