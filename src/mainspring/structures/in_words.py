"""Nested data in a few words, such as ``float32 (64, 1, 8, 8), int64 (64,) 0..9``."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch

__all__ = ["in_words"]

_MOST = 6
_DEEPEST = 3
_LONGEST_TEXT = 40


def in_words(value: Any, *, values: bool = True, deepest: int = _DEEPEST) -> str:
    """What a batch, an item or an output is, for a message.

    Args:
        value: Anything.
        values: Whether to show single values, and the range of whole numbers; else types and shapes
            alone, which are the same for things that are alike.
        deepest: How many containers inside of one another are looked into.
    """
    kind = type(value).__name__
    if isinstance(value, torch.Tensor | np.ndarray):
        return _array_in_words(value, values)
    if value is None:
        return "None"
    if isinstance(value, bool | int | float | str | bytes | np.generic):
        text = repr(value) if values else kind
        return text if len(text) <= _LONGEST_TEXT else f"{kind} of {len(text)}"
    if not deepest:
        return kind

    def listed(items: Iterable[tuple[str, Any]]) -> str:
        shown = [
            prefix + in_words(item, values=values, deepest=deepest - 1) for prefix, item in items
        ]
        more = [f"and {len(shown) - _MOST} more"] if len(shown) > _MOST else []
        return ", ".join(shown[:_MOST] + more)

    if isinstance(value, Mapping):
        return "{" + listed((f"{key}: ", item) for key, item in value.items()) + "}"
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = [field.name for field in dataclasses.fields(value)]
        return f"{kind}({listed((f'{name}=', getattr(value, name)) for name in names)})"
    if isinstance(value, Sequence):
        if len(value) > _MOST:
            first = in_words(value[0], values=values, deepest=deepest - 1)
            return f"{kind} of {len(value)}, the first {first}"
        inside = listed(("", item) for item in value)
        return f"[{inside}]" if deepest < _DEEPEST or not value else inside
    return kind


def _array_in_words(value: Any, values: bool) -> str:
    text = f"{str(value.dtype).removeprefix('torch.')} {tuple(value.shape)}"
    device = getattr(value, "device", "cpu")
    if str(device) != "cpu":
        text += f" on {device}"
    if not values:
        return text
    try:
        tensor = torch.as_tensor(value).detach()
        if not tensor.numel():
            return text
        if tensor.is_floating_point():
            finite = bool(torch.isfinite(tensor).all())
            return text if finite else f"{text} with NaN or infinity"
        if tensor.is_complex() or tensor.dtype is torch.bool:
            return text
        return f"{text} {tensor.min().item()}..{tensor.max().item()}"
    except (TypeError, ValueError, RuntimeError):
        return text  # objects, or a device that has failed
