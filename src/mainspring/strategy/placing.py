"""A model is placed on a device, and wrapped where there are several processes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Literal, Protocol

import torch
from torch import nn

from mainspring.device import get_device
from mainspring.errors import ConfigError
from mainspring.model import convert_sync_batchnorm, revert_sync_batchnorm
from mainspring.registry import MODEL_WRAPPERS

__all__ = ["DDPStrategy", "SingleDeviceStrategy", "Strategy"]


class Strategy(Protocol):
    """Places a model and wraps it for the processes of a run."""

    def wrap(self, model: nn.Module) -> nn.Module:
        """Return the model on its device, ready for the training loop of this process."""
        ...


class SingleDeviceStrategy:
    """The model runs in this process alone.

    Args:
        device: Where the model goes; the best available device by default.
    """

    def __init__(self, device: str | None = None) -> None:
        self.device = device if device is not None else get_device()

    def wrap(self, model: nn.Module) -> nn.Module:
        """Move the model to its device; synchronised batch norm becomes the ordinary one."""
        return revert_sync_batchnorm(model.to(self.device))


class DDPStrategy:
    """One process per device: each has the model, and gradients are averaged after every backward.

    Args:
        model_wrapper_cfg: Wrapper to use, a dict with ``type`` (default
            ``MMDistributedDataParallel``) and its arguments.
        sync_bn: ``"torch"`` or ``"mmcv"`` to synchronise batch norm statistics over processes.
        find_unused_parameters: Whether the default wrapper looks for parameters without gradient.
    """

    def __init__(
        self,
        model_wrapper_cfg: Mapping[str, Any] | None = None,
        sync_bn: Literal["torch", "mmcv"] | None = None,
        find_unused_parameters: bool = False,
    ) -> None:
        self.model_wrapper_cfg = model_wrapper_cfg
        self.sync_bn: Literal["torch", "mmcv"] | None = sync_bn
        self.find_unused_parameters = find_unused_parameters

    def wrap(self, model: nn.Module) -> nn.Module:
        """Move the model to this process's device and wrap it."""
        model = model.to(get_device())
        if self.sync_bn is not None:
            model = convert_sync_batchnorm(model, self.sync_bn)
            _refuse_on_cpu(model, self.sync_bn)
        if self.model_wrapper_cfg is None:
            arguments: dict[str, Any] = {
                "type": "MMDistributedDataParallel",
                "broadcast_buffers": False,
                "find_unused_parameters": self.find_unused_parameters,
            }
        else:
            arguments = {"type": "MMDistributedDataParallel", **self.model_wrapper_cfg}
        if self.model_wrapper_cfg is None and torch.cuda.is_available():
            arguments["device_ids"] = [int(os.environ.get("LOCAL_RANK", "0"))]
        wrapped: nn.Module = MODEL_WRAPPERS.build(arguments, default_args={"module": model})
        return wrapped


def _refuse_on_cpu(model: nn.Module, sync_bn: str) -> None:
    if get_device() != "cpu":
        return
    norm = next((n for n, m in model.named_modules() if isinstance(m, nn.SyncBatchNorm)), None)
    if norm is not None:
        raise ConfigError(
            f"sync_bn={sync_bn!r} needs GPUs, and this run computes on the CPU: {norm} could not "
            "exchange its statistics",
            config_path="sync_bn",
            help="leave sync_bn out, or use nn.GroupNorm, which needs no statistics of other ranks",
        )
