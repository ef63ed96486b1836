"""Weights that a user spread over the processes (``fully_shard``, tensor parallelism): `DTensor`.

A checkpoint holds them whole, like those of any other model, so that it can be read without the
processes that wrote it.
"""

from __future__ import annotations

import copy
import sys
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from mainspring.dist import is_main_process

__all__ = ["is_sharded", "spread_like", "spread_optimizer_state", "whole"]


def _is_part(value: Any) -> bool:
    # Whoever has made one has imported this.
    module = sys.modules.get("torch.distributed.tensor")
    return module is not None and isinstance(value, module.DTensor)


def is_sharded(model: nn.Module) -> bool:
    """Whether parameters of a model are spread over processes."""
    return any(map(_is_part, model.parameters()))


def whole(tree: Any) -> Any:
    """Nested state with its spread tensors put together on the main process (all ranks).

    One tensor after the other is gathered; other ranks keep their part of it.

    Args:
        tree: Dicts, lists and tuples with anything in them; copied where it changes.
    """
    if _is_part(tree):
        gathered = tree.full_tensor()
        return gathered.cpu() if is_main_process() else tree
    if isinstance(tree, Mapping):
        found = {key: whole(value) for key, value in tree.items()}
        changes = {key: value for key, value in found.items() if value is not tree[key]}
        if not changes:
            return tree
        changed: Any = copy.copy(tree)  # with the versions that torch keeps as an attribute
        changed.update(changes)
        return changed
    if type(tree) in (list, tuple):
        items = [whole(value) for value in tree]
        changed = any(new is not old for new, old in zip(items, tree, strict=True))
        return type(tree)(items) if changed else tree
    return tree


def spread_like(value: Any, own: Any) -> Any:
    """A whole tensor spread over the processes as another one is, or as it was given.

    Args:
        value: A tensor that all ranks have.
        own: What it is to replace.
    """
    if not _is_part(own) or _is_part(value) or not isinstance(value, torch.Tensor):
        return value
    from torch.distributed.tensor import distribute_tensor

    here = value.to(own.to_local().device)
    # All ranks have read the same file: nothing needs to be sent.
    return distribute_tensor(here, own.device_mesh, own.placements, src_data_rank=None)


def spread_optimizer_state(optimizer: torch.optim.Optimizer) -> None:
    """Spread what an optimizer was given whole, each tensor as the parameter that it is of."""
    for parameter, state in optimizer.state.items():
        for name, value in state.items():
            if isinstance(value, torch.Tensor) and value.shape == parameter.shape:
                state[name] = spread_like(value, parameter)
