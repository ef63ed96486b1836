"""Optimizers that do not bring in torch's compiler while nothing is compiled.

Torch keeps its compiler from following some methods of `Optimizer`, and breaks its graph in
``step``. It imports the compiler for that, about 800 modules and a second, as soon as the first
optimizer is made. As long as nobody has imported it, there is nobody to keep out.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import torch
from torch.optim import Optimizer

from mainspring.fast import is_enabled

__all__ = ["is_watched", "spare_compiler", "step_eagerly", "step_hooks"]

_KEPT_OUT = "__dynamo_disable"
"""Where torch keeps, on a method, how to call it without being followed."""


# None of these is documented, and checkers of types do not know them.
_AUTOGRAD: Any = getattr(torch._C, "_autograd", torch.autograd)
_HOOKS: Any = sys.modules[Optimizer.__module__]


def spare_compiler() -> None:
    """Let optimizers be made, saved and loaded without the compiler, until it is imported."""
    if not is_enabled() or "torch._dynamo" in sys.modules:
        return
    for name in ("add_param_group", "zero_grad", "state_dict", "load_state_dict"):
        guarded = getattr(Optimizer, name)
        method = getattr(guarded, "__wrapped__", None)
        if method is not None and not hasattr(method, _KEPT_OUT):
            setattr(method, _KEPT_OUT, _until_compiling(guarded, method))


def _until_compiling(guarded: Callable[..., Any], method: Callable[..., Any]) -> Any:
    def call(*args: Any, **kwargs: Any) -> Any:
        if "torch._dynamo" not in sys.modules:
            return method(*args, **kwargs)
        if getattr(method, _KEPT_OUT, None) is call:
            delattr(method, _KEPT_OUT)
        return guarded(*args, **kwargs)

    return call


def step_eagerly(optimizer: Any) -> None:
    """``optimizer.step()``, without the compiler as long as nobody has imported it.

    Args:
        optimizer: Any optimizer.
    """
    method = None
    if is_enabled() and "torch._dynamo" not in sys.modules:
        method = _step_without_graph_break(type(optimizer))
    if method is None or is_watched(optimizer, step_hooks(optimizer)):
        optimizer.step()
        return
    with torch.set_grad_enabled(optimizer.defaults["differentiable"]):
        method(optimizer)


def _step_without_graph_break(kind: type) -> Callable[[Any], Any] | None:
    """What lies inside of torch's wrappers around ``step``; ``None`` if they are not as known."""
    breaking = getattr(getattr(kind, "step", None), "__wrapped__", None)
    if getattr(getattr(breaking, "__code__", None), "co_name", "") != "_use_grad":
        return None
    return getattr(breaking, "__wrapped__", None)


def step_hooks(optimizer: Any) -> list[Any]:
    """What is called before and after a step: four collections, filled as hooks are registered.

    Args:
        optimizer: An optimizer of torch.
    """
    return [
        _HOOKS._global_optimizer_pre_hooks,
        _HOOKS._global_optimizer_post_hooks,
        optimizer._optimizer_step_pre_hooks,
        optimizer._optimizer_step_post_hooks,
    ]


def is_watched(optimizer: Any, hooks: list[Any]) -> bool:
    """Whether somebody has to be told of a step, or takes part in it.

    Args:
        optimizer: An optimizer of torch.
        hooks: What `step_hooks` gave.
    """
    return (
        "step" in optimizer.__dict__
        or any(hooks)
        or _AUTOGRAD._profiler_enabled()
        or getattr(optimizer, "grad_scale", None) is not None
        or getattr(optimizer, "found_inf", None) is not None
    )
