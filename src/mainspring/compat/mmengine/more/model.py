"""Names of `mmengine.model`'s inner modules, and of hooks and layers."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from mainspring.device import collect_env
from mainspring.model.weight_init import trunc_normal_
from mainspring.utils.dl_utils import parrots_wrapper as layers

SyncBatchNorm_ = layers.SyncBatchNorm
_get_cuda_home = collect_env._cuda_home
_no_grad_trunc_normal_ = trunc_normal_


def check_kineto() -> bool:
    """Whether torch has its profiler."""
    return bool(torch.profiler.kineto_available())


def _get_bases_name(m: nn.Module) -> list[str]:
    return [base.__name__ for base in type(m).__bases__]


def _get_conv() -> tuple[type, ...]:
    return layers._ConvNd, layers._ConvTransposeMixin


def _get_pool() -> tuple[type, ...]:
    average, most = layers._AvgPoolNd, layers._MaxPoolNd
    return layers._AdaptiveAvgPoolNd, layers._AdaptiveMaxPoolNd, average, most


def _get_norm() -> tuple[type, ...]:
    return layers._BatchNorm, layers._InstanceNorm, layers.SyncBatchNorm


def _get_dataloader() -> tuple[type, ...]:
    return layers.DataLoader, layers.PoolDataLoader


def _get_extension() -> tuple[Any, ...]:
    return layers.BuildExtension, layers.CppExtension, layers.CUDAExtension
