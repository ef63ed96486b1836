"""Models: what loops run, how weights start, averages, wrappers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mainspring.model.activation_checkpointing import turn_on_activation_checkpointing
from mainspring.model.adapt import adapt_model
from mainspring.model.adapters import merged_adapters, with_adapters
from mainspring.model.anomalous_params import detect_anomalous_params
from mainspring.model.averaged_model import (
    BaseAveragedModel,
    ExponentialMovingAverage,
    MomentumAnnealingEMA,
    StochasticWeightAverage,
)
from mainspring.model.base_model import BaseDataPreprocessor, BaseModel, ImgDataPreprocessor
from mainspring.model.base_module import BaseModule, ModuleDict, ModuleList, Sequential
from mainspring.model.batching import merge_dict, stack_batch
from mainspring.model.efficient_conv_bn_eval import turn_on_efficient_conv_bn_eval
from mainspring.model.supervised import Supervised
from mainspring.model.sync_batchnorm import convert_sync_batchnorm, revert_sync_batchnorm
from mainspring.model.tta import BaseTTAModel
from mainspring.model.weight_init import (
    BaseInit,
    Caffe2XavierInit,
    ConstantInit,
    KaimingInit,
    NormalInit,
    PretrainedInit,
    TruncNormalInit,
    UniformInit,
    XavierInit,
    bias_init_with_prob,
    caffe2_xavier_init,
    constant_init,
    initialize,
    kaiming_init,
    normal_init,
    trunc_normal_init,
    uniform_init,
    update_init_info,
    xavier_init,
)
from mainspring.model.wrappers import (
    MMDistributedDataParallel,
    MMSeparateDistributedDataParallel,
    is_model_wrapper,
)

if TYPE_CHECKING:
    from mainspring.model.wrappers.fully_sharded import MMFullyShardedDataParallel

__all__ = [
    "BaseAveragedModel",
    "BaseDataPreprocessor",
    "BaseInit",
    "BaseModel",
    "BaseModule",
    "BaseTTAModel",
    "Caffe2XavierInit",
    "ConstantInit",
    "ExponentialMovingAverage",
    "ImgDataPreprocessor",
    "KaimingInit",
    "MMDistributedDataParallel",
    "MMFullyShardedDataParallel",
    "MMSeparateDistributedDataParallel",
    "ModuleDict",
    "ModuleList",
    "MomentumAnnealingEMA",
    "NormalInit",
    "PretrainedInit",
    "Sequential",
    "StochasticWeightAverage",
    "Supervised",
    "TruncNormalInit",
    "UniformInit",
    "XavierInit",
    "adapt_model",
    "bias_init_with_prob",
    "caffe2_xavier_init",
    "constant_init",
    "convert_sync_batchnorm",
    "detect_anomalous_params",
    "initialize",
    "is_model_wrapper",
    "kaiming_init",
    "merge_dict",
    "merged_adapters",
    "normal_init",
    "revert_sync_batchnorm",
    "stack_batch",
    "trunc_normal_init",
    "turn_on_activation_checkpointing",
    "turn_on_efficient_conv_bn_eval",
    "uniform_init",
    "update_init_info",
    "with_adapters",
    "xavier_init",
]


def __getattr__(name: str) -> Any:
    """Import torch's FSDP, which takes more than a second, only for programs that ask for it."""
    if name == "MMFullyShardedDataParallel":
        from mainspring.model.wrappers.fully_sharded import MMFullyShardedDataParallel

        return MMFullyShardedDataParallel
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
