"""Small helpers around torch; importing this package imports torch."""

from mainspring.checkpoint.download import download_url, load_url
from mainspring.device.multi_processing import set_multi_processing
from mainspring.logging.time_counter import TimeCounter
from mainspring.optim.optimizer.norm_layers import has_batch_norm, is_norm

# From its module here: importing that later would put the module in the function's place.
from mainspring.utils.dl_utils.collect_env import collect_env
from mainspring.utils.dl_utils.parrots_wrapper import TORCH_VERSION
from mainspring.utils.dl_utils.tensors import (
    is_jit_tracing,
    mmcv_full_available,
    torch_meshgrid,
)
from mainspring.visualization.images import tensor2imgs

__all__ = [
    "TORCH_VERSION",
    "TimeCounter",
    "collect_env",
    "download_url",
    "has_batch_norm",
    "is_jit_tracing",
    "is_norm",
    "load_url",
    "mmcv_full_available",
    "set_multi_processing",
    "tensor2imgs",
    "torch_meshgrid",
]
