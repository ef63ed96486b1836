"""Small helpers around torch; importing this package imports torch."""

from mainspring.utils.dl_utils.collect_env import collect_env
from mainspring.utils.dl_utils.hub import download_url, load_url
from mainspring.utils.dl_utils.layers import has_batch_norm, is_norm, mmcv_full_available
from mainspring.utils.dl_utils.parrots_wrapper import TORCH_VERSION
from mainspring.utils.dl_utils.setup_env import set_multi_processing
from mainspring.utils.dl_utils.tensors import is_jit_tracing, tensor2imgs, torch_meshgrid
from mainspring.utils.dl_utils.time_counter import TimeCounter

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
