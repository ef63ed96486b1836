"""MMCV's hooks that log."""

# ruff: noqa: F403 - each module says in `__all__` which names are MMCV's

from mainspring.compat.mmcv.runner.hooks.logger.base import *
from mainspring.compat.mmcv.runner.hooks.logger.text import *
from mainspring.compat.mmcv.runner.hooks.logger.trackers import *
