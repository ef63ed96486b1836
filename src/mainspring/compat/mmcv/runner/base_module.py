"""MMCV's path of modules that initialise themselves."""

from mainspring.model.base_module import *  # noqa: F403 - its names are these
