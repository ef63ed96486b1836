"""Bring weights from a state dict into a module, tolerating what may differ and saying so."""

from __future__ import annotations

import logging
import re
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from mainspring.checkpoint.schemes import CheckpointLoader
from mainspring.dist import get_rank
from mainspring.errors import CheckpointError
from mainspring.logging import print_log
from mainspring.registry import MODEL_WRAPPERS

__all__ = [
    "_load_checkpoint_to_model",
    "get_state_dict",
    "load_checkpoint",
    "load_state_dict",
    "weights_to_cpu",
]

_SHOWN_KEYS = 20


def unwrap(module: nn.Module) -> nn.Module:
    """The model inside distributed wrappers, or the module itself."""
    wrappers = _wrapper_classes()
    while isinstance(module, wrappers) and isinstance(getattr(module, "module", None), nn.Module):
        module = module.module  # type: ignore[assignment]  # - checked to be a Module just above
    return module


def _wrapper_classes() -> tuple[type, ...]:
    found: list[type] = [nn.DataParallel, nn.parallel.DistributedDataParallel]
    queue = [MODEL_WRAPPERS]
    while queue:
        registry = queue.pop()
        found.extend(item for item in registry.module_dict.values() if isinstance(item, type))
        queue.extend(registry.children.values())
    return tuple(found)


def load_state_dict(
    module: nn.Module,
    state_dict: Mapping[str, Any],
    strict: bool = False,
    logger: Any = None,
) -> None:
    """Load weights, reporting what did not fit instead of stopping at the first difference.

    Args:
        module: Model or wrapped model.
        state_dict: Weights by name.
        strict: Raise when a key is missing, unexpected, or has another shape.
        logger: Where rank 0 reports differences; ``None`` prints.

    Raises:
        CheckpointError: Something differs and `strict` is set, or nothing at all fits.
    """
    target = unwrap(module)
    inner = getattr(target, "module", None)
    if hasattr(target, "merge_preds") and isinstance(inner, nn.Module):
        target = unwrap(inner)
    weights = OrderedDict(state_dict)
    metadata = getattr(state_dict, "_metadata", None)
    if metadata is not None:
        weights._metadata = metadata  # type: ignore[attr-defined]  # - torch keeps versions there

    own = target.state_dict(keep_vars=True)
    misshapen = [
        f"{key}: checkpoint {tuple(weights[key].shape)}, model {tuple(own[key].shape)}"
        for key in own.keys() & weights.keys()
        if isinstance(weights[key], torch.Tensor)
        and isinstance(own[key], torch.Tensor)
        and not torch.nn.parameter.is_lazy(own[key])
        and weights[key].shape != own[key].shape
    ]
    for line in misshapen:
        del weights[line.split(":", 1)[0]]
    result = target.load_state_dict(weights, strict=False)
    shapeless = {line.split(":", 1)[0] for line in misshapen}
    missing = [
        key
        for key in result.missing_keys
        if "num_batches_tracked" not in key and key not in shapeless
    ]
    unexpected = list(result.unexpected_keys)
    if not (missing or unexpected or misshapen):
        return
    report = _difference_report(missing, unexpected, sorted(misshapen))
    if own and state_dict and not (own.keys() & weights.keys()):
        raise CheckpointError(
            "this checkpoint belongs to another model: none of its "
            f"{len(state_dict)} weights fits {type(target).__name__}\n{report}"
        )
    if strict:
        raise CheckpointError(report)
    if get_rank() == 0:
        print_log(report, logger=logger, level=logging.WARNING)


def _difference_report(missing: list[str], unexpected: list[str], misshapen: list[str]) -> str:
    lines = ["The model and loaded state dict do not match exactly"]
    for title, keys in (
        ("size mismatch for", misshapen),
        ("unexpected key in source state_dict:", unexpected),
        ("missing keys in source state_dict:", missing),
    ):
        if keys:
            more = f", ... ({len(keys) - _SHOWN_KEYS} more)" if len(keys) > _SHOWN_KEYS else ""
            lines.append(f"{title} {', '.join(keys[:_SHOWN_KEYS])}{more}")
    return "\n".join(lines)


def _load_checkpoint_to_model(
    model: nn.Module,
    checkpoint: Mapping[str, Any],
    strict: bool = False,
    logger: Any = None,
    revise_keys: Sequence[tuple[str, str]] = ((r"^module\.", ""),),
) -> Mapping[str, Any]:
    """Load the weights of a checkpoint that is already in memory; returns the checkpoint."""
    state = checkpoint.get("state_dict", checkpoint)
    metadata = getattr(state, "_metadata", OrderedDict())
    for pattern, replacement in revise_keys:
        state = OrderedDict((re.sub(pattern, replacement, key), v) for key, v in state.items())
    weights = OrderedDict(state)
    weights._metadata = metadata  # type: ignore[attr-defined]  # - torch keeps versions there
    load_state_dict(model, weights, strict, logger)
    return checkpoint


def load_checkpoint(
    model: nn.Module,
    filename: str | Path,
    map_location: Any = None,
    strict: bool = False,
    logger: Any = None,
    revise_keys: Sequence[tuple[str, str]] = ((r"^module\.", ""),),
) -> Mapping[str, Any]:
    """Load the weights of a checkpoint into a model.

    Args:
        model: Where the weights go.
        filename: Path or URI; see `CheckpointLoader`.
        map_location: As in `torch.load`.
        strict: Whether every weight must fit.
        logger: Where differences are reported; ``None`` prints.
        revise_keys: Pairs of pattern and replacement applied to every key.

    Returns:
        The checkpoint, with all that it holds besides weights.

    Raises:
        CheckpointError: The file is damaged, holds no dict, or fits the model not at all.
    """
    checkpoint = CheckpointLoader.load_checkpoint(filename, map_location, logger)
    if not isinstance(checkpoint, Mapping):
        raise CheckpointError(f"{filename} holds a {type(checkpoint).__name__}, not a state dict")
    return _load_checkpoint_to_model(model, checkpoint, strict, logger, revise_keys)


def weights_to_cpu(state_dict: Mapping[str, Any]) -> OrderedDict[str, Any]:
    """A copy of a state dict with its tensors on the CPU and torch's version notes kept."""
    on_cpu = OrderedDict(
        (key, value.cpu() if isinstance(value, torch.Tensor) else value)
        for key, value in state_dict.items()
    )
    on_cpu._metadata = getattr(state_dict, "_metadata", OrderedDict())  # type: ignore[attr-defined]  # - torch keeps versions there
    return on_cpu


def get_state_dict(
    module: nn.Module,
    destination: OrderedDict[str, Any] | None = None,
    prefix: str = "",
    keep_vars: bool = False,
) -> OrderedDict[str, Any]:
    """The state dict of a model, without the prefixes that wrappers add.

    Args:
        module: Model or wrapped model.
        destination: Where to add the entries; a new dict by default.
        prefix: Put before every key.
        keep_vars: Keep tensors attached to the graph, as in `torch.nn.Module.state_dict`.
    """
    module = unwrap(module)
    state = module.state_dict(prefix=prefix, keep_vars=keep_vars)
    if destination is None:
        return OrderedDict(state) if not isinstance(state, OrderedDict) else state
    destination.update(state)
    return destination
