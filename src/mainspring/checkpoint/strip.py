"""Weights and meta information of a checkpoint without what only training needs."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from mainspring.checkpoint.contents import meta_of, weights_like, weights_of
from mainspring.checkpoint.store import save_checkpoint
from mainspring.errors import CheckpointError
from mainspring.output import masked_values

__all__ = ["chosen_weights", "hashed_name", "save_by_hash", "strip_checkpoint"]

Which = Literal["averaged", "raw"]

_INNER = "module."


def strip_checkpoint(
    checkpoint: Mapping[str, Any], path: str | Path, which: Which | None = None
) -> dict[str, Any]:
    """What of a checkpoint is published: ``meta`` and ``state_dict``.

    Args:
        checkpoint: Content of a file, or a plain state dict.
        path: The file, for messages.
        which: Averaged or raw weights, see `chosen_weights`.

    Raises:
        CheckpointError: It holds no weights, or not those.
    """
    state = chosen_weights(checkpoint, path, which)
    return {"meta": masked_values(meta_of(checkpoint)), "state_dict": state}


def chosen_weights(
    checkpoint: Mapping[str, Any], path: str | Path, which: Which | None = None
) -> Mapping[str, Any]:
    """The averaged or the raw weights of a checkpoint.

    A run with `EMAHook`, or an optimizer that averages itself, keeps averaged weights in
    ``state_dict`` and those that training goes on with in ``ema_state_dict``.

    Args:
        checkpoint: Content of a file.
        path: The file, for messages.
        which: The kind of weights; ``None`` takes ``state_dict`` as it is.

    Raises:
        CheckpointError: It holds no weights, or only one kind of them although one is chosen.
    """
    state = weights_of(checkpoint, path)
    if which is None:
        return state
    trained = checkpoint.get("ema_state_dict")
    if not isinstance(trained, Mapping):
        raise CheckpointError(
            f"{path} holds one kind of weights only: it is not of a run that averages them",
            help="leave out the choice between averaged and raw weights",
        )
    if which == "averaged":
        return state
    raw = ((name, trained.get(_INNER + name, value)) for name, value in state.items())
    return weights_like(state, raw)


def save_by_hash(checkpoint: Mapping[str, Any], path: str | Path) -> Path:
    """Write a checkpoint under a name that ends in the first digits of its SHA-256.

    Args:
        checkpoint: What to write.
        path: The name without digits.

    Returns:
        The name with them: ``net.pth`` becomes ``net-0a1b2c3d.pth``. Downloads through `torch.hub`
        verify such names. What has that name already has that content.

    Raises:
        OSError: The storage refuses.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as folder:
        written = Path(folder) / path.name
        save_checkpoint(checkpoint, written)
        with written.open("rb") as file:
            target = hashed_name(path, hashlib.file_digest(file, "sha256").hexdigest())
        os.replace(written, target)
    return target


def hashed_name(path: Path, digest: str) -> Path:
    """A file name with the first eight digits of a hash in it."""
    return path.with_name(f"{path.stem}-{digest[:8]}{path.suffix}")
