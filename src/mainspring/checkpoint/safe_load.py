"""Read a checkpoint file without running code from it.

Everything mainspring writes loads under torch's ``weights_only`` rules. Files written by MMEngine
also hold pickled history buffers, numpy values and counters; those few classes are allowed by name
and rebuilt as ours. Anything else is refused unless the caller trusts the file explicitly.
"""

from __future__ import annotations

import collections
import pickle
import warnings
from pathlib import Path
from typing import IO, Any

import numpy as np
import torch

from mainspring.errors import CheckpointError
from mainspring.logging.history_buffer import HistoryBuffer

__all__ = ["load_file"]


def _allowed_globals() -> list[Any]:
    """Classes that checkpoints of MMEngine and MMCV hold, under every name they were pickled as."""
    numpy_core = "numpy._core" if np.lib.NumpyVersion(np.__version__) >= "2.0.0" else "numpy.core"
    reconstruct = np.empty(0).__reduce__()[0]
    scalar = np.float64(0).__reduce__()[0]
    allowed: list[Any] = [
        (HistoryBuffer, "mmengine.logging.history_buffer.HistoryBuffer"),
        (HistoryBuffer, "mainspring.logging.history_buffer.HistoryBuffer"),
        (collections.Counter, "collections.Counter"),
        (np.ndarray, "numpy.ndarray"),
        (np.dtype, "numpy.dtype"),
    ]
    for module in {"numpy.core", "numpy._core", numpy_core}:
        allowed.append((reconstruct, f"{module}.multiarray._reconstruct"))
        allowed.append((scalar, f"{module}.multiarray.scalar"))
    for name in (
        "float16",
        "float32",
        "float64",
        "int8",
        "int16",
        "int32",
        "int64",
        "uint8",
        "bool",
    ):
        dtype_class = type(np.dtype(name))
        allowed.append((dtype_class, f"numpy.dtypes.{dtype_class.__name__}"))
    return allowed


def load_file(
    file: str | Path | IO[bytes],
    map_location: Any = None,
    *,
    trust: bool = False,
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
    if isinstance(file, str | Path) and Path(file).suffix == ".safetensors":
        return _load_safetensors(file, map_location)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*weights_only.*")
            if trust:
                return torch.load(file, map_location=map_location, weights_only=False)
            with torch.serialization.safe_globals(_allowed_globals()):
                return torch.load(file, map_location=map_location, weights_only=True)
    except pickle.UnpicklingError as error:
        if "weights_only" not in str(error) and "Unsupported" not in str(error):
            raise CheckpointError(f"{shown} is not a checkpoint: {error}") from error
        raise CheckpointError(
            f"{shown} holds objects that only running code from the file could restore, so it was "
            "not read",
            help="load it with trust=True if you made this file yourself",
        ) from error
    except (RuntimeError, EOFError, ValueError, KeyError, OSError) as error:
        if isinstance(error, torch.OutOfMemoryError | CheckpointError):
            raise
        raise CheckpointError(
            f"{shown} is damaged or not a checkpoint: {type(error).__name__}: {error}"
        ) from error


def _load_safetensors(path: str | Path, map_location: Any) -> dict[str, Any]:
    try:
        from safetensors.torch import load_file as load_tensors
    except ImportError as error:
        error.add_note("reading .safetensors files needs: pip install safetensors")
        raise
    device = "cpu" if map_location is None or callable(map_location) else map_location
    return {"state_dict": load_tensors(str(path), device=str(device))}
