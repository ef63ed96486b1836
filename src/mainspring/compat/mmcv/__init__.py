"""What MMCV 1.x had of the engine: its runner, found as `mmcv.runner` where `mmcv` lacks it.

Where no MMCV is installed, this package is found as `mmcv`.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any

__all__: list[str] = []

__version__ = "1.7.2"

_FOLDER = str(Path(__file__).parent)
_IMPORTABLE = str(Path(__file__).parents[1] / "mmengine" / "importable")


_HOOKS = "mmcv.runner.hooks."
_SMALL = ["closure", "ema", "iter_timer", "memory", "profiler", "sampler_seed", "sync_buffer"]
"""Modules of MMCV for one hook each, which are in `small` here."""


class _Finder(MetaPathFinder, Loader):
    """Finds MMCV where it is, and in place of what it lacks modules of ours."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname.partition(".")[0] != "mmcv":
            return None
        # Without a path, as `mmcv` itself is looked up, anywhere but at the name that we put there.
        places = [entry for entry in (sys.path if path is None else path) if entry != _IMPORTABLE]
        found = PathFinder.find_spec(fullname, places)
        is_ours = found is not None and str(found.origin).startswith(_FOLDER)
        is_missing = fullname in ("mmcv", "mmcv.runner") or fullname.removeprefix(_HOOKS) in _SMALL
        if is_ours or (found is None and is_missing):
            return ModuleSpec(fullname, self)
        return found

    def exec_module(self, module: ModuleType) -> None:
        name = module.__name__
        ours = f"{_HOOKS}small" if name.removeprefix(_HOOKS) in _SMALL else name
        sys.modules[name] = import_module(__name__ + ours.removeprefix("mmcv"))


def __getattr__(name: str) -> Any:
    """The helpers that MMCV had at its top, such as ``mmcv.Config`` and ``mmcv.load``."""
    if name.startswith("__"):
        raise AttributeError(f"module 'mmcv' has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.utils"), name)


if not any(type(finder).__name__ == _Finder.__name__ for finder in sys.meta_path):
    sys.meta_path.insert(0, _Finder())
