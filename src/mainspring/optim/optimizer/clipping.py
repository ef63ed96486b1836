"""How gradients are clipped."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn

from mainspring.errors import ConfigError, did_you_mean

__all__ = ["clipping"]

_CLIP_FUNCTIONS: dict[str, Callable[..., torch.Tensor | None]] = {
    "norm": nn.utils.clip_grad_norm_,
    "value": nn.utils.clip_grad_value_,
}


def clipping(clip_grad: Any) -> tuple[str, Callable[..., torch.Tensor | None], dict[str, Any]]:
    """What a ``clip_grad`` says: name of what is recorded, the function, and its arguments.

    Args:
        clip_grad: A number, or a dict.

    Raises:
        ConfigError: It makes no sense.
    """
    if isinstance(clip_grad, int | float) and not isinstance(clip_grad, bool):
        clip_grad = {"max_norm": float(clip_grad)}
    if not isinstance(clip_grad, Mapping) or not clip_grad:
        raise ConfigError(
            f"clip_grad is {clip_grad!r}", help="give a number, or a dict such as dict(max_norm=35)"
        )
    arguments = {key: clip_grad[key] for key in clip_grad}
    kind = arguments.pop("type", "norm")
    if kind not in _CLIP_FUNCTIONS:
        raise ConfigError(f"clip_grad has type {kind!r}", help="it is 'norm' or 'value'")
    if not arguments:
        raise ConfigError(
            "clip_grad has a type, but no argument", help="add max_norm or clip_value"
        )
    function = _CLIP_FUNCTIONS[kind]
    known = list(inspect.signature(function).parameters)[1:]
    for name in arguments:
        if name not in known:
            raise ConfigError(
                f"clip_grad has no setting {name!r}",
                config_path=f"optim_wrapper.clip_grad.{name}",
                help=did_you_mean(name, known) or f"it has {', '.join(known)}",
            )
    limit = arguments.get("max_norm" if kind == "norm" else "clip_value")
    if limit is None or isinstance(limit, str) or not limit >= 0:
        raise ConfigError(
            f"clip_grad has {known[0]}={limit!r}",
            config_path="optim_wrapper.clip_grad",
            help="give a number that is not negative",
        )
    return f"grad_{kind}", function, arguments
