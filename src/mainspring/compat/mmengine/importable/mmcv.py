"""What ``import mmcv`` finds in a process that has the alias: MMCV, else what ours has of it."""

import sys
from importlib import import_module

import mainspring.compat.mmcv  # noqa: F401 - knows where MMCV is

del sys.modules[__name__]
import_module(__name__)
