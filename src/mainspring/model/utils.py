"""MMEngine's path of the helpers of models; each lives in the module of its concept."""

from mainspring.model.anomalous_params import detect_anomalous_params
from mainspring.model.batching import merge_dict, stack_batch
from mainspring.model.sync_batchnorm import (
    _BatchNormXd,
    convert_sync_batchnorm,
    revert_sync_batchnorm,
)

__all__ = [
    "_BatchNormXd",
    "convert_sync_batchnorm",
    "detect_anomalous_params",
    "merge_dict",
    "revert_sync_batchnorm",
    "stack_batch",
]
