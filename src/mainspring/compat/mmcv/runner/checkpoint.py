"""Checkpoints of MMCV's runner: read as all are, written with what MMCV writes."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn
from torch.optim import Optimizer

from mainspring import checkpoint as files
from mainspring.checkpoint import (
    CheckpointLoader,
    _load_checkpoint,
    _load_checkpoint_with_prefix,
    get_state_dict,
    load_checkpoint,
    load_state_dict,
    weights_to_cpu,
)
from mainspring.checkpoint.apply import unwrap

__all__ = [
    "CheckpointLoader",
    "_load_checkpoint",
    "_load_checkpoint_with_prefix",
    "get_state_dict",
    "load_checkpoint",
    "load_state_dict",
    "save_checkpoint",
    "weights_to_cpu",
]

VERSION = "1.7.2"
"""The version of MMCV whose files these are."""


def save_checkpoint(
    model: nn.Module,
    filename: str | Path,
    optimizer: Optimizer | Mapping[str, Optimizer] | None = None,
    meta: dict[str, Any] | None = None,
    file_client_args: dict[str, Any] | None = None,
    **further: Any,
) -> None:
    """Write weights, the state of the optimizer and meta information.

    Args:
        model: The model.
        filename: Path or URI.
        optimizer: The optimizer, or several by name.
        meta: Meta information; version, time and the model's ``CLASSES`` are added to it.
        file_client_args: Storage backend and its arguments.
        **further: Further entries.
    """
    if meta is not None and not isinstance(meta, dict):
        raise TypeError(f"meta must be a dict or None, but got {type(meta)}")
    meta = {} if meta is None else meta
    meta.update(mmcv_version=VERSION, time=time.asctime())
    inner = unwrap(model)
    if (classes := getattr(inner, "CLASSES", None)) is not None:
        meta["CLASSES"] = classes
    content = {"meta": meta, "state_dict": weights_to_cpu(get_state_dict(inner)), **further}
    if isinstance(optimizer, Mapping):
        content["optimizer"] = {name: one.state_dict() for name, one in optimizer.items()}
    elif optimizer is not None:
        content["optimizer"] = optimizer.state_dict()
    files.save_checkpoint(content, filename, file_client_args)
