"""Names of `mmengine.model`'s inner modules, and of hooks and layers."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import SyncBatchNorm, _BatchNorm
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd
from torch.nn.modules.instancenorm import _InstanceNorm
from torch.nn.modules.pooling import (
    _AdaptiveAvgPoolNd,
    _AdaptiveMaxPoolNd,
    _AvgPoolNd,
    _MaxPoolNd,
)
from torch.utils.data import DataLoader

from mainspring.device import collect_env
from mainspring.model.efficient_conv_bn_eval import _conv_then_norm
from mainspring.model.weight_init import trunc_normal_
from mainspring.model.weight_init.initialize import _run, _run_overrides

__all__ = ["check_kineto", "efficient_conv_bn_eval_control"]

SyncBatchNorm_ = SyncBatchNorm
_get_cuda_home = collect_env._cuda_home
_no_grad_trunc_normal_ = trunc_normal_
_initialize_override = _run_overrides


def efficient_conv_bn_eval_control(bn: _BatchNorm, conv: _ConvNd, x: torch.Tensor) -> torch.Tensor:
    """Convolve and normalize, in one step while the statistics stand still."""
    return _conv_then_norm(bn, conv, x)


def check_kineto() -> bool:
    """Whether torch has its profiler."""
    return bool(torch.profiler.kineto_available())


def _initialize(module: nn.Module, cfg: dict[str, Any], wholemodule: bool = False) -> None:
    _run(module, cfg, wholemodule=wholemodule)


def _get_bases_name(m: nn.Module) -> list[str]:
    return [base.__name__ for base in type(m).__bases__]


def _get_conv() -> tuple[type, ...]:
    return _ConvNd, _ConvTransposeNd


def _get_pool() -> tuple[type, ...]:
    return _AdaptiveAvgPoolNd, _AdaptiveMaxPoolNd, _AvgPoolNd, _MaxPoolNd


def _get_norm() -> tuple[type, ...]:
    return _BatchNorm, _InstanceNorm, SyncBatchNorm


def _get_dataloader() -> tuple[type, ...]:
    return DataLoader, DataLoader


def _get_extension() -> tuple[Any, ...]:
    from torch.utils import cpp_extension

    return cpp_extension.BuildExtension, cpp_extension.CppExtension, cpp_extension.CUDAExtension
