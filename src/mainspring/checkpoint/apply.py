"""Bring weights from a state dict into a module, tolerating what may differ and saying so."""

from __future__ import annotations

import logging
import re
from collections import Counter, OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from mainspring.checkpoint.contents import weights_like
from mainspring.checkpoint.frozen import with_left_out
from mainspring.checkpoint.schemes import CheckpointLoader
from mainspring.checkpoint.sharded import spread_like
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


def _wrapped_parts(module: nn.Module) -> list[str]:
    """Where parts of a model are wrapped for themselves, as ``maker.`` for ``maker.module.weight``.

    Outer ones come first.
    """
    wrappers = _wrapper_classes()
    return [
        f"{name}."
        for name, part in module.named_modules()
        if name
        and isinstance(part, wrappers)
        and isinstance(getattr(part, "module", None), nn.Module)
    ]


def _without(wrapped_parts: list[str], key: str) -> str:
    """The name of a weight without the wrappers of parts."""
    for part in reversed(wrapped_parts):
        if key.startswith(f"{part}module."):
            key = part + key.removeprefix(f"{part}module.")
    return key


def load_state_dict(
    module: nn.Module, state_dict: Mapping[str, Any], strict: bool = False, logger: Any = None
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
    weights = weights_like(state_dict, state_dict.items())
    own = target.state_dict(keep_vars=True)
    inside = _wrapped_parts(target)
    if inside:
        wrapped = {_without(inside, key): key for key in own}
        weights = OrderedDict((wrapped.get(key, key), value) for key, value in weights.items())
    misshapen = {
        key: f"{key}: checkpoint {tuple(weights[key].shape)}, model {tuple(own[key].shape)}"
        for key in sorted(own.keys() & weights.keys())
        if isinstance(weights[key], torch.Tensor)
        and isinstance(own[key], torch.Tensor)
        and not torch.nn.parameter.is_lazy(own[key])
        and weights[key].shape != own[key].shape
    }
    for key in misshapen:
        del weights[key]
    for key in own.keys() & weights.keys():
        weights[key] = spread_like(weights[key], own[key])
    result = target.load_state_dict(weights, strict=False)
    missing = [
        key
        for key in result.missing_keys
        if "num_batches_tracked" not in key and key not in misshapen
    ]
    unexpected = list(result.unexpected_keys)
    if not (missing or unexpected or misshapen):
        return
    report = _difference_report(missing, unexpected, list(misshapen.values()))
    if not (own.keys() & weights.keys()):
        known = without_other_prefix(weights, own)
        if known is not None:
            prefix, renamed = known
            if get_rank() == 0:
                print_log(f"weights of another prefix: {prefix}", logger, logging.WARNING)
            load_state_dict(module, renamed, strict, logger)
            return
    fitting = [key for key in own.keys() & weights.keys() if "num_batches_tracked" not in key]
    if own and state_dict and not fitting:
        raise CheckpointError(
            "this checkpoint belongs to another model: none of its "
            f"{len(state_dict)} weights fits {type(target).__name__}\n{report}"
        )
    if strict:
        raise CheckpointError(report)
    if get_rank() == 0:
        print_log(report, logger=logger, level=logging.WARNING)


_WEIGHTS_OF_OTHERS = ("model_state_dict", "model", "model_state", "module", "net", "network")
"""Keys under which other engines save the weights."""


def _weights_in(checkpoint: Mapping[str, Any]) -> Mapping[str, Any]:
    """The weights of a checkpoint, which may itself be a state dict."""
    if isinstance(found := checkpoint.get("state_dict"), Mapping):
        return found  # whatever hooks have put beside it, tensors too
    if any(isinstance(value, torch.Tensor) for value in checkpoint.values()):
        return checkpoint
    for name in _WEIGHTS_OF_OTHERS:
        if isinstance(found := checkpoint.get(name), Mapping):
            print_log(f"the weights are those under {name!r}", "current")
            return found
    return checkpoint


def without_other_prefix(
    weights: Mapping[str, Any], own: Mapping[str, Any]
) -> tuple[str, OrderedDict[str, Any]] | None:
    """Weights whose names differ from a model's by one prefix, with the model's names.

    Args:
        weights: The weights, none of which has a name of the model's.
        own: The model's state dict.

    Returns:
        What the prefix is, and the weights; ``None`` if names differ in other ways.
    """
    theirs, ours = _common_prefix(weights), _common_prefix(own)
    changes = [(old, new) for old in theirs for new in ours if old or new]
    # The simplest first.
    for old, new in sorted(changes, key=lambda pair: sum(each.count(".") for each in pair)):
        renamed = OrderedDict(
            (new + name.removeprefix(old), value)
            for name, value in weights.items()
            if name.startswith(old)
        )
        # Beside the weights there may be those of a loss, or of a wrapper.
        if len(own.keys() & renamed.keys()) * 2 > max(len(own), len(renamed)):
            said = f"{old!r} is taken off" if old else ""
            added = f"{new!r} is put before each name" if new else ""
            return " and ".join(filter(None, (said, added))), renamed
    return None


def _common_prefix(names: Iterable[str]) -> list[str]:
    """The prefixes that most names share: `module.`, `module.model.`, and so on; none first."""
    found, prefix = [""], ""
    rest = list(names)
    while rest:
        heads = Counter(name.partition(".")[0] for name in rest if "." in name)
        if not heads:
            break
        head, count = heads.most_common(1)[0]
        if count * 2 <= len(rest):
            break
        prefix += f"{head}."
        found.append(prefix)
        rest = [name.partition(".")[2] for name in rest if name.startswith(f"{head}.")]
    return found


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
    checkpoint = with_left_out(get_state_dict(model), checkpoint)
    state = _weights_in(checkpoint)
    weights = weights_like(state, state.items())
    for pattern, replacement in revise_keys:
        weights = weights_like(
            state, ((re.sub(pattern, replacement, key), v) for key, v in weights.items())
        )
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
    on_cpu = (
        (key, value.cpu() if isinstance(value, torch.Tensor) else value)
        for key, value in state_dict.items()
    )
    return weights_like(state_dict, on_cpu)


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
    inside = [f"{prefix}{name}" for name in _wrapped_parts(module)]
    if inside:
        state = OrderedDict((_without(inside, key), value) for key, value in state.items())
    if destination is None:
        return OrderedDict(state) if not isinstance(state, OrderedDict) else state
    destination.update(state)
    return destination
