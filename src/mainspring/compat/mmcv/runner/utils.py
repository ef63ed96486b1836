"""Small things that programs import beside the runner."""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Mapping
from types import ModuleType
from typing import Any

import torch

from mainspring.logging.logger import _get_host_info as get_host_info
from mainspring.rng import seeding

__all__ = ["get_host_info", "get_time_str", "obj_from_dict", "set_random_seed"]


def deprecated(what: str, instead: str, stacklevel: int = 3) -> None:
    """Warn of an older way to do something, where the caller's caller does it."""
    text = f"{what} is deprecated, please {instead} instead"
    warnings.warn(text, DeprecationWarning, stacklevel=stacklevel)


def get_time_str() -> str:
    """The time, as in ``20260131_235959``."""
    return time.strftime("%Y%m%d_%H%M%S")


def obj_from_dict(
    info: Mapping[str, Any],
    parent: ModuleType | None = None,
    default_args: Mapping[str, Any] | None = None,
) -> Any:
    """Make an object of a dict with ``type``, a class or the name of one in `parent`."""
    arguments = {**(default_args or {}), **info}
    kind: Any = arguments.pop("type")
    if isinstance(kind, str):
        kind = sys.modules[kind] if parent is None else getattr(parent, kind)
    elif not isinstance(kind, type):
        raise TypeError(f"type must be a str or valid type, but got {type(kind)}")
    return kind(**arguments)


def set_random_seed(seed: int, deterministic: bool = False, use_rank_shift: bool = False) -> None:
    """Seed the generators of Python, NumPy and torch, as MMCV does."""
    seeding.set_random_seed(seed, diff_rank_seed=use_rank_shift)
    if deterministic:
        torch.backends.cudnn.deterministic = True
        torch.backends.cudnn.benchmark = False
