"""MMCV 1.x's runner: its names, at its paths."""

# ruff: noqa: F403 - each module says in `__all__` which names are MMCV's

from mainspring.compat.mmcv.runner.base_module import *
from mainspring.compat.mmcv.runner.base_runner import *
from mainspring.compat.mmcv.runner.builder import *
from mainspring.compat.mmcv.runner.checkpoint import *
from mainspring.compat.mmcv.runner.dist_utils import *
from mainspring.compat.mmcv.runner.epoch_based_runner import *
from mainspring.compat.mmcv.runner.fp16_utils import *
from mainspring.compat.mmcv.runner.hooks import *
from mainspring.compat.mmcv.runner.iter_based_runner import *
from mainspring.compat.mmcv.runner.log_buffer import *
from mainspring.compat.mmcv.runner.optimizer import *
from mainspring.compat.mmcv.runner.priority import *
from mainspring.compat.mmcv.runner.utils import *
