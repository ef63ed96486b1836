"""MMCV's hooks, and the registry in which their names are found."""

# ruff: noqa: F403 - each module says in `__all__` which names are MMCV's

from mainspring.compat.mmcv.runner.hooks.checkpoint import *
from mainspring.compat.mmcv.runner.hooks.evaluation import *
from mainspring.compat.mmcv.runner.hooks.hook import *
from mainspring.compat.mmcv.runner.hooks.hook import HOOKS
from mainspring.compat.mmcv.runner.hooks.logger import *
from mainspring.compat.mmcv.runner.hooks.lr_updater import *
from mainspring.compat.mmcv.runner.hooks.momentum_updater import *
from mainspring.compat.mmcv.runner.hooks.optimizer import *
from mainspring.compat.mmcv.runner.hooks.small import *

_BASES = ["Hook", "LoggerHook", "LrUpdaterHook", "MomentumUpdaterHook", "EvalHook", "DistEvalHook"]
"""What MMCV does not register: bases, and what is given a loader."""

for _name, _hook in list(globals().items()):
    if _name.endswith("Hook") and _name not in _BASES:
        HOOKS.register_module(module=_hook)
