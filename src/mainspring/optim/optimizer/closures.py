"""Optimizers whose step computes the loss itself, such as LBFGS and SAM."""

from __future__ import annotations

import copy
import inspect
import traceback
from collections import OrderedDict, defaultdict
from typing import Any, Literal

import torch

from mainspring.optim.optimizer.two_modes import has_two_modes

__all__ = ["closure_need"]


def closure_need(optimizer: Any) -> Literal["none", "evaluates", "uses gradients"]:
    """Whether an optimizer's step must be given a function that computes loss and gradients.

    An optimizer that says so by an error finds out without any parameters, so that nothing changes.

    Args:
        optimizer: The optimizer, before its first step.

    Returns:
        ``"evaluates"`` for a step that calls it first of all, as that of LBFGS does; ``"uses
        gradients"`` for one that may begin with the gradients that are there, as that of SAM does.
    """
    step = getattr(type(optimizer), "step", None)
    try:
        closure = inspect.signature(step).parameters.get("closure")  # type: ignore[arg-type]  # - None is a TypeError
    except (TypeError, ValueError):
        return "none"
    if closure is None:
        return "none"
    if closure.default is closure.empty and closure.kind is not closure.VAR_KEYWORD:
        return "evaluates"
    is_torchs = getattr(step, "__module__", "").startswith("torch.")  # a subclass may have its step
    if is_torchs or has_two_modes(optimizer):
        return "none"
    return "uses gradients" if _fails_without_closure(optimizer) else "none"


def _fails_without_closure(optimizer: Any) -> bool:
    # A copy of torch's making has none of the attributes that a step may need.
    without_parameters = object.__new__(type(optimizer))
    empty: dict[str, Any] = {"param_groups": [], "state": defaultdict(dict)}
    hooks = {name: OrderedDict[Any, Any]() for name in vars(optimizer) if name.endswith("_hooks")}
    shared = {id(one): one for group in optimizer.param_groups for one in group["params"]}
    own = {name: value for name, value in vars(optimizer).items() if name not in empty | hooks}
    try:
        vars(without_parameters).update(copy.deepcopy(own, shared) | empty | hooks)
        with torch.random.fork_rng(devices=()):
            type(optimizer).step(without_parameters)
    except Exception as error:  # noqa: BLE001 - it may be any, only its place matters
        if "closure" in f"{type(error).__name__} {error}".lower():
            return True
        # The step itself asserts, or calls what it was not given; other errors are of having no
        # parameters.
        if isinstance(error, AssertionError | TypeError):
            *_, (frame, _) = traceback.walk_tb(error.__traceback__)
            return frame.f_locals.get("closure", frame) is None
    return False
