"""Buffers that differ between processes, such as running statistics of batch normalisation.

`DistributedDataParallel` keeps parameters equal on all ranks, but not buffers: each rank has the
statistics of its own share of the data. A checkpoint holds those of rank 0 as weights, and beside
them what the other ranks have otherwise, so that each goes on with its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from mainspring.checkpoint.apply import unwrap
from mainspring.checkpoint.frozen import weight_digest
from mainspring.dist import broadcast_object_list, gather_object, get_rank, get_world_size

__all__ = ["own_buffers_of_ranks", "with_own_buffers"]

_PARTS = ("state_dict", "ema_state_dict")
Weights = dict[str, dict[str, torch.Tensor]]


def own_buffers_of_ranks(model: nn.Module, checkpoint: Mapping[str, Any]) -> list[Weights] | None:
    """For each rank, the buffers that differ from those of rank 0 (all ranks).

    Args:
        model: The model.
        checkpoint: What this rank would write.

    Returns:
        By rank, then by part of the checkpoint and name; ``None`` on other ranks than 0, and when
        none differ.
    """
    if get_world_size() == 1:
        return None
    buffers = {name for name, _ in unwrap(model).named_buffers()}
    mine = {
        part: {
            name: value
            for name, value in checkpoint[part].items()
            if name.removeprefix("module.") in buffers
            and isinstance(value, torch.Tensor)
            and value.layout == torch.strided
        }
        for part in _PARTS
        if part in checkpoint
    }
    digests = {part: {name: weight_digest(value) for name, value in values.items()}
               for part, values in mine.items()}  # fmt: skip
    of_main: list[Any] = [digests]
    broadcast_object_list(of_main)
    differing = {
        part: {
            name: value.detach().cpu().clone()
            for name, value in values.items()
            if of_main[0].get(part, {}).get(name) != digests[part][name]
        }
        for part, values in mine.items()
    }
    gathered = gather_object(differing)
    return gathered if gathered and any(any(parts.values()) for parts in gathered) else None


def with_own_buffers(checkpoint: Mapping[str, Any]) -> Mapping[str, Any]:
    """A checkpoint with the buffers that this rank had when it was made.

    Args:
        checkpoint: A checkpoint; one of another number of processes is returned as it is.
    """
    of_ranks = (checkpoint.get("mainspring") or {}).get("buffers") or []
    if len(of_ranks) != get_world_size():
        return checkpoint
    own: Weights = of_ranks[get_rank()]
    return {**checkpoint, **{part: {**checkpoint[part], **own[part]} for part in own}}
