"""States of optimizers, given back to the last bit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor
from torch.optim import Optimizer

__all__ = ["keep_precision", "load_inner_optimizer"]


def keep_precision(optimizer: Optimizer, state: Mapping[str, Any]) -> None:
    """Give states their own types back, which torch casts to those of the parameters.

    Args:
        optimizer: An optimizer that the state was loaded into.
        state: What its `state_dict` gave for parameters of the same types.
    """
    saved = (number for group in state.get("param_groups", ()) for number in group["params"])
    parameters = (one for group in optimizer.param_groups for one in group["params"])
    for number, parameter in zip(saved, parameters, strict=False):
        if parameter in optimizer.state:
            known = _as_saved(optimizer.state[parameter], state["state"].get(number))
            optimizer.state[parameter] = known


def load_inner_optimizer(optimizer: Optimizer, state: dict[str, Any]) -> None:
    """Load the state of an optimizer that may share its groups with one around it.

    Args:
        optimizer: The optimizer.
        state: What its `state_dict` gave.
    """
    groups = optimizer.param_groups
    optimizer.load_state_dict(state)
    keep_precision(optimizer, state)
    for group, loaded in zip(groups, optimizer.param_groups, strict=True):
        group.update({**loaded, "params": group["params"]})
    optimizer.param_groups = groups


def _as_saved(now: Any, saved: Any) -> Any:
    if isinstance(now, Tensor) and isinstance(saved, Tensor):
        is_cast = now.dtype != saved.dtype and now.shape == saved.shape
        return saved.to(now.device, copy=True) if is_cast else now
    if isinstance(now, dict) and isinstance(saved, Mapping):
        # Torch itself decides how steps are counted.
        own = {
            key: one if key == "step" else _as_saved(one, saved.get(key))
            for key, one in now.items()
        }
        now.update(own)
    elif isinstance(now, list) and isinstance(saved, list):
        now[:] = map(_as_saved, now, saved)
    return now
