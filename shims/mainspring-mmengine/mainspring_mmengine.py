"""Lets ``import mmengine`` give mainspring; Python imports this at its start (the .pth file)."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType


class _Shim(MetaPathFinder):
    """Finds mainspring's modules for the names, unless MMEngine or MMCV itself is there."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname not in ("mmengine", "mmcv"):
            return None
        alias = PathFinder.find_spec("mainspring")
        if alias is None or not alias.submodule_search_locations:
            return None
        folder = f"{alias.submodule_search_locations[0]}/compat/mmengine/importable"
        others = [entry for entry in sys.path if entry != folder]
        real = PathFinder.find_spec(fullname, others)
        if fullname == "mmcv" and real is not None:
            return None
        if real is not None and real.origin is not None:
            raise ImportError(
                f"mainspring-mmengine and MMEngine itself ({real.origin}) are both installed: "
                "pip uninstall mmengine mmengine-lite, or pip uninstall mainspring-mmengine"
            )
        return PathFinder.find_spec(fullname, [folder])


sys.meta_path.insert(0, _Shim())
