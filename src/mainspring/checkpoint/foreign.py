"""Checkpoints of MMEngine and of MMCV 1.x, made into ours: plain types, and where things belong."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mainspring.checkpoint.contents import weights_like, weights_of
from mainspring.errors import CheckpointError
from mainspring.logging import MessageHub

__all__ = ["import_mmengine"]

_META_NAMES = {"exp_name": "experiment_name", "config": "cfg"}
_DATASET_NAMES = {"CLASSES": "classes", "PALETTE": "palette"}
_COUNTS = ("epoch", "iter", "seed")


def import_mmengine(
    checkpoint: Mapping[str, Any], path: str | Path
) -> tuple[dict[str, Any], list[str]]:
    """Make a checkpoint of MMEngine 0.x or MMCV 1.x into one that a run here continues.

    Histories become tensors and NumPy's values plain ones; functions, which nothing here uses, are
    left out. Of MMCV, meta information gets MMEngine's names, the loss scale goes to the optimizer,
    and the iteration of an iteration-based run, which MMCV saves one too small, is put right.

    Args:
        checkpoint: Content of a file, or a plain state dict.
        path: The file; MMCV's names tell iterations from epochs.

    Returns:
        The checkpoint, and lines for the user about what was changed or is missing.

    Raises:
        CheckpointError: It holds no weights, or was written by mainspring.
    """
    if "mainspring" in checkpoint:
        raise CheckpointError(
            f"{path} was written by mainspring", help="it can be resumed as it is"
        )
    weights = weights_of(checkpoint, path)
    notes: list[str] = []
    whole = checkpoint if "state_dict" in checkpoint else {}
    meta = whole.get("meta")
    meta = _plain(meta, "meta", notes) if isinstance(meta, Mapping) else {}
    plain = weights_like(weights, ((name, _plain(v, name, [])) for name, v in weights.items()))
    imported: dict[str, Any] = {"meta": meta, "state_dict": plain}
    for key, value in whole.items():
        if key == "message_hub":
            hub = MessageHub("imported")
            hub.load_state_dict(value)
            imported[key] = hub.state_dict()
        elif key not in imported:
            imported[key] = _plain(value, key, notes)
    is_mmcv = "mmcv_version" in meta or ("meta" in whole and "mmengine_version" not in meta)
    if is_mmcv:
        _rename_meta(meta)
        _correct_position(meta, Path(path), notes)
        half, optimizer = meta.get("fp16"), imported.get("optimizer")
        if isinstance(half, Mapping) and "loss_scaler" in half and isinstance(optimizer, dict):
            optimizer.setdefault("loss_scaler", half["loss_scaler"])
    if "optimizer" not in imported:
        notes.append("it holds no state of an optimizer: use it with load_from")
    elif "param_schedulers" not in imported:
        notes.append("it holds no state of schedules: those of the config begin at their start")
    return imported, notes


def _plain(value: Any, path: str, notes: list[str]) -> Any:
    """A value as tensors and plain types; what is neither is left out or becomes text."""
    if isinstance(value, np.generic):
        return value.item()
    if value is None or isinstance(value, torch.Tensor | bool | int | float | str | bytes):
        return value
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, Mapping):
        return {
            _plain(key, path, notes): _plain(item, f"{path}.{key}", notes)
            for key, item in value.items()
            if not callable(item)
        }
    if isinstance(value, torch.Size | torch.dtype | torch.device):
        return value
    if isinstance(value, list | tuple | set | frozenset):
        items = [_plain(item, path, notes) for item in value]
        return tuple(items) if isinstance(value, tuple) else items
    notes.append(f"{path} is a {type(value).__name__}: it is kept as text")
    return str(value)


def _rename_meta(meta: dict[str, Any]) -> None:
    for old, new in _META_NAMES.items():
        if old in meta:
            meta.setdefault(new, meta.pop(old))
    classes = {new: meta.pop(old) for old, new in _DATASET_NAMES.items() if meta.get(old)}
    if classes:
        meta.setdefault("dataset_meta", classes)
    for name in _COUNTS:
        if isinstance(meta.get(name), str | float):
            try:
                meta[name] = int(meta[name])
            except ValueError:
                raise CheckpointError(f"meta.{name} is {meta[name]!r}, not a number") from None


def _correct_position(meta: dict[str, Any], path: Path, notes: list[str]) -> None:
    """MMCV's iteration-based runner saves before it counts the iteration, and one epoch more."""
    if "iter" not in meta:
        return
    named = re.fullmatch(r"iter_(\d+)", path.stem)
    by_name = named is not None and int(named.group(1)) == meta["iter"] + 1
    if by_name or "IterBasedRunner" in str(meta.get("cfg", "")):
        meta["iter"] += 1
        meta["epoch"] = max(meta.get("epoch", 0) - 1, 0)
        notes.append(
            f"it is of an iteration-based run, whose iteration MMCV saves one too small: it is "
            f"{meta['iter']}"
        )
