"""Optimizers whose step computes the loss itself, such as LBFGS and SAM."""

from __future__ import annotations

import copy
import inspect
from collections import OrderedDict, defaultdict
from typing import Any, Literal

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
    without_parameters = copy.copy(optimizer)
    empty: dict[str, Any] = {"param_groups": [], "state": defaultdict(dict)}
    hooks = {name: OrderedDict[Any, Any]() for name in vars(optimizer) if name.endswith("_hooks")}
    vars(without_parameters).update(empty | hooks)
    try:
        type(optimizer).step(without_parameters)
    except Exception as error:  # noqa: BLE001 - it may be any, only its place matters
        if "closure" in f"{type(error).__name__} {error}".lower():
            return True
        trace = error.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        # The step itself asserts, or calls what it was not given.
        return trace is not None and trace.tb_frame.f_locals.get("closure", trace) is None
    return False
