"""MMCV's hooks."""

# ruff: noqa: F403 - each module says in `__all__` which names are MMCV's

from mainspring.compat.mmcv.runner.hooks.checkpoint import *
from mainspring.compat.mmcv.runner.hooks.evaluation import *
from mainspring.compat.mmcv.runner.hooks.hook import *
from mainspring.compat.mmcv.runner.hooks.logger import *
from mainspring.compat.mmcv.runner.hooks.lr_updater import *
from mainspring.compat.mmcv.runner.hooks.momentum_updater import *
from mainspring.compat.mmcv.runner.hooks.optimizer import *
from mainspring.compat.mmcv.runner.hooks.small import *
