"""Copies of checkpoints for others: the wanted keys only, named by their content."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from typing import Any

import torch

from mainspring import fileio
from mainspring.checkpoint import CheckpointLoader
from mainspring.hooks.best_checkpoint import file_name

__all__ = ["publish"]


def publish(path: str, keys: Sequence[str], backend_args: dict[str, Any] | None) -> str:
    """Write a copy of a checkpoint beside it.

    Args:
        path: The checkpoint.
        keys: What of it is kept.
        backend_args: Storage backend and its arguments.

    Returns:
        What was done, for the log.
    """
    checkpoint = CheckpointLoader.load_checkpoint(path, map_location="cpu", logger="silent")
    dropped = [key for key in checkpoint if key not in keys]
    buffer = io.BytesIO()
    torch.save({key: checkpoint[key] for key in checkpoint if key in keys}, buffer)
    content = buffer.getvalue()
    digest = hashlib.sha256(content).hexdigest()[:8]
    published = f"{path.removesuffix('.pth')}-{digest}.pth"
    fileio.put(content, published, backend_args=backend_args)
    return (
        f"The checkpoint ({file_name(path)}) is published to {published}, without "
        f"{', '.join(dropped) or 'leaving anything out'}."
    )
