"""Read a checkpoint file without running code from it.

Everything mainspring writes loads under torch's ``weights_only`` rules. Files written by MMEngine
also hold pickled history buffers, numpy values and counters; those few classes are allowed by name
and rebuilt as ours. Anything else is refused unless the caller trusts the file explicitly.
"""

from __future__ import annotations

import collections
import pickle
import re
import tarfile
import warnings
from pathlib import Path
from typing import IO, Any

import numpy as np
import torch

from mainspring.checkpoint.plain_types import as_they_were
from mainspring.checkpoint.safetensors_files import is_safetensors, read_safetensors
from mainspring.checkpoint.seal import begins_as_torchs
from mainspring.errors import CheckpointError
from mainspring.logging.history_buffer import HistoryBuffer

__all__ = ["load_file"]


def load_file(
    file: str | Path | IO[bytes], map_location: Any = None, *, trust: bool = False
) -> Any:
    """Read one checkpoint file, or an open binary stream of one.

    Args:
        file: Local path or binary stream.
        map_location: Where tensors go, as in `torch.load`; ``None`` keeps the saved device.
        trust: Let the file run arbitrary code while it is read. Only for files that you made.

    Returns:
        The object that the file holds, usually a dict.

    Raises:
        FileNotFoundError: There is no such file.
        CheckpointError: The file is no checkpoint, is damaged, or needs code to be run.
    """
    shown = str(file) if isinstance(file, str | Path) else getattr(file, "name", "the stream")
    if isinstance(file, str | Path) and not Path(file).is_file():
        raise FileNotFoundError(f"checkpoint {shown!r} does not exist")
    if isinstance(file, str | Path) and is_safetensors(file):
        return read_safetensors(file, map_location)
    if isinstance(file, str | Path) and not trust:
        _refuse_other_kinds(Path(file))
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*weights_only.*")
            if trust:
                return as_they_were(torch.load(file, map_location=map_location, weights_only=False))
            with torch.serialization.safe_globals(_allowed_globals()):
                return as_they_were(torch.load(file, map_location=map_location, weights_only=True))
    except pickle.UnpicklingError as error:
        if "weights_only" not in str(error) and "Unsupported" not in str(error):
            raise CheckpointError(f"{shown} is not a checkpoint: {error}") from error
        asked = re.search(r"GLOBAL (\S+)", str(error))
        raise CheckpointError(
            f"{shown} holds objects that only running code from the file could restore, so it was "
            f"not read{f': it asks for {asked.group(1)}' if asked else ''}",
            help="if you made this file yourself, load it with trust=True, or make a plain one of "
            "it with mainspring ckpt import-mmengine FILE -o OUT --trust",
        ) from error
    except MemoryError as error:
        raise CheckpointError(f"{shown} asks for more memory than there is: {error}") from error
    except CheckpointError as error:
        raise CheckpointError(f"{shown} is damaged: {error.message}") from None
    except Exception as error:
        # What reading a damaged file raises is not bounded; only this says nothing of the file.
        if isinstance(error, torch.OutOfMemoryError):
            raise
        raise CheckpointError(
            f"{shown} is damaged or not a checkpoint: {type(error).__name__}: {error}"
        ) from error


def _refuse_other_kinds(file: Path) -> None:
    """Refuse what begins neither as an archive nor as a pickle, of which little could be told."""
    with file.open("rb") as opened:
        start = opened.read(8)
    if not begins_as_torchs(start) and not tarfile.is_tarfile(file):
        begins = f"it begins with {start!r}" if start else "it is empty"
        raise CheckpointError(f"{file} is damaged or not a checkpoint: {begins}")


# No strings, objects or records: their types take sizes and flags from the file.
_NUMBERS = (
    "bool",
    *(f"{kind}{bits}" for kind in ("uint", "int") for bits in (8, 16, 32, 64)),
    *("float16", "float32", "float64"),
)


def _allowed_globals() -> list[Any]:
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
