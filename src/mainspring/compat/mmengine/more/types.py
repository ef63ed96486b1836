"""Names that MMEngine gives to types, and other constants."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from mainspring import device
from mainspring.hooks.hook import DATA_BATCH
from mainspring.optim import BaseOptimWrapper
from mainspring.registry import FUNCTIONS
from mainspring.structures import BaseDataElement

DEVICE = device.get_device()
IS_DIPU_AVAILABLE = device.is_dipu_available()
IS_MLU_AVAILABLE = device.is_mlu_available()
IS_MUSA_AVAILABLE = device.is_musa_available()
IS_NPU_AVAILABLE = device.is_npu_available()

COLLATE_FUNCTIONS = FUNCTIONS

SUFFIX_TYPE = Sequence[str] | str
CastData = DATA_BATCH | BaseDataElement | torch.Tensor | bytes | str
MergedDataSamples = list[BaseDataElement]
EnhancedBatchInputs = list[torch.Tensor | list[torch.Tensor]]
EnhancedBatchDataSamples = list[MergedDataSamples]
OptimizerType = BaseOptimWrapper | torch.optim.Optimizer
VisBackendsType = list[Any] | dict[str, Any] | None

# The CUDA kinds exist only in a torch that was built for it.
_KINDS = (torch, torch.cuda)
BoolTypeTensor = tuple(k.BoolTensor for k in _KINDS if hasattr(k, "BoolTensor"))
LongTypeTensor = tuple(k.LongTensor for k in _KINDS if hasattr(k, "LongTensor"))
IndexType = (str, slice, int, list, np.ndarray, *LongTypeTensor, *BoolTypeTensor)
