"""Base classes of torch's layers and tools for extensions, at the path where MMEngine has them."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import SyncBatchNorm
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd
from torch.nn.modules.instancenorm import _InstanceNorm
from torch.nn.modules.pooling import (
    _AdaptiveAvgPoolNd,
    _AdaptiveMaxPoolNd,
    _AvgPoolNd,
    _MaxPoolNd,
)
from torch.utils.data import DataLoader

__all__ = [
    "TORCH_VERSION",
    "DataLoader",
    "PoolDataLoader",
    "SyncBatchNorm",
    "_AdaptiveAvgPoolNd",
    "_AdaptiveMaxPoolNd",
    "_AvgPoolNd",
    "_BatchNorm",
    "_ConvNd",
    "_ConvTransposeMixin",
    "_InstanceNorm",
    "_MaxPoolNd",
    "get_build_config",
    "is_rocm_pytorch",
]

TORCH_VERSION: str = str(torch.__version__)
PoolDataLoader = DataLoader
_ConvTransposeMixin = _ConvTransposeNd

_FOR_EXTENSIONS = ("BuildExtension", "CppExtension", "CUDAExtension", "CUDA_HOME")


def __getattr__(name: str) -> Any:
    if name not in _FOR_EXTENSIONS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    # Importing it imports setuptools, which only programs that compile need.
    from torch.utils import cpp_extension

    if name == "CUDA_HOME" and is_rocm_pytorch():
        return cpp_extension.ROCM_HOME
    return getattr(cpp_extension, name)


def is_rocm_pytorch() -> bool:
    """Whether torch was compiled for AMD's ROCm and finds it."""
    if torch.version.hip is None:
        return False
    from torch.utils.cpp_extension import ROCM_HOME

    return ROCM_HOME is not None


def get_build_config() -> str:
    """How torch was compiled, as text."""
    return torch.__config__.show()
