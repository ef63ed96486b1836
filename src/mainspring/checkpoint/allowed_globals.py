"""The few classes that checkpoints of MMEngine and MMCV hold beside tensors and plain types."""

from __future__ import annotations

import collections
import pickle
from typing import Any

import numpy as np

from mainspring.logging.history_buffer import HistoryBuffer

__all__ = ["allowed_globals"]

# No strings, objects or records: their types take sizes and flags from the file.
_NUMBERS = (
    "bool",
    *(f"{kind}{bits}" for kind in ("uint", "int") for bits in (8, 16, 32, 64)),
    *("float16", "float32", "float64"),
)


def allowed_globals() -> list[Any]:
    """Pairs of what is used and the name that a pickle knows it by, for `torch.load`.

    MMEngine's histories become ours; none of the pairs runs anything that a file brings along.
    """
    reconstruct = np.empty(0).__reduce__()[0]
    scalar = np.float64(0).__reduce__()[0]
    allowed: list[Any] = [
        (HistoryBuffer, "mmengine.logging.history_buffer.HistoryBuffer"),
        (HistoryBuffer, "mainspring.logging.history_buffer.HistoryBuffer"),
        (_OneCycle, "mmengine.optim.scheduler.param_scheduler.OneCycleParamScheduler"),
        (_getattr, "builtins.getattr"),
        (collections.Counter, "collections.Counter"),
        (np.ndarray, "numpy.ndarray"),
        (np.dtype, "numpy.dtype"),
    ]
    # NumPy 2 renamed its module, and files of either version are read by either.
    for module in ("numpy.core", "numpy._core"):
        allowed.append((reconstruct, f"{module}.multiarray._reconstruct"))
        allowed.append((scalar, f"{module}.multiarray.scalar"))
    for name in _NUMBERS:
        kind = type(np.dtype(name))
        allowed.append((kind, f"numpy.dtypes.{kind.__name__}"))
    return allowed


class _OneCycle:
    """Stands for MMEngine's one-cycle schedule, which stores its curve as a function."""

    @staticmethod
    def _annealing_cos(start: float, end: float, share: float) -> float:
        raise NotImplementedError

    @staticmethod
    def _annealing_linear(start: float, end: float, share: float) -> float:
        raise NotImplementedError


_FETCHED: dict[type, tuple[str, ...]] = {
    HistoryBuffer: ("min", "max", "current", "mean"),
    _OneCycle: ("_annealing_cos", "_annealing_linear"),
}


def _getattr(owner: Any, name: Any) -> Any:
    """What a pickle gets that asks for `getattr`.

    That is how pickle fetches functions of a class: MMEngine stores the statistics of histories and
    the curves of one-cycle schedules. Nothing else is looked up.

    Raises:
        pickle.UnpicklingError: Something else is asked for.
    """
    for kind, names in _FETCHED.items():
        if owner is kind and isinstance(name, str) and name in names:
            return getattr(kind, name)
    raise pickle.UnpicklingError(f"Unsupported global: GLOBAL builtins.getattr, here of {name!r}")
