"""MMCV's path of the priorities of hooks."""

from mainspring.hooks.priority import *  # noqa: F403 - its names are these
